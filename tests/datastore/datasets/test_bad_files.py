"""Files that are no tables, or almost: the right rows, or a sentence that names the place."""

import io
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import Engine

from taxon_datastore.datasets import csv_source
from taxon_datastore.datasets.csv_lines import BadTable
from taxon_datastore.datasets.fetch import fetch_table
from taxon_datastore.datasets.load import load
from taxon_datastore.datasets.versions import dataset_versions
from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.parquet_table import parquet_columns

CASES = Path(__file__).parent / "cases"


def parquet_bytes(**columns: pa.Array) -> bytes:
    """Return a Parquet file."""
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


NUMBER = pa.array([1])
WHOLE = parquet_bytes(x=pa.array([1.0] * 50), label=pa.array(["a"] * 50))
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing at all": (b"", "it is empty"),
    "blank lines": (b"\n\n", "it is empty"),
    "a header alone": (b"x,label\n", "it has a header and no rows: add rows"),
    "Latin-1": (b"x,label\n1,a\n2,caf\xe9\n", "line 3 is not UTF-8"),
    "UTF-16": ("x,label\n1,a\n".encode("utf-16"), "line 1 is not UTF-8"),
    "a cut character": (b"x,label\n1,caf\xc3", "line 2 is not UTF-8"),
    "two columns of a name": (b"x,x,label\n1,2,a\n", "column 'x' appears twice"),
    "a column without a name": (b"x,,label\n1,2,a\n", "column 2 has no name"),
    "a delimiter behind the header": (b"x,label,\n1,a,\n", "column 3 has no name"),
    "a delimiter behind a row": (b"x,label\n1,a,\n", "line 2 has 3 fields, the header 2"),
    "a short row": (b'x,label\n"1\n2",a\n3\n', "line 4 has 1 fields, the header 2"),
    "thousands separators, bare": (b"x,label\n1,234,a\n", "line 2 has 3 fields, the header 2"),
    "semicolons": (b"x;label\n1;a\n", "line 1 is separated by semicolons: use commas"),
    "one column": (b"label\na\n", "it has one column: a target and at least one feature are two"),
    "an open quote": (b'x,label\n1,"a\n2,b\n', "line 2 is broken"),
    "a NUL": (b"x,label\n1,a\n2,b\0\n", "line 3, column 'label' contains a NUL character"),
    "a NUL in the header": (b"x,la\0bel\n1,a\n", "line 1, column 'la.bel' contains a NUL"),
}
REFUSED_PARQUET: dict[str, tuple[bytes, str]] = {
    "no Parquet": (b"x,label\n1,a\n", "Parquet"),
    "cut in the middle": (WHOLE[: len(WHOLE) // 2], "Parquet"),
    "a NUL": (
        parquet_bytes(x=pa.array([1, 2]), label=pa.array(["a", "b\0"])),
        "row 2, column 'label' contains a NUL character: remove it",
    ),
    "a cell beyond the limit": (
        parquet_bytes(x=pa.array([1]), label=pa.array(["a" * 1_048_577])),
        "row 1, column 'label' is longer than 1,048,576 characters: shorten it",
    ),
    "names that look the same": (
        parquet_bytes(
            **dict.fromkeys(("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\u0301"), NUMBER)
        ),
        "columns 1 and 2 have names that only differ in their form of Unicode",
    ),
    "no rows": (parquet_bytes(x=pa.array([], pa.int64())), "add rows"),
}


def refusal(database: Engine, file: Path) -> str:
    """Return why a file is refused, once nothing of it is stored."""
    name = f"d{uuid4().hex}"
    with pytest.raises(BadTable) as caught:
        load(database, file, namespace="default", name=name)
    assert dataset_versions(database, namespace="default", name=name).versions == ()
    return str(caught.value)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_broken_csv_is_refused_by_its_line(database: Engine, tmp_path: Path, kind: str) -> None:
    """Or by its column; and nothing is stored."""
    content, sentence = REFUSED[kind]
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    assert sentence.replace("la.bel", "la\\x00bel") in refusal(database, file)


@pytest.mark.parametrize("kind", REFUSED_PARQUET)
def test_a_broken_parquet_is_refused(database: Engine, tmp_path: Path, kind: str) -> None:
    """By row and column where one is at fault; and nothing is stored."""
    content, sentence = REFUSED_PARQUET[kind]
    file = tmp_path / "table.parquet"
    file.write_bytes(content)
    assert sentence in refusal(database, file)


@pytest.mark.parametrize("name", ["table.xlsx", "table", "table.csv.gz"])
def test_another_format_is_refused_by_its_suffix(
    database: Engine, tmp_path: Path, name: str
) -> None:
    """It would be read as something it is not."""
    (tmp_path / name).write_bytes(b"x,label\n1,a\n")
    assert "must end with .csv or .parquet" in refusal(database, tmp_path / name)


@pytest.mark.parametrize("name", ["Cards", "1a", "a_b", "a" * 64, "a-"])
def test_a_name_that_models_cannot_use_is_refused(
    database: Engine, tmp_path: Path, name: str
) -> None:
    """Its characters are those of Kubernetes."""
    (tmp_path / "table.csv").write_bytes(b"x,label\n1,a\n")
    with pytest.raises(BadTable, match="cannot name a data set: use up to 63 of a-z"):
        load(database, tmp_path / "table.csv", namespace="default", name=name)


class Endless(io.RawIOBase):
    """A file whose second line is one endless field."""

    def __init__(self, begin: bytes, field: bytes) -> None:
        self._head, self._field, self.given = b"x,label\n1," + begin, field, 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return more of it."""
        block, self._head = self._head or self._field * (size // len(self._field)), b""
        self.given += len(block)
        return block


@pytest.mark.parametrize(("begin", "field"), [(b"", b"a"), (b'"', b"a"), (b'"', b"a\n")])
def test_a_gigabyte_in_one_field_is_refused_before_it_is_read(begin: bytes, field: bytes) -> None:
    """Bare or behind a quote that is never closed, on one line or on many."""
    file = Endless(begin, field)
    source = csv_source.csv_source(file)  # type: ignore[arg-type]  # what is read of a file
    with pytest.raises(BadTable, match=r"line 2 (is broken \(field larger|has 16,777,216)"):
        list(source.parts)
    assert file.given < 20 * 1024 * 1024


ACCEPTED: dict[str, bytes] = {
    "a byte order mark": b"\xef\xbb\xbfx,label\n1,a\n",
    "CRLF": b"x,label\r\n1,a\r\n2,b\r\n",
    "quoted line breaks": b'x,label\n"1\r\n2",a\n"\n",b\n',
    "thousands separators, quoted": b'x,label\n"1,234",a\n"12,345",b\n',
    "leading zeros": b"x,label\n1,007\n2,7\n",
    "words for missing": b"x,label\nNA,a\nnull,b\nNULL,c\nNaN,d\n",
    "blank lines": b"x,label\n\n1,a\n\n",
    "no line break at the end": b"x,label\n1,a",
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_an_odd_csv_reads_like_the_file(database: Engine, tmp_path: Path, kind: str) -> None:
    """Cell by cell, as the trainer reads both."""
    file = tmp_path / "table.csv"
    file.write_bytes(ACCEPTED[kind])
    reads_the_same(database, file)


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_a_case_reads_like_the_file(database: Engine, case: str) -> None:
    """Tables that once were read in a wrong way."""
    reads_the_same(database, CASES / case)


def reads_the_same(database: Engine, file: Path) -> None:
    """Assert that a file reads the same from the database."""
    name = f"d{uuid4().hex}"
    load(database, file, namespace="default", name=name)
    table = fetch_table(database, namespace="default", name=name, version=1)
    read = csv_columns if file.suffix == ".csv" else parquet_columns
    expected, expected_other = read(file.read_bytes(), "label")
    frame, other = read(table.content, "label")
    assert frame.equals(expected)
    assert [*frame.dtypes] == [*expected.dtypes]
    assert other == expected_other


def test_a_label_with_leading_zeros_stays_text(database: Engine, tmp_path: Path) -> None:
    """007 and 7 are two classes."""
    file = tmp_path / "table.csv"
    file.write_bytes(ACCEPTED["leading zeros"])
    name = f"d{uuid4().hex}"
    load(database, file, namespace="default", name=name)
    content = fetch_table(database, namespace="default", name=name, version=1).content
    assert [*csv_columns(content, "label", ("label",))[0]["label"]] == ["007", "7"]
