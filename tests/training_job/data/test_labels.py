"""Labels of a CSV file are its text; those of a Parquet file are its values."""

import io
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from support.training import small_identity

from taxon_bundle.codec import MISSING_WORDS
from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.examples import examine
from taxon_training_job.data.labels import classes_of
from taxon_training_job.data.parquet_table import parquet_columns
from taxon_training_job.data.table import Table
from taxon_training_job.failure import RunFailed

DIGEST = "sha256:" + "0" * 64


def csv_table(*labels: str) -> Table:
    """Return a CSV table with these labels, written as they are."""
    lines = "".join(f"{row},{label}\n" for row, label in enumerate(labels))
    frame, other = csv_columns(f"x,label\n{lines}".encode(), "label")
    return Table(frame, DIGEST, other)


def parquet_table(labels: pa.Array) -> Table:
    """Return a Parquet table with these labels."""
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"x": pa.array(range(len(labels))), "label": labels}), buffer)
    frame, other = parquet_columns(buffer.getvalue(), "label")
    return Table(frame, DIGEST, other)


def labels_of(table: Table) -> list[Any]:
    """Return each row's class."""
    classes, target = classes_of(table, small_identity())
    return [classes[position] for position in target]


def refusal(table: Table, **dataset: Any) -> RunFailed:
    """Return how a table's target is refused."""
    dataset = {"uri": "s3://samples/small.csv", "target": "label", **dataset}
    with pytest.raises(RunFailed) as caught:
        classes_of(table, small_identity(dataset=dataset))
    return caught.value


@pytest.mark.parametrize(
    "labels",
    [
        ("001", "002", "01"),
        ("1e3", "2e3"),
        ("true", "false"),
        ("TRUE", "True"),
        ("1.0", "0.0"),
        ("+1", "-1"),
        ("-0", "1"),
        ("1", "2", "x"),
        ("18446744073709551616", "1"),
        ("9" * 5000, "1"),
        ("0x1", "1"),
        (" yes", "yes"),
        ("inf", "x"),
    ],
)
def test_labels_of_a_csv_are_the_text_of_the_file(labels: tuple[str, ...]) -> None:
    """No two labels that are written differently become one."""
    assert labels_of(csv_table(*labels)) == list(labels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("10", "9", "-2"), [10, 9, -2]),
        (('"0"', "1"), [0, 1]),
        ((" 1", "0 "), [1, 0]),
        (("9223372036854775807", "-9223372036854775808"), [2**63 - 1, -(2**63)]),
    ],
    ids=["signs", "quoted", "spaces around", "the largest"],
)
def test_labels_are_integers_where_each_is_written_as_one(labels: Any, expected: Any) -> None:
    """They are then sorted as numbers."""
    assert labels_of(csv_table(*labels)) == expected


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8),
        min_size=2,
        max_size=12,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_label_comes_back_as_it_was_written(labels: list[str]) -> None:
    """Through quoting, unusual line ends and signs; integers come back as integers."""
    quoted = [f'"{label.replace(chr(34), chr(34) * 2)}"' for label in labels]
    try:
        read = labels_of(csv_table(*quoted))
    except RunFailed as failure:
        assert failure.reason in {"MissingValues", "SingleClass", "LabelsNotDiscrete"}  # noqa: PT017 - refusing it is right too
        return
    if isinstance(read[0], int):
        assert read == [int(label) for label in labels]
        assert [str(label) for label in read] == [label.strip() for label in labels]
    else:
        assert read == labels


@pytest.mark.parametrize("word", ["NaN", " n/a ", "null", "None", "?", "-", "", "  "])
def test_a_word_for_missing_is_a_missing_label(word: str) -> None:
    """As it is a missing value of a feature; the rows are named."""
    failure = refusal(csv_table("0", "1", word, "0", word))

    assert failure.reason == "MissingValues"
    assert (
        "target 'label' is missing in 2 rows (3, 5): leave unlabelled rows out" in failure.message
    )
    assert all(known in failure.message for known in MISSING_WORDS)


