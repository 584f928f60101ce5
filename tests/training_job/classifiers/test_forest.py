"""A forest's graph: exact for any number of classes, in memory that follows the forest's size."""

import hashlib
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from taxon_bundle.classifier import Classifier
from taxon_bundle.codec import BadRow
from taxon_contracts.manifest import Manifest, SignatureFeature
from taxon_training_job.bundle.serving import serving_graph
from taxon_training_job.classifiers import forest as trees
from taxon_training_job.judge.parity import check_parity

KEPT = (0, 1, 2)


def fitted(
    classes: int, *, rows: int = 600, **parameters: Any
) -> tuple[Pipeline, NDArray[np.float64]]:
    """Return a fitted forest over three noisy features, and the rows it was fitted on."""
    generator = np.random.default_rng(classes)
    target = np.arange(rows) % classes
    values = generator.normal(size=(rows, len(KEPT))) + 0.2 * target[:, None]
    forest = RandomForestClassifier(random_state=0, **({"n_estimators": 7} | parameters))
    pipeline = Pipeline([("scaler", StandardScaler()), ("classifier", forest)])
    return pipeline.fit(values, target), values


def graph_of(pipeline: Pipeline) -> bytes:
    """Return a pipeline's serving graph."""
    return serving_graph(pipeline, features=len(KEPT), kept=KEPT)


def served(pipeline: Pipeline) -> Classifier:
    """Return a pipeline's serving classifier."""
    classes = tuple(pipeline.classes_.tolist())
    binary = len(classes) == 2
    manifest = Manifest(
        namespace="default",
        model="many",
        version="v0123456789",
        files={},
        features=tuple(SignatureFeature(name=f"f{index}") for index in KEPT),
        classes=classes,
        positive_class=classes[1] if binary else None,
        threshold=0.5 if binary else None,
        classifier="RandomForest",
        dataset_digest="sha256:" + "0" * 64,
        libraries={},
    )
    return Classifier.from_graph(graph_of(pipeline), manifest)


def operators(graph: bytes) -> list[str]:
    """Return the graph's operators in order."""
    model: ModelProto = onnx.load_from_string(graph)
    return [node.op_type for node in model.graph.node]


PARAMETERS: dict[str, dict[str, Any]] = {
    "grown until pure": {},
    "leaves of many classes": {"max_depth": 2},
    "leaves of a few classes": {"min_samples_leaf": 4},
    "trees of one leaf": {"min_samples_leaf": 400},
    "trees that lack classes": {"max_samples": 12},
    "one tree": {"n_estimators": 1},
    "weighted classes": {"class_weight": "balanced_subsample", "max_depth": 4},
}


@pytest.mark.parametrize("classes", [trees.MOST_WALKS, trees.MOST_WALKS + 1, 40])
@pytest.mark.parametrize("case", PARAMETERS)
def test_a_forest_of_any_number_of_classes_is_equal(case: str, classes: int) -> None:
    """Bit for bit, on and beside every threshold, at once and one by one."""
    pipeline, rows = fitted(classes, **PARAMETERS[case])

    assert check_parity(pipeline, served(pipeline), rows[:40], fitted=rows, kept=KEPT) == 0.0


def test_a_graph_of_many_classes_is_as_large_as_its_leaves() -> None:
    """Each tree is walked once, whatever the number of classes."""
    sizes = {}
    for classes in (10, 100):
        pipeline, _ = fitted(classes)
        leaves = sum(tree.tree_.n_leaves for tree in pipeline[-1].estimators_)
        sizes[classes] = len(graph_of(pipeline)) / leaves
        assert operators(graph_of(pipeline)).count("TreeEnsemble") == 1

    assert sizes[100] < 1.5 * sizes[10]


def test_few_classes_keep_their_graph() -> None:
    """A version trained again has the digest it had, byte for byte (scikit-learn is pinned)."""
    rows = np.array([[i % 5, (7 * i) % 11, i % 3] for i in range(60)], dtype=np.float64)
    digests = {}
    for classes in (2, 3):
        forest = RandomForestClassifier(3, random_state=0)
        pipeline = Pipeline([("classifier", forest)]).fit(rows, np.arange(60) // 4 % classes)
        digests[classes] = hashlib.sha256(graph_of(pipeline)).hexdigest()[:16]

    assert digests == {2: "0bfe3496cbb7d68c", 3: "e6359553818c84ec"}


def test_a_batch_is_answered_in_pieces_of_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph says how many rows it takes at a time; the answers do not depend on it."""
    pipeline, rows = fitted(20, max_depth=3)
    whole = served(pipeline).probabilities(rows)
    monkeypatch.setattr(trees, "CELLS", 7 * 20 * 9)
    pieces = served(pipeline)

    assert 1 < pieces.rows_at_once < 20
    assert np.array_equal(pieces.probabilities(rows), whole)
    assert np.array_equal(pieces.probabilities(rows[:0]), whole[:0])


def test_a_row_that_is_too_large_is_named_in_any_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its place in the whole batch."""
    monkeypatch.setattr(trees, "CELLS", 1)
    pipeline, rows = fitted(20)
    spoilt = rows[:30].copy()
    spoilt[23, 1] = 1e300

    with pytest.raises(BadRow, match="row 23: f1 is too large"):
        served(pipeline).probabilities(spoilt)


def test_leaf_shares_hold_every_share_and_no_zero() -> None:
    """Layer by layer, each leaf's classes are those of its tree."""
    pipeline, _ = fitted(12, max_depth=4)
    shares = trees.leaf_shares(pipeline[-1])
    expected = np.concatenate(
        [t.tree_.value[t.tree_.children_left < 0, 0, :] for t in pipeline[-1].estimators_]
    )
    dense = np.zeros_like(expected)
    for start, size in zip(shares.layer_starts, shares.layer_sizes, strict=True):
        leaf = np.flatnonzero(shares.ranks < size)
        place = start + shares.ranks[leaf]
        dense[leaf, shares.classes[place]] += shares.values[place]

    assert np.array_equal(dense, expected)
    assert np.count_nonzero(shares.values) == np.count_nonzero(expected)
    assert len(shares.values) == np.count_nonzero(expected) + len(shares.layer_sizes)
