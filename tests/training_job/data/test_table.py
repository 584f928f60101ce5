"""Tables are read exactly, from a path or S3; a broken one is reported with its line."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from taxon_bundle.location import open_store
from taxon_bundle.storage import StorageUnavailable
from taxon_contracts.canonical import sha256_digest
from taxon_training_job.data.table import read_table
from taxon_training_job.failure import RunFailed


def parquet(frame: pd.DataFrame) -> bytes:
    """Return a frame as a Parquet file."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


FRAME = pd.DataFrame({"x": [1.5, -2.0], "label": ["a", "b"]})
FILES = {"csv": b"x,label\n1.5,a\n-2.0,b\n", "parquet": parquet(FRAME)}


def written(folder: Path, content: bytes | str, name: str = "table.csv") -> str:
    """Write a table; return its path."""
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(file)


@pytest.mark.parametrize("kind", FILES)
def test_a_table_is_read_from_a_path(tmp_path: Path, kind: str) -> None:
    """CSV and Parquet hold the same table."""
    table = read_table(written(tmp_path, FILES[kind], f"table.{kind}"), "label")

    assert table.frame["x"].tolist() == [1.5, -2.0]
    assert table.frame["label"].tolist() == ["a", "b"]


@pytest.mark.parametrize("kind", FILES)
def test_a_table_is_read_from_object_storage(s3_bucket: str, kind: str) -> None:
    """From a real S3 server, with the digest of its bytes."""
    open_store(f"s3://{s3_bucket}/").write(f"data/table.{kind}", FILES[kind])
    table = read_table(f"s3://{s3_bucket}/data/table.{kind}", "label")

    assert table.frame["label"].tolist() == ["a", "b"]
    assert table.digest == sha256_digest(FILES[kind])


def test_a_table_that_is_not_there_is_final(s3_bucket: str, tmp_path: Path) -> None:
    """A mistyped URI does not fix itself."""
    for source in (f"s3://{s3_bucket}/none.csv", f"{tmp_path}/none.csv"):
        with pytest.raises(RunFailed, match="does not exist") as caught:
            read_table(source, "label")
        assert caught.value.reason == "DatasetNotFound"


def test_storage_that_does_not_answer_is_no_fault_of_the_table(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is worth another attempt."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageUnavailable):
        read_table(f"s3://{s3_bucket}/table.csv", "label")


def test_an_unknown_scheme_is_reported_with_the_known_ones() -> None:
    """There is no table there, whatever attempt asks."""
    with pytest.raises(RunFailed, match="use s3://"):
        read_table("https://example.com/table.csv", "label")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_numbers_are_read_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float]
) -> None:
    """The split hashes them, so nearly is not enough."""
    source = written(
        tmp_path_factory.mktemp("exact"), "x,y\n" + "".join(f"{n!r},z\n" for n in numbers)
    )

    read = read_table(source, "label").frame["x"].to_numpy(dtype=np.float64)
    assert np.array_equal(read, np.array(numbers))