@pytest.mark.parametrize("labels", [("0.5", "1"), ("1e-3", "2"), ("inf", "1")])
def test_numbers_that_are_no_classes_are_refused(labels: tuple[str, ...]) -> None:
    """A classifier is not the tool for them."""
    assert refusal(csv_table(*labels)).reason == "LabelsNotDiscrete"


TYPED: dict[str, tuple[pa.Array, list[Any]]] = {
    "integers": (pa.array([3, -2], pa.int8()), [3, -2]),
    "integers beyond 64 bits": (pa.array([2**63, 1], pa.uint64()), [str(2**63), "1"]),
    "whole floats": (pa.array([1.0, 0.0]), [1, 0]),
    "booleans": (pa.array([True, False]), ["True", "False"]),
    "text of digits": (pa.array(["01", "1"]), ["01", "1"]),
    "a dictionary of text": (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    "whole decimals": (pa.array([Decimal("1.00"), Decimal("2.00")]), [1, 2]),
    "long decimals": (pa.array([Decimal(10**25), Decimal(1)]), [str(10**25), "1"]),
    "dates": (pa.array([date(2026, 1, 1), date(2026, 1, 2)]), ["2026-01-01", "2026-01-02"]),
    "times with a zone": (
        pa.array([datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (1, 2)]),
        ["2026-01-01 01:00:00+00:00", "2026-01-01 02:00:00+00:00"],
    ),
}


@pytest.mark.parametrize("case", TYPED)
def test_typed_labels_are_their_values(case: str) -> None:
    """Integers stay integers; anything else that is discrete becomes its usual text."""
    labels, expected = TYPED[case]

    assert labels_of(parquet_table(labels)) == expected


UNFIT: dict[str, tuple[pa.Array, str]] = {
    "bytes": (pa.array([b"a", b"b"]), "binary data"),
    "views of bytes": (pa.array([b"a", b"b"], pa.binary_view()), "binary data"),
    "lists": (pa.array([[1], [2]]), "nested values"),
    "an unknown time zone": (
        pa.array([datetime(2026, 1, 1)] * 2, pa.timestamp("us", tz="Mars/Phobos")),  # noqa: DTZ001 - Arrow adds the zone
        "dates or times",
    ),
    "fractions": (pa.array([Decimal("1.5"), Decimal(2)]), "fractions"),
    "floats beyond 64 bits": (pa.array([1e300, 2.0]), "fractions or floats beyond 64 bits"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_target_that_holds_no_labels_is_named_with_what_it_holds(case: str) -> None:
    """And the run ends for good."""
    labels, sentence = UNFIT[case]
    failure = refusal(parquet_table(labels))

    assert (failure.reason, failure.exit_code) == ("LabelsNotDiscrete", 65)
    assert f"target 'label' holds {sentence}" in failure.message


def test_an_unknown_positive_class_is_refused_without_the_labels() -> None:
    """Conditions and Events are read by people who may not read the table."""
    failure = refusal(csv_table("01", "02"), positiveClass="1")

    assert failure.reason == "ClassMissing"
    assert "positiveClass '1' is neither of the target's two classes" in failure.message
    assert "01" not in failure.message


def test_a_table_without_a_header_is_refused_without_its_first_row() -> None:
    """Its first row is read as names."""
    frame, other = csv_columns(b"1.5,secret\n2.5,b\n", "label")
    failure = refusal(Table(frame, DIGEST, other))

    assert failure.reason == "TargetMissing"
    assert "its first line contains numbers instead of names" in failure.message
    assert "secret" not in failure.message


def test_text_labels_cost_what_they_hold() -> None:
    """One long label among thousands of short ones does not set the width of all."""
    table = csv_table("L" * 20_000, *(("a", "b") * 1_000))
    tracemalloc.start()
    try:
        labels = examine(table, small_identity()).labels
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(labels) == 2_001
    assert peak < 2 * 2**20
