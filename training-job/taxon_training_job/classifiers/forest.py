"""Random forests: trees walked in float64 over float32 values, as scikit-learn walks them.

scikit-learn compares float32 values with float64 thresholds; rounding a threshold down to float32
leaves every such comparison as it was. Trees become ``TreeEnsemble`` of ai.onnx.ml opset 5 with
double splits and weights.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier

from taxon_training_job.classifiers.family import Family, Footprint, GraphInput, Grid, Splits
from taxon_training_job.classifiers.graph import Graph

BRANCH_LEQ = 0
SUM = 1
LEAF = -1
MOST_WALKS = 8
"""Classes up to which each walks its own copy of the trees, which is faster for few."""
NODE_BYTES = 64
"""What scikit-learn keeps for each node beside a number per class."""
GRAPH_NODE_BYTES = 32
MOST_DEPTH = 64
GROWING = frozenset({"n_estimators", "max_depth", "max_leaf_nodes", "max_samples"})
SHRINKING = frozenset(
    {"min_samples_leaf", "min_samples_split", "min_impurity_decrease", "ccp_alpha"}
)
CELLS = 1_000_000
"""Shares looked up at a time by a shared walk, about 30 MB."""


def _make(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(random_state=seed, n_jobs=1)


def _add_nodes(
    graph: Graph, value: GraphInput, forest: RandomForestClassifier, output: str
) -> None:
    """Add the walk through the trees, and the mean over them."""
    double = graph.add("Cast", value.single, to=TensorProto.DOUBLE)
    many = len(forest.classes_) > MOST_WALKS
    total = _shared_walk(graph, double, forest) if many else _walk_per_class(graph, double, forest)
    count = graph.constant(np.array(len(forest.estimators_), np.float64))
    graph.add("Div", total, count, output=output)


def _walk_per_class(graph: Graph, double: str, forest: RandomForestClassifier) -> str:
    """Add one ensemble per class (a leaf has one target); return the sums' name."""
    branches = _branches(forest)
    targets = [0] * sum(tree.n_leaves for tree in _trees(forest))
    sums = []
    for index in range(len(forest.classes_)):
        weights = np.concatenate(
            [tree.value[tree.children_left == LEAF, 0, index] for tree in _trees(forest)]
        )
        tensor = numpy_helper.from_array(weights, "leaf_weights")
        sums.append(
            graph.add(
                "TreeEnsemble",
                double,
                n_targets=1,
                leaf_targetids=targets,
                leaf_weights=tensor,
                **branches,
            )
        )
    return graph.add("Concat", *sums, axis=1) if len(sums) > 1 else sums[0]


