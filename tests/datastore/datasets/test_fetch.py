"""A version of a data set reads like the file it was loaded from."""

from pathlib import Path
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from sqlalchemy import Engine

from taxon_datastore.datasets.fetch import DatasetMissing, StoredTable, fetch_table
from taxon_datastore.datasets.load import load
from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.parquet_table import parquet_columns

CELL = st.one_of(
    st.sampled_from(
        ("", " ", "007", "1,234", "NA", "null", "NULL", "nan", "-0.0", "1e-400", "inf", "true"),
    ),
    st.floats().map(repr),
    st.integers().map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
    st.sampled_from(('a"b', "a\nb", "a\r\nb", "\\", "\\N", "{}", "\t", "ä", "\N{GRINNING FACE}")),
)

SLOWLY = settings(
    max_examples=40,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # to shrink takes minutes of loads
    suppress_health_check=list(HealthCheck),
)


def fetched(database: Engine, file: Path) -> StoredTable:
    """Return a file that went through the database."""
    name = f"d{uuid4().hex}"
    done = load(database, file, namespace="default", name=name)
    return fetch_table(database, namespace="default", name=name, version=done.version)


def quoted(cell: str, *, always: bool) -> str:
    """Return a cell as a CSV file has it."""
    plain = not always and not set(cell) & set('",\r\n')
    return cell if plain else '"' + cell.replace('"', '""') + '"'


FLOATS = st.floats(width=32) | st.just(float("nan")) | st.none()
COLUMNS: dict[pa.DataType, st.SearchStrategy[object]] = {
    pa.float64(): st.floats() | st.none(),
    pa.float32(): FLOATS,
    pa.float16(): st.floats(width=16) | st.none(),
    pa.int8(): st.integers(-128, 127) | st.none(),
    pa.uint64(): st.integers(0, 2**64 - 1) | st.none(),
    pa.bool_(): st.booleans() | st.none(),
    pa.decimal128(12, 3): st.decimals("-999999.999", "999999.999", places=3) | st.none(),
    pa.string(): st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    pa.large_string(): st.sampled_from(("", "NULL", "{", None)),
    pa.dictionary(pa.int8(), pa.string()): st.sampled_from(("red", "green", "", None)),
    pa.dictionary(pa.int16(), pa.int64()): st.sampled_from((1, 22, None)),
    pa.timestamp("us"): st.datetimes() | st.none(),
    pa.timestamp("ns", "Europe/Berlin"): st.integers(-(2**62), 2**62) | st.none(),
    pa.date32(): st.dates() | st.none(),
    pa.time64("us"): st.times() | st.none(),
    pa.duration("ms"): st.integers(0, 10**9) | st.none(),
    pa.binary(): st.binary(max_size=4) | st.none(),
    pa.list_(pa.int64()): st.lists(st.integers(0, 9), max_size=3) | st.none(),
    pa.struct({"x": pa.string()}): st.just({"x": "\0"}) | st.none(),
    pa.null(): st.none(),
}


@SLOWLY
@given(data=st.data(), kind=st.sampled_from([*COLUMNS]), labels=st.sampled_from([*COLUMNS]))
def test_a_parquet_file_reads_the_same_frame(
    database: Engine, tmp_path: Path, data: st.DataObject, kind: pa.DataType, labels: pa.DataType
) -> None:
    """Of every type the trainer reads, and of those it only names, as feature and as target."""
    count = data.draw(st.integers(1, 12))
    columns = {
        name: pa.array([data.draw(COLUMNS[one]) for _ in range(count)], one)
        for name, one in (("x", kind), ("label", labels))
    }
    file = tmp_path / "table.parquet"
    parquet.write_table(pa.table(columns), file)
    table = fetched(database, file)
    for text in ((), ("x",)):
        expected, other = parquet_columns(file.read_bytes(), "label", text)
        frame, named = parquet_columns(table.content, "label", text)
        pd.testing.assert_frame_equal(frame, expected, check_exact=True)
        assert named == other


def test_a_parquet_file_of_pandas_keeps_index_and_categories(
    database: Engine, tmp_path: Path
) -> None:
    """What pandas notes beside the columns is kept with them."""
    frame = pd.DataFrame({"x": [9, 5, 6], "c": pd.Categorical([3, 1, 3]), "label": [*"aba"]})
    file = tmp_path / "table.parquet"
    frame.set_index("x").to_parquet(file)
    expected = parquet_columns(file.read_bytes(), "label")
    found = parquet_columns(fetched(database, file).content, "label")
    pd.testing.assert_frame_equal(found[0], expected[0], check_exact=True)
    assert found[1] == expected[1] == {"x": "the index of a pandas frame"}


def test_what_does_not_exist_is_named_with_the_remedy(database: Engine, tmp_path: Path) -> None:
    """A data set and a version are missing in different words."""
    with pytest.raises(DatasetMissing, match="no data set nothing: load it with"):
        fetch_table(database, namespace="default", name="nothing", version=1)
    file = tmp_path / "table.csv"
    file.write_text("x,label\n1,a\n")
    load(database, file, namespace="default", name="short")
    with pytest.raises(DatasetMissing, match="no version 9: its newest is 1"):
        fetch_table(database, namespace="default", name="short", version=9)
    with pytest.raises(DatasetMissing, match="namespace elsewhere has no data set short"):
        fetch_table(database, namespace="elsewhere", name="short", version=1)


@SLOWLY
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=20),
    end=st.sampled_from(("\n", "\r\n")),
    style=st.tuples(st.sampled_from(("", "\ufeff")), st.booleans()),
)
def test_a_csv_file_reads_the_same_frame(
    database: Engine,
    tmp_path: Path,
    rows: list[tuple[str, ...]],
    end: str,
    style: tuple[str, bool],
) -> None:
    """Whatever its cells are and however they are quoted, to the last bit."""
    mark, always = style
    lines = [",".join(quoted(cell, always=always) for cell in row) for row in rows]
    file = tmp_path / "table.csv"
    file.write_bytes((mark + end.join(["a,b,label", *lines, ""])).encode())
    table = fetched(database, file)
    for text in ((), ("a",)):
        expected, _ = csv_columns(file.read_bytes(), "label", text)
        frame, _ = csv_columns(table.content, "label", text)
        pd.testing.assert_frame_equal(frame, expected, check_exact=True)
