"""The serving graph answers as scikit-learn does, bit for bit, or no bundle is sealed."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler
from support.training import run_request, small_identity, small_table, train

from taxon_bundle.classifier import Classifier
from taxon_contracts.manifest import MODEL_NAME, Manifest, SignatureFeature
from taxon_training_job.bundle.serving import serving_graph
from taxon_training_job.classifiers import forest as trees
from taxon_training_job.judge.parity import ParityError, check_parity, threshold_rows

FEATURES = 6
KEPT = (0, 1, 3, 5)  # two columns are dropped, between and before the others


def sample(rows: int = 150, *, classes: int = 2, seed: int = 0) -> Any:
    """Return rows of very different scales, some integers, and their classes."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, classes, rows)
    values = generator.normal(size=(rows, FEATURES)) + 0.6 * target[:, None]
    values[:, 1] *= 1e6
    values[:, 3] = np.round(values[:, 3] * 4)
    values[:, 5] *= 1e-4
    return values, target


def classifier_of(pipeline: Pipeline, graph: bytes, features: int, kept: Any) -> Classifier:
    """Return the serving classifier of a fitted pipeline."""
    classes = tuple(pipeline.classes_.tolist())
    binary = len(classes) == 2
    manifest = Manifest(
        namespace="default",
        model="small",
        version="v0123456789",
        files={},
        features=tuple(
            SignatureFeature(name=f"f{index}", dropped=index not in kept)
            for index in range(features)
        ),
        classes=classes,
        positive_class=classes[1] if binary else None,
        threshold=0.5 if binary else None,
        classifier="RandomForest",
        dataset_digest="sha256:" + "0" * 64,
        libraries={},
    )
    return Classifier.from_graph(graph, manifest)


def served(
    model: Any, *, degree: int = 1, scaled: bool = True, classes: int = 2, kept: Any = KEPT
) -> tuple[Pipeline, Classifier, NDArray[np.float64]]:
    """Return a fitted pipeline, its serving classifier, and the rows it was fitted on."""
    rows, target = sample(classes=classes)
    steps: list[tuple[str, Any]] = [("scaler", StandardScaler())] if scaled else []
    if degree > 1:
        steps.append(("products", PolynomialFeatures(degree, include_bias=False)))
    pipeline = Pipeline([*steps, ("classifier", model)]).fit(rows[:, list(kept)], target)
    graph = serving_graph(pipeline, features=FEATURES, kept=kept)
    return pipeline, classifier_of(pipeline, graph, FEATURES, kept), rows


FORESTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "unscaled": {"scaled": False},
    "products of two": {"degree": 2},
    "products of three": {"degree": 3},
    "products of three, unscaled": {"degree": 3, "scaled": False},
    "three classes": {"classes": 3},
    "seven classes, products": {"classes": 7, "degree": 2},
    "one feature": {"kept": (4,)},
    "one feature, products of three": {"kept": (4,), "degree": 3},
}


@pytest.mark.parametrize("case", FORESTS)
def test_a_forest_is_equal_on_and_beside_every_threshold(case: str) -> None:
    """Bit for bit, with dropped columns in play, at once and one by one."""
    forest = RandomForestClassifier(12, random_state=0)
    pipeline, classifier, rows = served(forest, **FORESTS[case])
    kept = FORESTS[case].get("kept", KEPT)

    assert check_parity(pipeline, classifier, rows[:40], fitted=rows, kept=kept) == 0.0


PARAMETERS: dict[str, dict[str, Any]] = {
    "stumps": {"max_depth": 1},
    "trees of one leaf": {"min_samples_leaf": 100},
    "balanced classes": {"class_weight": "balanced"},
    "balanced in each tree": {"class_weight": "balanced_subsample"},
    "entropy, all features": {"criterion": "entropy", "max_features": None},
    "log loss, half the features": {"criterion": "log_loss", "max_features": 0.5},
    "no bootstrap": {"bootstrap": False},
    "few rows per tree": {"max_samples": 3},
    "pruned": {"ccp_alpha": 0.02},
    "best first": {"max_leaf_nodes": 5},
    "extra weight to splits": {"min_impurity_decrease": 0.01, "min_samples_split": 10},
}


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("case", PARAMETERS)
def test_a_forest_of_any_parameters_is_equal(case: str, classes: int) -> None:
    """Trees may be single leaves, and a tree's sample may lack a class."""
    forest = RandomForestClassifier(9, random_state=1, **PARAMETERS[case])
    pipeline, classifier, rows = served(forest, classes=classes)

    assert check_parity(pipeline, classifier, rows[:40], fitted=rows, kept=KEPT) == 0.0


