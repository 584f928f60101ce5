"""Every way a table can be unfit is refused before any fit, with its own reason and a remedy."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.training import small_identity, small_table

from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.examples import examine
from taxon_training_job.data.parquet_table import parquet_columns
from taxon_training_job.data.table import Table
from taxon_training_job.failure import RunFailed

TARGET = {"uri": "s3://samples/small.csv", "target": "label"}
BINARY = small_table()


def with_column(name: str, values: Any, *, classes: int = 2) -> pd.DataFrame:
    """Return the small table with one column added or replaced."""
    return small_table(classes=classes).assign(**{name: values})


def listing(*features: str, **types: str) -> dict[str, Any]:
    """Return a dataset that lists these features, some with their types."""
    typed = [{"name": name, "type": kind} for name, kind in types.items()]
    return {**TARGET, "features": [*({"name": name} for name in features), *typed]}


def table_of(frame: pd.DataFrame, other: dict[str, str]) -> Table:
    """Return a table of columns that were read."""
    return Table(frame, "sha256:" + "0" * 64, other)


def as_read(frame: pd.DataFrame) -> Table:
    """Return a frame as it is read from a CSV file."""
    return table_of(*csv_columns(frame.to_csv(index=False).encode(), "label"))


def as_typed(frame: pd.DataFrame) -> Table:
    """Return a frame as it is read from a Parquet file."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return table_of(*parquet_columns(buffer.getvalue(), "label"))


def spoilt(value: Any, row: int = 2) -> pd.DataFrame:
    """Return the small table with one value of ``width`` replaced."""
    table = BINARY.astype({"width": object}) if isinstance(value, str) else BINARY.copy()
    table.loc[row, "width"] = value
    return table


