"""Random forests: trees walked in float64 over float32 values, as scikit-learn walks them.

scikit-learn compares float32 values with float64 thresholds; rounding a threshold down to float32
leaves every such comparison as it was. Trees become ``TreeEnsemble`` of ai.onnx.ml opset 5 with
double splits and weights.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from sklearn.ensemble import RandomForestClassifier

from taxon_training_job.classifiers.family import Family, GraphInput, Splits
from taxon_training_job.classifiers.graph import Graph

BRANCH_LEQ = 0
SUM = 1
LEAF = -1


def _make(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(random_state=seed, n_jobs=1)


def _add_nodes(
    graph: Graph, value: GraphInput, forest: RandomForestClassifier, output: str
) -> None:
    """Add one ensemble per class (a leaf has one target), and the mean over the trees."""
    double = graph.add("Cast", value.single, to=TensorProto.DOUBLE)
    branches = _branches(forest)
    sums = []
    for index in range(len(forest.classes_)):
        weights = np.concatenate(
            [t.tree_.value[t.tree_.children_left == LEAF, 0, index] for t in forest.estimators_]
        )
        tensor = numpy_helper.from_array(weights, "leaf_weights")
        sums.append(graph.add("TreeEnsemble", double, leaf_weights=tensor, **branches))
    total = graph.add("Concat", *sums, axis=1) if len(sums) > 1 else sums[0]
    count = graph.constant(np.array(len(forest.estimators_), np.float64))
    graph.add("Div", total, count, output=output)


def _branches(forest: RandomForestClassifier) -> dict[str, Any]:
    """Return the attributes every class's ensemble shares: where each node sends a row."""
    roots: list[int] = []
    columns: dict[str, list[NDArray[Any]]] = {
        key: [] for key in ("features", "splits", "true", "false", "true_leaf", "false_leaf")
    }
    nodes = leaves = 0
    for tree in (estimator.tree_ for estimator in forest.estimators_):
        roots.append(nodes)
        inner = tree.children_left != LEAF
        place = np.where(inner, np.cumsum(inner) - 1 + nodes, np.cumsum(~inner) - 1 + leaves)
        branching = np.flatnonzero(inner)
        left, right = tree.children_left[branching], tree.children_right[branching]
        if not branching.size:
            branching = left = right = np.array([0])
        columns["features"].append(np.maximum(tree.feature[branching], 0))
        columns["splits"].append(_rounded_down(tree.threshold[branching]))
        columns["true"].append(place[left])
        columns["false"].append(place[right])
        columns["true_leaf"].append(~inner[left])
        columns["false_leaf"].append(~inner[right])
        nodes += branching.size
        leaves += int((~inner).sum())
    joined = {key: np.concatenate(parts) for key, parts in columns.items()}
    return {
        "tree_roots": roots,
        "n_targets": 1,
        "aggregate_function": SUM,
        "post_transform": 0,
        "nodes_featureids": joined["features"].tolist(),
        "nodes_splits": numpy_helper.from_array(joined["splits"], "nodes_splits"),
        "nodes_modes": numpy_helper.from_array(np.full(nodes, BRANCH_LEQ, np.uint8), "nodes_modes"),
        "nodes_truenodeids": joined["true"].tolist(),
        "nodes_falsenodeids": joined["false"].tolist(),
        "nodes_trueleafs": joined["true_leaf"].astype(int).tolist(),
        "nodes_falseleafs": joined["false_leaf"].astype(int).tolist(),
        "leaf_targetids": [0] * leaves,
    }


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest float32 not above each threshold, as float64."""
    single = thresholds.astype(np.float32)
    above = single.astype(np.float64) > thresholds
    single[above] = np.nextafter(single[above], np.float32(-np.inf))
    return single.astype(np.float64)


def _splits(forest: RandomForestClassifier, values: NDArray[np.float64]) -> Splits:
    """Return the distinct splits; a split none of the rows reaches has the first row."""
    single = values.astype(np.float32)
    found = []
    for tree in (estimator.tree_ for estimator in forest.estimators_):
        paths = tree.decision_path(single).tocsc()
        inner = np.flatnonzero(tree.feature >= 0)
        starts, ends = paths.indptr[inner], paths.indptr[inner + 1]
        reaching = np.where(ends > starts, paths.indices[np.minimum(starts, paths.nnz - 1)], 0)
        found.append(np.column_stack([tree.feature[inner], tree.threshold[inner], reaching]))
    splits = np.concatenate(found)
    _, first = np.unique(splits[:, :2], axis=0, return_index=True)
    return Splits(splits[first], visits=len(forest.estimators_))


FAMILY = Family(
    name="RandomForest",
    estimator=RandomForestClassifier,
    make=_make,
    default_grid={
        "n_estimators": [50, 100, 150],
        "max_depth": [5, 10, 15, None],
        "min_samples_split": [2, 5, 10],
        "min_samples_leaf": [1, 2, 4],
    },
    add_nodes=_add_nodes,
    tolerance=0.0,
    splits=_splits,
)