def test_the_labels_are_scikit_learns(tmp_path: Path) -> None:
    """Ties included: an even number of trees of one leaf each makes many."""
    for classes in (2, 3):
        table = small_table(classes=classes)
        identity = small_identity(
            pipeline={
                "classifier": {
                    "parameters": [
                        {"name": "n_estimators", "values": ["4"]},
                        {"name": "max_samples", "values": ["0.1"]},
                        {"name": "max_depth", "values": ["3"]},
                    ]
                }
            }
        )
        bundle = train(run_request(table, tmp_path / str(classes), identity=identity))
        classifier = Classifier.load(bundle)
        (tmp_path / MODEL_NAME).write_bytes(bundle.read(MODEL_NAME))
        pipeline = joblib.load(tmp_path / MODEL_NAME)
        rows = table[["length", "width", "batch"]].to_numpy()
        probabilities = classifier.probabilities(rows)
        labels = [classifier.classes[index] for index in classifier.labels(probabilities)]

        assert np.array_equal(probabilities, pipeline.predict_proba(rows[:, :2]))
        assert labels == pipeline.predict(rows[:, :2]).tolist()


LINEAR: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "binary": ({}, {}),
    "binary, products of three": ({}, {"degree": 3}),
    "multinomial": ({}, {"classes": 4}),
    "multinomial, products of two": ({}, {"classes": 3, "degree": 2}),
    "liblinear": ({"solver": "liblinear"}, {}),
    "no intercept": ({"fit_intercept": False}, {"classes": 3}),
    "balanced": ({"class_weight": "balanced", "C": 100.0}, {}),
    "newton": ({"solver": "newton-cholesky"}, {"classes": 3}),
}


@pytest.mark.parametrize("case", LINEAR)
def test_a_linear_model_is_within_its_tolerance(case: str) -> None:
    """1e-12: its own last bits change with the batch size."""
    parameters, shape = LINEAR[case]
    model = LogisticRegression(max_iter=5000, **parameters)
    pipeline, classifier, rows = served(model, **shape)

    assert check_parity(pipeline, classifier, rows, fitted=rows, kept=KEPT) <= 1e-12


def test_a_linear_model_has_no_thresholds() -> None:
    """There is nothing to be beside."""
    pipeline, _, rows = served(LogisticRegression(max_iter=1000))

    assert list(threshold_rows(pipeline, rows, kept=KEPT)) == []


@pytest.mark.parametrize("case", ["plain", "unscaled", "products of three", "one feature"])
def test_every_threshold_is_met_and_passed(case: str) -> None:
    """For each split there is a row at most one float32 below it and one above."""
    pipeline, _, rows = served(RandomForestClassifier(6, random_state=0), **FORESTS[case])
    kept = FORESTS[case].get("kept", KEPT)
    near = np.concatenate(list(threshold_rows(pipeline, rows, kept=kept)))
    steps = Pipeline(pipeline.steps[:-1] or [("identity", "passthrough")])
    values = steps.transform(near[:, list(kept)]).astype(np.float32)

    for tree in (estimator.tree_ for estimator in pipeline[-1].estimators_):
        inner = tree.feature >= 0
        for column, threshold in zip(tree.feature[inner], tree.threshold[inner], strict=True):
            step = 8 * np.spacing(np.float32(abs(threshold)))
            distance = values[:, column].astype(np.float64) - threshold
            close = distance[np.abs(distance) <= step]
            assert (close <= 0).any()
            assert (close > 0).any()


