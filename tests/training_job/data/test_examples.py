"""Every way a table can be unfit is refused before any fit, with its own reason and a remedy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.training import small_identity, small_table

from taxon_training_job.data.examples import examine, numeric_rows
from taxon_training_job.failure import RunFailed

TARGET = {"uri": "s3://samples/small.csv", "target": "label"}
BINARY = small_table()


def with_column(name: str, values: Any, *, classes: int = 2) -> pd.DataFrame:
    """Return the small table with one column added or replaced."""
    return small_table(classes=classes).assign(**{name: values})


def listing(*features: str) -> dict[str, Any]:
    """Return a dataset that lists these features."""
    return {**TARGET, "features": [{"name": name} for name in features]}


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
        "has no column 'label': it has length, width, batch; correct target",
    ),
    "a feature is missing": (
        BINARY,
        listing("length", "depth"),
        "FeatureMissing",
        "has no column 'depth': correct features",
    ),
    "nothing is numeric": (
        BINARY[["label"]].assign(note="x"),
        TARGET,
        "FeatureMissing",
        "no numeric column besides the target",
    ),
    "everything is constant": (
        BINARY[["batch", "label"]],
        TARGET,
        "FeatureMissing",
        "every feature is constant",
    ),
    "a feature is text": (
        with_column("colour", "red"),
        listing("length", "colour"),
        "NonNumericFeature",
        "feature 'colour' is not numeric, row 1 holds 'red': encode it as numbers",
    ),
    "a feature is a date": (
        with_column("day", pd.Timestamp("2026-01-01")),
        listing("length", "day"),
        "NonNumericFeature",
        "feature 'day' is not numeric",
    ),
    "one value is text": (
        spoilt("wide"),
        listing("length", "width"),
        "NonNumericFeature",
        "feature 'width' is not numeric, row 3 holds 'wide'",
    ),
    "a value is missing": (
        spoilt(np.nan),
        TARGET,
        "MissingValues",
        "feature 'width' has 1 missing values, the first in row 3: fill them",
    ),
    "a value is a word for missing": (
        spoilt(" N/A "),
        TARGET,
        "MissingValues",
        "feature 'width' has 1 missing values, the first in row 3",
    ),
    "a value is infinite": (
        spoilt(-np.inf),
        TARGET,
        "InfiniteValues",
        "feature 'width' is infinite or beyond float32 in row 3",
    ),
    "a value is beyond float32": (
        spoilt(1e39),
        TARGET,
        "InfiniteValues",
        "feature 'width' is infinite or beyond float32 in row 3",
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
        "target 'label' holds only the class benign: add rows of at least two classes",
    ),
    "there are no rows": (BINARY.iloc[:0], TARGET, "SingleClass", "holds no rows"),
    "labels are fractions": (
        BINARY.assign(label=BINARY["width"]),
        TARGET,
        "LabelsNotDiscrete",
        "holds fractions or numbers beyond 64 bits",
    ),
    "labels are too large for integers": (
        BINARY.assign(label=np.where(TWO == 0, 1e300, 2e300)),
        TARGET,
        "LabelsNotDiscrete",
        "text or integer labels",
    ),
    "the positive class is not there": (
        BINARY,
        {**TARGET, "positiveClass": "evil"},
        "ClassMissing",
        "positiveClass 'evil' is not among the classes benign, malignant",
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
        examine(table, small_identity(dataset=dataset))

    assert (caught.value.reason, sentence in caught.value.message) == (reason, True), (
        caught.value.message
    )


def test_a_copy_in_text_is_not_used() -> None:
    """A text column is no feature, so a copy in words cannot be learned from."""
    examples = examine(with_column("diagnosis", BINARY["label"]), small_identity())

    assert "diagnosis" not in examples.features
    assert "diagnosis" in examples.ignored


def test_a_feature_that_merely_separates_the_classes_is_kept() -> None:
    """Real measurements may do that; only a copy takes one value per class."""
    examples = examine(with_column("hint", TWO + np.linspace(0, 0.4, len(TWO))), small_identity())

    assert "hint" in examples.features


def test_a_constant_feature_stays_in_the_signature_and_is_not_fitted() -> None:
    """Accepted and ignored."""
    examples = examine(BINARY, small_identity())

    assert examples.features == ("length", "width", "batch")
    assert examples.constant == ("batch",)
    assert [examples.features[index] for index in examples.kept] == ["length", "width"]


def test_listed_features_keep_their_order() -> None:
    """The signature is the spec's."""
    examples = examine(BINARY, small_identity(dataset=listing("width", "length")))

    assert examples.features == ("width", "length")
    assert examples.ignored == ("batch",)


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
    examples = examine(table, small_identity())

    assert examples.classes == classes
    assert [type(label) for label in examples.classes] == [type(classes[0])] * len(classes)
    assert [str(label) for label in examples.labels] == [
        str(int(v) if isinstance(v, float) else v) for v in labels
    ]


def test_zero_has_one_form() -> None:
    """Rows that are equal hash alike."""
    rows = numeric_rows(pd.DataFrame({"x": [-0.0, 0.0]}), ("x",))

    assert not np.signbit(rows).any()


def test_too_many_numeric_columns_must_be_listed() -> None:
    """The bound is the one of dataset.features."""
    wide = pd.DataFrame(np.arange(2002.0).reshape(2, 1001)).rename(columns=str)

    with pytest.raises(RunFailed, match="list at most 1000 in features") as caught:
        examine(wide.assign(label=["a", "b"]), small_identity())
    assert caught.value.reason == "TooManyFeatures"
