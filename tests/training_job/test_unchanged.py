"""Tables of numbers that are always there give what they gave before tables had gaps.

``unchanged.json`` was recorded by the release before categories and gaps, commit c832b23.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from support.training import run_request, train

from taxon_contracts.identity import version_id
from taxon_contracts.manifest import GOLDEN_NAME, SERVING_NAME
from taxon_contracts.resource import ClassifierModel, Identity
from taxon_training_job.bundle.serving import serving_graph

RECORDED = Path(__file__).with_name("unchanged.json")
SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "breast-cancer"


def identity(**pipeline: Any) -> Identity:
    """Return an identity of five trees and no search."""
    parameters = [{"name": "n_estimators", "values": ["5"]}]
    classifier = {"classifier": {"parameters": parameters}}
    return Identity.model_validate(
        {
            "dataset": {"uri": "s3://samples/small.csv", "target": "label"},
            "pipeline": classifier | pipeline,
            "search": {"strategy": "None"},
        }
    )


def table(*, classes: int = 2, rows: int = 121) -> pd.DataFrame:
    """Return integers, decimals, a boolean column and a constant one."""
    generator = np.random.default_rng(3)
    label = generator.permutation(np.arange(rows) % classes)
    return pd.DataFrame(
        {
            "count": label * 3 + generator.integers(0, 5, rows),
            "size": np.round(label + generator.normal(0, 0.7, rows), 3),
            "flag": (label + generator.integers(0, 2, rows)) % 3 > 0,
            "batch": np.full(rows, 7),
            "label": [f"class {one:02d}" for one in label],
        }
    )


def breast_cancer() -> tuple[pd.DataFrame, Identity]:
    """Return the sample."""
    model = ClassifierModel.model_validate(yaml.safe_load(SAMPLE.with_suffix(".yaml").read_text()))
    return pd.read_csv(SAMPLE.with_suffix(".csv")), model.spec.identity()


FORESTS: dict[str, Callable[[], tuple[pd.DataFrame, Identity]]] = {
    "breast cancer": breast_cancer,
    "a boolean column": lambda: (table(), identity()),
    "products of two, unscaled": lambda: (table(), identity(polynomialDegree=2, scaler="None")),
    "twelve classes": lambda: (table(classes=12, rows=301), identity()),
}


def linear(classes: int) -> Pipeline:
    """Return a pipeline of three features that was never fitted: its numbers are given."""
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = np.array([0.5, -2.0, 1e6]), np.array([1.0, 0.25, 3e5])
    scaler.n_features_in_ = 3
    products = PolynomialFeatures(2, include_bias=False).fit(np.zeros((1, 3)))
    model = LogisticRegression()
    model.classes_ = np.arange(classes)
    columns, rows = products.n_output_features_, 1 if classes == 2 else classes
    model.coef_ = np.linspace(-1.5, 2.0, rows * columns).reshape(rows, columns)
    model.intercept_ = np.linspace(-0.5, 0.25, rows)
    return Pipeline([("scaler", scaler), ("products", products), ("classifier", model)])


def sha256(content: bytes) -> str:
    """Return a content's digest."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    """Return what was recorded."""
    document: dict[str, Any] = json.loads(RECORDED.read_text())
    return document


@pytest.mark.parametrize("case", FORESTS)
def test_a_numeric_table_gives_the_same_version(
    case: str, recorded: dict[str, Any], tmp_path: Path
) -> None:
    """Its id, its serving file byte for byte, and its golden answers."""
    assert forest_of(case, tmp_path) == recorded[case]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_model_gives_the_same_serving_file(classes: int, recorded: dict[str, Any]) -> None:
    """Of given coefficients, since a fit's last bits are the processor's."""
    graph = serving_graph(linear(classes), features=5, kept=(0, 2, 3))

    assert sha256(graph) == recorded[f"linear, {classes} classes"]


def forest_of(case: str, folder: Path) -> dict[str, Any]:
    """Train on a case's table; return what must not change."""
    frame, asked = FORESTS[case]()
    bundle = train(run_request(frame, folder, identity=asked))
    golden = json.loads(bundle.read(GOLDEN_NAME))
    return {
        "version": version_id(asked),
        "serving": sha256(bundle.read(SERVING_NAME)),
        "probabilities": golden["probabilities"],
        "labels": golden["labels"],
    }