def test_the_proof_of_an_enormous_forest_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of its splits stands for all of them."""
    pipeline, _, rows = served(RandomForestClassifier(6, random_state=0))
    everything = sum(map(len, threshold_rows(pipeline, rows, kept=KEPT)))
    monkeypatch.setattr("taxon_training_job.judge.parity.VISITS", 5 * 6 * 10)

    assert sum(map(len, threshold_rows(pipeline, rows, kept=KEPT))) <= 50 < everything


def test_the_proof_of_many_classes_costs_what_few_cost() -> None:
    """scikit-learn adds a number per class and tree: a row of many classes counts for several."""
    visits = {}
    for classes in (2, 16):
        pipeline, _, rows = served(RandomForestClassifier(6, random_state=0), classes=classes)
        values = pipeline[:-1].transform(rows[:, list(KEPT)])
        visits[classes] = trees.FAMILY.splits(pipeline[-1], values).visits

    assert visits == {2: 6, 16: 12}


def test_values_beyond_four_thousand_million_are_proven_too() -> None:
    """Populations and nanoseconds are ordinary numbers."""
    generator = np.random.default_rng(0)
    rows = generator.normal(1.7e18, 1e17, size=(80, 1))
    pipeline = Pipeline([("classifier", RandomForestClassifier(5, random_state=0))])
    pipeline.fit(rows, rows[:, 0] > 1.7e18)

    assert sum(map(len, threshold_rows(pipeline, rows, kept=(0,)))) >= 5


def test_zeros_do_not_hide_the_thresholds_of_their_products() -> None:
    """A factor of zero is replaced, or the product would never meet its threshold."""
    generator = np.random.default_rng(0)
    rows = (generator.random((200, 2)) < 0.5) * generator.integers(1, 9, (200, 2)).astype(float)
    target = rows[:, 0] * rows[:, 1] > 12
    products = PolynomialFeatures(2, include_bias=False)
    forest = RandomForestClassifier(8, random_state=0)
    pipeline = Pipeline([("products", products), ("classifier", forest)]).fit(rows, target)
    zeros = np.zeros((3, 2))
    near = products.transform(np.concatenate(list(threshold_rows(pipeline, zeros, kept=(0, 1)))))

    thresholds = [t.tree_.threshold[t.tree_.feature == 3] for t in forest.estimators_]
    for threshold in np.unique(np.concatenate(thresholds)):
        assert np.abs(near[:, 3] - threshold).min() < 1e-9


def tampered(graph: bytes, change: Any) -> bytes:
    """Return a graph whose first ensemble has one changed attribute."""
    model = onnx.load_from_string(graph)
    node = next(node for node in model.graph.node if node.op_type == "TreeEnsemble")
    change({attribute.name: attribute for attribute in node.attribute})
    return bytes(model.SerializeToString())


def one_step_up(attributes: Any) -> None:
    """Round one threshold up to float32 where it must be rounded down."""
    splits = numpy_helper.to_array(attributes["nodes_splits"].t).copy()
    splits[0] = np.nextafter(np.float32(splits[0]), np.float32(np.inf))
    attributes["nodes_splits"].t.CopyFrom(numpy_helper.from_array(splits, "nodes_splits"))


def one_bit_more(attributes: Any) -> None:
    """Change the last bit of the leaves."""
    leaves = numpy_helper.to_array(attributes["leaf_weights"].t).copy()
    leaves[leaves > 0] = np.nextafter(leaves[leaves > 0], 2)
    attributes["leaf_weights"].t.CopyFrom(numpy_helper.from_array(leaves, "leaf_weights"))


@pytest.mark.parametrize("change", [one_step_up, one_bit_more])
def test_the_smallest_difference_is_found(change: Any) -> None:
    """One threshold off by one float32, or leaves off by their last bit."""
    rows, target = sample()
    stumps = RandomForestClassifier(3, max_depth=1, random_state=0)
    pipeline = Pipeline([("classifier", stumps)]).fit(rows, target)
    graph = tampered(serving_graph(pipeline, features=FEATURES, kept=range(FEATURES)), change)
    classifier = classifier_of(pipeline, graph, FEATURES, range(FEATURES))

    with pytest.raises(ParityError, match="differs from scikit-learn by"):
        check_parity(pipeline, classifier, rows[:20], fitted=rows, kept=range(FEATURES))


def test_nan_is_a_difference() -> None:
    """A linear model that diverged is not sealed."""
    pipeline, classifier, rows = served(LogisticRegression(max_iter=1000))
    pipeline[-1].coef_[:] = np.nan

    with pytest.raises(ParityError, match="nan"):
        check_parity(pipeline, classifier, rows, fitted=rows, kept=KEPT)


def test_thresholds_are_rounded_down() -> None:
    """Float64 thresholds between two float32 go to the lower one; others stay."""
    between = np.float64(np.float32(1.5)) + 1e-12
    rounded = trees._rounded_down(np.array([between, 1.5, -between]))  # noqa: SLF001 - the rule everything rests on

    assert rounded.tolist() == [1.5, 1.5, float(np.nextafter(np.float32(-1.5), np.float32(-2)))]


@pytest.mark.parametrize(
    "steps",
    [
        [("classifier", KNeighborsClassifier())],
        [("scaler", MinMaxScaler()), ("classifier", LogisticRegression())],
    ],
)
def test_a_step_that_cannot_be_served_is_reported(steps: Any) -> None:
    """Adding a kind of classifier without its graph fails at once."""
    rows, target = sample()
    pipeline = Pipeline(steps).fit(rows, target)

    with pytest.raises(TypeError, match="cannot be served"):
        serving_graph(pipeline, features=FEATURES, kept=range(FEATURES))


def test_the_same_forest_gives_the_same_graph() -> None:
    """The graph's bytes are part of the bundle's digest."""
    graphs_made = set()
    for _ in range(2):
        rows, target = sample()
        pipeline = Pipeline([("classifier", RandomForestClassifier(3, random_state=0))])
        pipeline.fit(pd.DataFrame(rows).to_numpy(), target)
        graphs_made.add(serving_graph(pipeline, features=FEATURES, kept=range(FEATURES)))

    assert len(graphs_made) == 1
