"""What a bundle holds for people stays small and readable."""

import io

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from taxon_contracts.manifest import MODEL_NAME
from taxon_training_job.bundle.contents import pickles


def test_the_pickle_of_many_classes_is_compressed() -> None:
    """scikit-learn keeps a number per node and class, nearly all of them zero."""
    generator = np.random.default_rng(0)
    target = np.arange(2000) % 100
    rows = generator.normal(size=(2000, 4)) + 0.1 * target[:, None]
    forest = RandomForestClassifier(5, random_state=0)
    pipeline = Pipeline([("classifier", forest)]).fit(rows, target)
    written = pickles(pipeline)[MODEL_NAME]
    held = sum(tree.tree_.value.nbytes for tree in pipeline[-1].estimators_)

    assert len(written) < held / 5
    assert written == pickles(pipeline)[MODEL_NAME]
    loaded = joblib.load(io.BytesIO(written))
    assert np.array_equal(loaded.predict_proba(rows), pipeline.predict_proba(rows))
