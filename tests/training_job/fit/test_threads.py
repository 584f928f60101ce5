"""Many rows are fitted on every core, and no bit of the classifier depends on it."""

import joblib
import numpy as np
import pytest
from support.training import numeric_pipeline

from taxon_contracts.resource import Pipeline as PipelineSpec
from taxon_training_job.fit import pipeline as module
from taxon_training_job.fit.pipeline import fit_in_threads

ROWS = np.random.default_rng(0).normal(size=(400, 3))
LABELS = (ROWS[:, 0] + ROWS[:, 1] * ROWS[:, 2] > 0).astype(int)


@pytest.mark.parametrize("kind", ["RandomForest", "LogisticRegression"])
def test_threads_change_no_bit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickle of a bundle is the same on any number of cores."""
    spec = PipelineSpec.model_validate({"classifier": {"type": kind}})
    pickles = []
    for cores in (1, 4):
        monkeypatch.setattr(module, "MANY_ROWS", 100)
        monkeypatch.setattr(joblib, "cpu_count", lambda cores=cores: cores)
        pipeline = numeric_pipeline(spec, features=3)
        fit_in_threads(pipeline, ROWS, LABELS)
        pickles.append(joblib.hash(pipeline))

    assert pickles[0] == pickles[1]