BROKEN: dict[str, tuple[bytes | str, str]] = {
    "a line too short": ("a,b\n1,2\n3\n", "line 3 has 1 fields, the header 2"),
    "a line too long": ("a,b\n1,2\n\n3,4,5\n", "line 4 has 3 fields, the header 2"),
    "a later line, quoted newlines before": (
        'a,b\n"x\ny",2\n3\n',
        "line 4 has 1 fields, the header 2",
    ),
    "an open quote": ('a,b\n1,2\n"3,4\n5,6\n', "line 3 is broken"),
    "text after a quote": ('a,b\n1,"2"3\n', "line 2 is broken"),
    "no UTF-8": (b"a,b\n1,2\n\xff,3\n", "line 3 is not UTF-8"),
    "nothing": ("", "it is empty"),
    "blank lines only": ("\n\n", "it is empty"),
    "a column twice": ("a,a\n1,2\n", "column 'a' appears twice"),
    "semicolons": ("a;b\n1;2\n", "line 1 is separated by semicolons: use commas"),
    "tabs": ("a\tb\n1\t2\n", "line 1 is separated by tabs: use commas"),
    "two bytes a sign": ("a,b\n1,2\n".encode("utf-16"), "line 1 is not UTF-8"),
    "a column without a name": ("a,\n1,2\n", "column 2 has no name"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_csv_is_reported_with_its_line(tmp_path: Path, case: str) -> None:
    """The file, the line, and that it is the table to fix."""
    content, sentence = BROKEN[case]
    with pytest.raises(RunFailed, match=sentence) as caught:
        read_table(written(tmp_path, content), "label")
    assert caught.value.reason == "DatasetUnreadable"
    assert "table.csv" in caught.value.message
    assert caught.value.message.endswith("fix the table")


@pytest.mark.parametrize("spoil", [lambda c: c[:0], lambda c: c[:-9], lambda c: c[:40] + c[60:]])
def test_a_broken_parquet_is_the_tables_fault(tmp_path: Path, spoil: object) -> None:
    """Whatever the library raises, the run ends for good."""
    content = spoil(FILES["parquet"])  # type: ignore[operator]  # one of the three above
    with pytest.raises(RunFailed) as caught:
        read_table(written(tmp_path, content, "table.parquet"), "label")
    assert caught.value.reason == "DatasetUnreadable"


def test_a_parquet_with_a_name_twice_is_refused_with_the_name(tmp_path: Path) -> None:
    """As a CSV file is."""
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    buffer = io.BytesIO()
    pq.write_table(twice, buffer)
    with pytest.raises(RunFailed, match="column 'x' appears twice"):
        read_table(written(tmp_path, buffer.getvalue(), "table.parquet"), "label")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way_and_names_may_hold_line_ends(tmp_path: Path, end: str) -> None:
    """Blank lines are no rows."""
    lines = ["", '"x', 'y",label', "1,a", "", '2,"b', 'c"', ""]
    frame = read_table(written(tmp_path, end.join(lines)), "label").frame

    assert list(frame.columns) == [f"x{end}y", "label"]
    assert frame.iloc[:, 0].tolist() == [1, 2]
    assert frame["label"].tolist() == ["a", f"b{end}c"]


def test_a_zone_or_date_that_nobody_knows_is_text(tmp_path: Path) -> None:
    """No guess is made at the dates of a CSV file."""
    lines = "day,label\n2026-01-01T00:00:00[Mars/Phobos],a\n2026-13-45 MARST,b\n"
    frame = read_table(written(tmp_path, lines), "label").frame

    assert frame["day"].tolist() == ["2026-01-01T00:00:00[Mars/Phobos]", "2026-13-45 MARST"]


def test_names_that_look_alike_are_refused_by_their_places(tmp_path: Path) -> None:
    """Nobody can tell them apart, in a YAML or in a request."""
    names = ("x", "\u00e9t\u00e9", "label", "e\u0301te\u0301")
    frame = pd.DataFrame([(1, 2, "a", 3)], columns=names)
    sentence = "columns 2 and 4 have names that only differ in their form of Unicode"

    for name, content in (
        ("table.csv", frame.to_csv(index=False)),
        ("table.parquet", parquet(frame)),
    ):
        with pytest.raises(RunFailed, match=sentence) as caught:
            read_table(written(tmp_path, content, name), "label")
        assert caught.value.reason == "DatasetUnreadable"


def test_any_flipped_byte_of_a_parquet_is_read_or_refused(tmp_path: Path) -> None:
    """No other error comes out of the library."""
    content = bytearray(FILES["parquet"])
    for place in range(0, len(content), 23):
        spoilt = bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            read_table(written(tmp_path, spoilt, "table.parquet"), "label")
        except RunFailed as failure:
            assert failure.reason == "DatasetUnreadable"  # noqa: PT017 - reading it is right too


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    """The name says what a table is."""
    with pytest.raises(RunFailed, match=r"name it \.csv or \.parquet"):
        read_table(written(tmp_path, "a,b\n", "table.xlsx"), "label")


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    """As spreadsheets write it."""
    frame = read_table(written(tmp_path, b"\xef\xbb\xbfx,label\r\n1,a\r\n"), "label").frame

    assert list(frame.columns) == ["x", "label"]