CODED = {label: code for code, label in enumerate(("benign", "malignant", "unsure"))}
THREE = small_table(classes=3)["label"].map(CODED)
TWO = BINARY["label"].map(CODED)
REFUSED: dict[str, tuple[pd.DataFrame, dict[str, Any], str, str]] = {
    "the target is missing": (
        BINARY.drop(columns="label"),
        TARGET,
        "TargetMissing",
        "has no column 'label': it has 'length', 'width', 'batch'; correct target",
    ),
    "a feature is missing": (
        BINARY,
        listing("length", "depth"),
        "FeatureMissing",
        "has no column 'depth': correct features",
    ),
    "nothing is a feature by itself": (
        BINARY[["label"]].assign(day="2026-01-01", note=[f"note {n}" for n in range(120)]),
        TARGET,
        "FeatureMissing",
        "or list features; left out: 'day' (dates or times), 'note' (free text)",
    ),
    "everything is constant": (
        BINARY[["batch", "label"]],
        TARGET,
        "FeatureMissing",
        "every feature is constant",
    ),
    "a feature listed as numbers is text": (
        with_column("colour", "red"),
        listing("length", colour="Numeric"),
        "NonNumericFeature",
        "not numeric: 'colour' (text); correct the cells",
    ),
    "a feature is a date": (
        with_column("day", pd.Timestamp("2026-01-01")),
        listing("length", "day"),
        "UnsupportedFeature",
        "not usable as features: 'day' (dates or times); derive numbers or categories",
    ),
    "a feature is missing everywhere": (
        with_column("empty", ""),
        listing("length", "empty"),
        "MissingValues",
        "no values: 'empty' (every cell is missing); fill them in",
    ),
    "one value is text": (
        spoilt("wide"),
        listing("length", "width"),
        "NonNumericFeature",
        "not numeric: 'width' (numeric but for 1 of 120 cells, in row 3)",
    ),
    "a value is infinite": (
        spoilt(-np.inf),
        TARGET,
        "InfiniteValues",
        "infinite or beyond float32: 'width' in row 3",
    ),
    "a value is beyond float32": (
        spoilt(1e39),
        TARGET,
        "InfiniteValues",
        "infinite or beyond float32: 'width' in row 3",
    ),
    "a label is missing": (
        BINARY.assign(label=BINARY["label"].where(BINARY.index != 4)),
        TARGET,
        "MissingValues",
        "target 'label' is missing in row 5: leave unlabelled rows out",
    ),
    "there is one class": (
        BINARY.assign(label="benign"),
        TARGET,
        "SingleClass",
        "target 'label' contains one class only: add rows of at least two classes",
    ),
    "there are no rows": (BINARY.iloc[:0], TARGET, "SingleClass", "contains no rows"),
    "labels are fractions": (
        BINARY.assign(label=BINARY["width"]),
        TARGET,
        "LabelsNotDiscrete",
        "holds fractions or floats beyond 64 bits",
    ),
    "a label is infinite": (
        BINARY.assign(label=np.where(TWO == 0, np.inf, 2.0)),
        TARGET,
        "LabelsNotDiscrete",
        "text or integer labels",
    ),
    "the positive class is not there": (
        BINARY,
        {**TARGET, "positiveClass": "evil"},
        "ClassMissing",
        "positiveClass 'evil' is neither of the target's two classes: write it exactly",
    ),
    "a positive class of three": (
        small_table(classes=3),
        {**TARGET, "positiveClass": "benign"},
        "InvalidRun",
        "the target has 3 classes: positiveClass and threshold are for two",
    ),
    "a copy of the target": (with_column("code", TWO), TARGET, "FeatureCopiesTarget", "'code'"),
    "a scaled copy": (
        with_column("code", 0.1 * TWO + 0.3),
        TARGET,
        "FeatureCopiesTarget",
        "feature 'code' is a copy of the target 'label': leave it out of features",
    ),
    "a negated copy": (with_column("code", -TWO), TARGET, "FeatureCopiesTarget", "'code'"),
    "a recoded copy of three classes": (
        with_column("code", THREE.map({0: 7, 1: -1, 2: 3}), classes=3),
        TARGET,
        "FeatureCopiesTarget",
        "'code'",
    ),
    "a copy of an integer target": (
        BINARY.assign(label=TWO * 5 - 3, code=TWO),
        TARGET,
        "FeatureCopiesTarget",
        "'code'",
    ),
    "a boolean copy": (with_column("code", TWO == 1), TARGET, "FeatureCopiesTarget", "'code'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_unfit_table_is_refused(case: str) -> None:
    """Each fault has its own reason and one sentence that says what to change."""
    table, dataset, reason, sentence = REFUSED[case]
    with pytest.raises(RunFailed) as caught:
        examine(as_read(table), small_identity(dataset=dataset))

    assert (caught.value.reason, sentence in caught.value.message) == (reason, True), (
        caught.value.message
    )


@pytest.mark.parametrize("value", [" ", "N/A"])
def test_a_cell_that_is_filled_in_for_one_class_only_is_a_copy(value: str) -> None:
    """That it is missing tells the class."""
    hint = BINARY["label"].map({"benign": value, "malignant": "B"})

    with pytest.raises(RunFailed, match="'hint' is a copy of the target"):
        examine(as_read(with_column("hint", hint)), small_identity())


REFUSING = {"imputer": {"strategy": "None"}}


def test_gaps_end_a_run_that_is_told_to_refuse_them() -> None:
    """Whatever the type; each column is named with its rows."""
    gaps = BINARY.assign(
        width=BINARY["width"].where(BINARY.index != 2),
        port=["Cork", " n/a ", "", "Brest"] * 30,
        member=["TRUE", "false", "-"] * 40,
    )
    with pytest.raises(RunFailed) as caught:
        examine(as_read(gaps), small_identity(pipeline=REFUSING))

    assert caught.value.reason == "MissingValues"
    assert (
        "missing values: 'width' in row 3, 'port' in 60 rows (2, 3, 6, 7, 10 and 55 more),"
        " 'member' in 40 rows (3, 6, 9, 12, 15 and 35 more); fill them" in caught.value.message
    )


def test_gaps_are_fine_otherwise() -> None:
    """By default, and with any other strategy."""
    gaps = as_read(spoilt(" N/A "))

    for pipeline in ({}, {"imputer": {"strategy": "Median"}}):
        columns = examine(gaps, small_identity(pipeline=pipeline)).columns
        assert [column.has_gaps for column in columns] == [False, True, False]


@pytest.mark.parametrize(
    ("imputer", "kept"),
    [
        (None, ["port", "spread"]),
        ({"strategy": "Median"}, ["port", "spread"]),
        ({"strategy": "MostFrequent"}, ["spread"]),
        ({"strategy": "MostFrequent", "indicator": True}, ["seven", "port", "spread"]),
        ({"strategy": "Constant", "value": 7}, ["port", "spread"]),
        ({"strategy": "Constant"}, ["seven", "port", "spread"]),
    ],
    ids=str,
)
def test_a_column_that_is_constant_once_its_gaps_are_filled_is_not_fitted(
    imputer: Any, kept: list[str]
) -> None:
    """One value and gaps are two values only where the gap leaves a trace."""
    table = pd.DataFrame(
        {
            "seven": [7, None, 7, 7, None, 7],
            "port": ["Cork", "Cork", None, None, "Cork", None],
            "spread": [1, 2, 3, None, 5, 6],
            "label": list("abbaab"),
        }
    )
    pipeline = {} if imputer is None else {"imputer": imputer}
    examples = examine(as_read(table), small_identity(pipeline=pipeline))

    assert [examples.features[index] for index in examples.kept] == kept


def test_categories_of_four_mebibytes_are_too_many() -> None:
    """Every server holds them; the message has the features with the most text."""
    ids = [f"{n:08d}" + "x" * 240 for n in range(20_000)]
    table = pd.DataFrame({"x": range(20_000), "id": ids, "label": ["a", "b"] * 10_000})
    with pytest.raises(RunFailed) as caught:
        examine(as_read(table), small_identity(dataset=listing("x", id="Categorical")))

    assert caught.value.reason == "TooManyCategories"
    assert "more than 4 MiB of text: leave out features with many: 'id' (20000)" in str(
        caught.value
    )


def test_a_feature_that_merely_separates_the_classes_is_kept() -> None:
    """Real measurements may do that; only a copy takes one value per class."""
    examples = examine(
        as_read(with_column("hint", TWO + np.linspace(0, 0.4, len(TWO)))), small_identity()
    )

    assert "hint" in examples.features


def test_a_constant_feature_stays_in_the_signature_and_is_not_fitted() -> None:
    """Accepted and ignored."""
    examples = examine(as_read(BINARY), small_identity())

    assert examples.features == ("length", "width", "batch")
    assert examples.constant == ("batch",)
    assert [examples.features[index] for index in examples.kept] == ["length", "width"]


def test_listed_features_keep_their_order() -> None:
    """The signature is the spec's."""
    examples = examine(as_read(BINARY), small_identity(dataset=listing("width", "length")))

    assert examples.features == ("width", "length")
    assert [str(column) for column in examples.left_out] == ["'batch' (not listed in features)"]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([3, -2, 3, 0], (-2, 0, 3)),
        ([1.0, 0.0, 1.0, 0.0], (0, 1)),
        ([True, False, True, False], ("False", "True")),
        (["é", "z", "日本", "z"], ("z", "é", "日本")),
        (["10", "9", "x", "9"], ("10", "9", "x")),
    ],
    ids=["negative", "whole floats", "booleans", "unicode", "text"],
)
def test_labels_are_integers_or_text_in_sorted_order(labels: Any, classes: Any) -> None:
    """The order of the classes is the order of the probabilities."""
    table = pd.DataFrame({"x": [1.0, 2.0, 3.5, 4.0], "label": labels})
    examples = examine(as_typed(table), small_identity())

    assert examples.classes == classes
    assert [type(label) for label in examples.classes] == [type(classes[0])] * len(classes)
    assert [str(label) for label in examples.labels] == [
        str(int(v) if isinstance(v, float) else v) for v in labels
    ]


def test_zero_and_missing_have_one_form() -> None:
    """Rows that are equal hash alike."""
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], dtype=np.uint64).view(np.float64)
    table = pd.DataFrame({"x": [-0.0, 0.0, *odd], "y": [1.0, 2.0, 3.0, 4.0], "label": list("abab")})
    (column, _) = examine(as_typed(table), small_identity()).columns

    assert column.values.tobytes() == np.array([0.0, 0.0, np.nan, np.nan]).tobytes()  # noqa: PD011 - no frame


def test_too_many_columns_must_be_listed() -> None:
    """The bound is the one of dataset.features."""
    wide = pd.DataFrame(np.arange(2002.0).reshape(2, 1001)).rename(columns=str)
    wide = wide.assign(**{str(n): ["x", "y"] for n in range(500)})

    with pytest.raises(RunFailed, match="list at most 1000 in features") as caught:
        examine(as_read(wide.assign(label=["a", "b"])), small_identity())
    assert caught.value.reason == "TooManyFeatures"
