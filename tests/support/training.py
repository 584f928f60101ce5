"""Small real runs: a table, a request for it, and the bundle the real trainer makes of both."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from taxon_bundle.bundle import Bundle, open_bundle
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import Identity
from taxon_contracts.resource import Pipeline as PipelineSpec
from taxon_contracts.run import RunRequest
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.pipeline import make_pipeline
from taxon_training_job.progress import Progress
from taxon_training_job.run import Outcome, carry_out

VERSION = "v0123456789"


def small_table(*, rows: int = 120, classes: int = 2, seed: int = 0) -> pd.DataFrame:
    """Return a table of two informative features, a constant one and text classes in ``label``."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, classes, rows)
    return pd.DataFrame(
        {
            "length": label + generator.normal(0, 0.4, rows),
            "width": 2.0 * label + generator.normal(0, 0.9, rows),
            "batch": np.full(rows, 7.0),
            "label": np.array(["benign", "malignant", "unsure"])[label],
        }
    )


def small_identity(**changes: Any) -> Identity:
    """Return an identity over ``small_table`` that trains in a fraction of a second."""
    document: dict[str, Any] = {
        "dataset": {"uri": "s3://samples/small.csv", "target": "label"},
        "pipeline": {
            "classifier": {"parameters": [{"name": "n_estimators", "values": ["10"]}]},
        },
        "search": {"strategy": "None", "folds": 2},
    }
    return Identity.model_validate(document | changes)


def numeric_pipeline(spec: PipelineSpec, *, features: int, seed: int = 0) -> Pipeline:
    """Return the unfitted pipeline over so many numbers that are always there."""
    signature = [SignatureFeature(name=f"f{place}") for place in range(features)]
    return make_pipeline(spec, signature, np.empty((0, features)), seed=seed)


def run_request(table: pd.DataFrame, folder: Path, **changes: Any) -> RunRequest:
    """Write ``table`` below ``folder``; return the request to train on it into ``folder``."""
    source = folder / "table.csv"
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(source, index=False)
    document: dict[str, Any] = {
        "version": VERSION,
        "namespace": "default",
        "model": "small",
        "source": str(source),
        "identity": small_identity(),
        "destination": f"{folder}/bundle/",
    }
    return RunRequest.model_validate(document | changes)


def forest(**changes: Any) -> dict[str, Any]:
    """Return a pipeline of three trees."""
    return {
        "classifier": {"parameters": [{"name": "n_estimators", "values": ["3"]}]},
        **changes,
    }


def carried_out(request: RunRequest) -> Outcome:
    """Carry out a run."""
    return carry_out(request, Progress(model=request.model, version=request.version))


def train(request: RunRequest) -> Bundle:
    """Carry out a run; return the bundle it sealed."""
    result = carried_out(request).result
    assert result.bundle_uri is not None
    assert result.manifest_digest is not None
    return open_bundle(result.bundle_uri, result.manifest_digest)


def failing(request: RunRequest) -> RunFailed:
    """Return how a run fails."""
    with pytest.raises(RunFailed) as caught:
        carried_out(request)
    return caught.value