def _shared_walk(graph: Graph, double: str, forest: RandomForestClassifier) -> str:
    """Add one ensemble that names each tree's leaf, and a look-up of the leaves' shares.

    A row's shares are added in the order of the trees, as scikit-learn adds them; shares of zero
    are left out, which changes no sum.
    """
    shares = leaf_shares(forest)
    trees = np.repeat(np.arange(len(forest.estimators_)), [t.n_leaves for t in _trees(forest)])
    leaves = graph.add(
        "TreeEnsemble",
        double,
        n_targets=len(forest.estimators_),
        leaf_targetids=trees.tolist(),
        leaf_weights=numpy_helper.from_array(shares.ranks.astype(np.float64), "leaf_weights"),
        **_branches(forest),
    )
    ranks = graph.add("Cast", leaves, to=TensorProto.INT32)
    column = graph.add("Unsqueeze", ranks, graph.constant(np.array([2], np.int64)))
    within = graph.add("Min", column, graph.constant(shares.layer_sizes))
    places = graph.add("Add", within, graph.constant(shares.layer_starts))
    updates, classes = (
        graph.add("Flatten", graph.add("Gather", graph.constant(table), places, axis=0), axis=1)
        for table in (shares.values, shares.classes)
    )
    rows = graph.add("Shape", double, start=0, end=1)
    wide = graph.constant(np.array([len(forest.classes_)], np.int64))
    zeros = graph.add(
        "ConstantOfShape",
        graph.add("Concat", rows, wide, axis=0),
        value=numpy_helper.from_array(np.zeros(1), "zero"),
    )
    graph.take_rows(CELLS // (len(forest.estimators_) * len(shares.layer_sizes)))
    return graph.add("ScatterElements", zeros, classes, updates, axis=1, reduction="add")


@dataclass(frozen=True)
class LeafShares:
    """The classes' shares in every leaf, without the zeros.

    Leaves are ranked by how many classes they hold, most first; ``ranks`` is [leaves]. Layer ``k``
    has the k-th class of each leaf that holds so many, in the order of the ranks, then one share of
    zero for the leaves that do not. ``values`` and ``classes`` are the layers one after the other;
    ``layer_starts`` and ``layer_sizes`` (without the zero) say where each is.
    """

    ranks: NDArray[np.int32]
    values: NDArray[np.float64]
    classes: NDArray[np.int32]
    layer_starts: NDArray[np.int32]
    layer_sizes: NDArray[np.int32]


def leaf_shares(forest: RandomForestClassifier) -> LeafShares:
    """Return the shares of a fitted forest; the memory is that of the shares above zero."""
    held, classes, values = [], [], []
    for tree in _trees(forest):
        leaves = tree.value[tree.children_left == LEAF, 0, :]
        leaf, klass = np.nonzero(leaves)
        held.append(np.bincount(leaf, minlength=len(leaves)))
        classes.append(klass)
        values.append(leaves[leaf, klass])
    counts = np.concatenate(held)
    ranks = np.empty(len(counts), np.int32)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(len(counts), dtype=np.int32)
    layer = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    sizes = np.bincount(layer).astype(np.int32)
    starts = (np.cumsum(sizes + 1) - (sizes + 1)).astype(np.int32)
    places = starts[layer] + np.repeat(ranks, counts)
    table = np.zeros(int((sizes + 1).sum()))
    table[places] = np.concatenate(values)
    named = np.zeros(len(table), np.int32)
    named[places] = np.concatenate(classes)
    return LeafShares(ranks, table, named, starts, sizes)


def _trees(forest: RandomForestClassifier) -> list[Any]:
    return [estimator.tree_ for estimator in forest.estimators_]


def _branches(forest: RandomForestClassifier) -> dict[str, Any]:
    """Return the attributes of every walk: where each node sends a row."""
    roots: list[int] = []
    columns: dict[str, list[NDArray[Any]]] = {
        key: [] for key in ("features", "splits", "true", "false", "true_leaf", "false_leaf")
    }
    nodes = leaves = 0
    for tree in _trees(forest):
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
        "aggregate_function": SUM,
        "post_transform": 0,
        "nodes_featureids": joined["features"].tolist(),
        "nodes_splits": numpy_helper.from_array(joined["splits"], "nodes_splits"),
        "nodes_modes": numpy_helper.from_array(np.full(nodes, BRANCH_LEQ, np.uint8), "nodes_modes"),
        "nodes_truenodeids": joined["true"].tolist(),
        "nodes_falsenodeids": joined["false"].tolist(),
        "nodes_trueleafs": joined["true_leaf"].astype(int).tolist(),
        "nodes_falseleafs": joined["false_leaf"].astype(int).tolist(),
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
    for tree in _trees(forest):
        paths = tree.decision_path(single).tocsc()
        inner = np.flatnonzero(tree.feature >= 0)
        starts, ends = paths.indptr[inner], paths.indptr[inner + 1]
        reaching = np.where(ends > starts, paths.indices[np.minimum(starts, paths.nnz - 1)], 0)
        found.append(np.column_stack([tree.feature[inner], tree.threshold[inner], reaching]))
    splits = np.concatenate(found)
    _, first = np.unique(splits[:, :2], axis=0, return_index=True)
    width = max(1, len(forest.classes_) // MOST_WALKS)  # scikit-learn adds a number per class
    return Splits(splits[first], visits=len(forest.estimators_) * width)


def _largest(grid: Grid) -> dict[str, Any]:
    """Return the combination that grows most: many trees, deep, of small leaves."""
    return {name: _most_growth(name, values) for name, values in grid.items()}


def _most_growth(name: str, values: list[Any]) -> Any:
    numbers = [value for value in values if isinstance(value, (int, float))]
    if name not in GROWING | SHRINKING or not numbers:
        return values[0]
    if name in GROWING and None in values:  # no limit
        return None
    return max(numbers) if name in GROWING else min(numbers)


def _bound(
    forest: RandomForestClassifier, rows: NDArray[np.float64], labels: NDArray[Any]
) -> Footprint:
    """Return what full trees take: a leaf for each row, or as many as the depth allows."""
    deepest = MOST_DEPTH if forest.max_depth is None else min(forest.max_depth, MOST_DEPTH)
    nodes = 2 * min(len(rows), 2**deepest)
    classes = len(np.unique(labels))
    walks = classes if classes <= MOST_WALKS else 1
    shares = min(len(rows), nodes * classes)
    return _footprint_of(
        forest, classes, nodes=nodes, graph=walks * nodes * GRAPH_NODE_BYTES + 12 * shares
    )


def _footprint(
    forest: RandomForestClassifier, values: NDArray[np.float64], labels: NDArray[Any]
) -> Footprint:
    """Return what the forest will take by one of its trees."""
    one = clone(forest).set_params(n_estimators=1).fit(values, labels)
    graph = Graph()
    _add_nodes(graph, GraphInput("exact", "single"), one, "probabilities")
    nodes = one.estimators_[0].tree_.node_count
    return _footprint_of(forest, len(one.classes_), nodes=nodes, graph=graph.size)


def _footprint_of(
    forest: RandomForestClassifier, classes: int, *, nodes: int, graph: int
) -> Footprint:
    """Return what a forest takes by the nodes and the graph's bytes of one tree."""
    trees = forest.n_estimators
    return Footprint(
        what=f"a forest of {trees} trees over {classes} classes",
        remedy="lower n_estimators or max_depth in pipeline.classifier.parameters",
        fitted=trees * nodes * (NODE_BYTES + 8 * classes),
        graph=trees * graph,
    )


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
    threaded=True,
    splits=_splits,
    largest=_largest,
    bound=_bound,
    footprint=_footprint,
)
