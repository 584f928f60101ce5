"""The steps before the classifier: what fills gaps, and which categories have a column."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from support.mixed import NAN, Mixed, categories, column, fit_mixed, flags, numbers
from support.training import small_identity

from taxon_bundle.codec import UNSEEN
from taxon_contracts.manifest import SignatureFeature
from taxon_training_job.data.columns import Column
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.encoding import encoding_of
from taxon_training_job.fit.pipeline import make_pipeline, preprocessor

TREES = {"classifier": {"parameters": [{"name": "n_estimators", "values": ["3"]}]}}
ROWS = 12
TABLE = [
    column("age", "Numeric", [1.0, 2.0, None, 9.0] * 3),
    column("port", "Categorical", ["b", "a", "b", None, "c", "b"] * 2),
    column("member", "Boolean", [True, None, True, False] * 3),
]


def fitted(columns: list[Column] = TABLE, **spec: Any) -> Mixed:
    """Return three trees over a table, unscaled."""
    return fit_mixed(columns, {"scaler": "None", **TREES, **spec})


FILLED: dict[str, tuple[dict[str, Any] | None, list[float]]] = {
    "absent": (None, [2.0, 1.0, 0, 0, 0, 1]),
    "median": ({"strategy": "Median"}, [2.0, 1.0, 0, 0, 0, 1]),
    "most frequent": ({"strategy": "MostFrequent"}, [1.0, 1.0, 1, 0, 0]),
    "constant": ({"strategy": "Constant", "value": -5}, [-5.0, -5.0, 0, 0, 0, 1]),
    "constant of its default": ({"strategy": "Constant"}, [0.0, 0.0, 0, 0, 0, 1]),
    "median, indicator": (
        {"strategy": "Median", "indicator": True},
        [2.0, 1.0, 0, 0, 0, 1, 1, 1],
    ),
    "most frequent, indicator": (
        {"strategy": "MostFrequent", "indicator": True},
        [1.0, 1.0, 1, 0, 0, 1, 1, 1],
    ),
}


@pytest.mark.parametrize("case", FILLED)
def test_a_row_of_gaps_becomes_what_fills_them(case: str) -> None:
    """Numbers and booleans first, then the categories and the gap's own, then indicators."""
    imputer, expected = FILLED[case]

    made = fitted(imputer=imputer).columns_of(np.full((1, 3), NAN))

    assert made.tolist() == [expected]


def test_only_numbers_and_booleans_are_scaled() -> None:
    """A category's column stays 0 or 1."""
    made = fitted(scaler="Standard").columns_of(fitted().rows)

    np.testing.assert_allclose(made[:, :2].mean(axis=0), 0.0, atol=1e-12)
    assert set(made[:, 2:].ravel().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("encoder", "columns"),
    [
        ({}, 3),
        ({"minFrequency": 2}, 3),
        ({"minFrequency": 3}, 1),
        ({"maxCategories": 2}, 2),
    ],
)
def test_frequent_categories_have_a_column(encoder: dict[str, Any], columns: int) -> None:
    """The first ones that are in enough training rows; others and unseen ones are 0 in all."""
    made = fitted([TABLE[1], numbers("width", ROWS)], encoder=encoder)
    rows = np.array([[code, 0.5] for code in (0.0, 1.0, 2.0, UNSEEN)])
    one_hot = made.columns_of(rows)[:, 1:-1]  # the last column is the gap's own

    np.testing.assert_array_equal(one_hot, np.eye(4, columns))


def test_a_tie_of_categories_is_decided_by_the_alphabet() -> None:
    """Of booleans, false is filled in."""
    port = column("port", "Categorical", ["z", "a", "z", "a", None, None] * 2)
    member = column("member", "Boolean", [True, False, True, False, None, None] * 2)
    made = fitted([member, port], imputer={"strategy": "MostFrequent"})

    assert made.classifier.codec.features[1].categories == ("a", "z")
    assert made.columns_of(np.full((1, 2), NAN)).tolist() == [[0.0, 1.0, 0.0]]


def test_a_fold_without_a_category_has_the_same_columns() -> None:
    """Categories are the whole training table's, whatever rows a fold has."""
    made = fitted()
    fold = clone(made.pipeline).fit(made.fitted[:2], [0, 1])

    assert fold[-1].n_features_in_ == made.pipeline[-1].n_features_in_


def test_numbers_that_are_always_there_need_no_column_transformer() -> None:
    """Nor do booleans; a gap or a category does."""
    plain = fit_mixed([numbers("a", 40), flags("b", 40)], TREES).pipeline
    wider = fit_mixed([numbers("a", 40), categories("b", 40)], TREES).pipeline

    assert [name for name, _ in plain.steps] == ["scaler", "classifier"]
    assert isinstance(wider[0], ColumnTransformer)


def test_categories_that_are_all_rare_are_refused() -> None:
    """Nothing would be left to learn from."""
    feature = SignatureFeature(name="port", type="Categorical", categories=("a", "b"))
    spec = small_identity(pipeline={"encoder": {"minFrequency": 7}}).pipeline

    with pytest.raises(RunFailed, match=r"lower encoder\.minFrequency") as caught:
        make_pipeline(spec, [feature], np.array([[0.0], [1.0], [0.0]]), seed=0)
    assert caught.value.reason == "FeatureMissing"


def test_too_many_columns_of_categories_are_refused_with_the_remedy() -> None:
    """Products of one-hot columns are many."""
    names = tuple(f"c{place:02d}" for place in range(60))
    features = [SignatureFeature(name="port", type="Categorical", categories=names)]
    spec = small_identity(pipeline={"polynomialDegree": 3}).pipeline
    rows = np.arange(60.0)[:, None]

    with pytest.raises(RunFailed, match="makes 23425 columns of 1 features") as caught:
        make_pipeline(spec, features, rows, seed=0)
    assert "lower polynomialDegree, lower encoder.maxCategories or list fewer" in str(caught.value)


def test_the_largest_number_is_named_past_categories() -> None:
    """A category's code is no number, however far back it stands in the list."""
    made = fit_mixed(
        [categories("port", 40), numbers("a", 40, gaps=0.2), numbers("b", 40, seed=2)], TREES
    )
    encoding = encoding_of(preprocessor(made.pipeline), 3)

    assert encoding.largest(np.array([5.0, NAN, 1e30])) == 2
    assert encoding.largest(np.array([5.0, -1e30, 1.0])) == 1
