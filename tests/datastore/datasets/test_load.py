"""Loading a file: all of it becomes one version, or nothing is stored."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from support.databases import execute

from taxon_contracts.names import database_role, dataset_schema
from taxon_datastore.database import DatabaseUnavailable, engine, transaction
from taxon_datastore.datasets.delete import delete
from taxon_datastore.datasets.fetch import DatasetMissing, fetch_table
from taxon_datastore.datasets.load import Loaded, load
from taxon_datastore.datasets.versions import dataset_versions, descriptions
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.schema import migrate

MEBIBYTE = 1024 * 1024


@pytest.fixture
def name() -> str:
    """Return a name no other data set has."""
    return f"d{uuid4().hex}"


def written(folder: Path, content: str, file: str = "table.csv") -> Path:
    """Write a file."""
    path = folder / file
    path.write_text(content)
    return path


def loaded(database: Engine, name: str, file: Path, namespace: str = "default") -> Loaded:
    """Load a file."""
    return load(database, file, namespace=namespace, name=name)


def rows_of(database: Engine, query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with transaction(database) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_version_is_made_for_a_new_content_only(
    database: Engine, name: str, tmp_path: Path
) -> None:
    """An earlier content is the earlier version again; each namespace counts for itself."""
    first, second = "x,label\n1,a\n", "x,label\n2,b\n"
    contents = (first, second, first, second)
    made = [loaded(database, name, written(tmp_path, content)) for content in contents]
    assert [(one.version, one.new) for one in made] == [
        (1, True),
        (2, True),
        (1, False),
        (2, False),
    ]
    assert loaded(database, name, written(tmp_path, second), "other").version == 1
    found = dataset_versions(database, namespace="default", name=name)
    assert [one.version for one in found.versions] == [2, 1]
    assert found.versions[0].digest == made[1].digest


def test_the_number_of_a_deleted_version_is_not_given_again(
    database: Engine, name: str, tmp_path: Path
) -> None:
    """A run on it, even a failed one, is not taken for a run on what is loaded next."""
    for content in ("x,label\n1,a\n", "x,label\n2,b\n"):
        loaded(database, name, written(tmp_path, content))
    delete(database, namespace="default", name=name, version=2)

    assert loaded(database, name, written(tmp_path, "x,label\n2,a\n")).version == 3


def test_concurrent_loaders_make_one_version_of_each_content(
    database: Engine, name: str, tmp_path: Path
) -> None:
    """The numbers have no holes, and every loader learns the number of its content."""
    files = [written(tmp_path, f"x,label\n{n},a\n", f"{n}.csv") for n in range(4)] * 3
    with ThreadPoolExecutor(len(files)) as pool:
        made = [*pool.map(lambda file: loaded(database, name, file), files)]
    assert sorted(one.version for one in made if one.new) == [1, 2, 3, 4]
    assert len({(file, one.version) for file, one in zip(files, made, strict=True)}) == 4
    stored = descriptions(database, namespace="default", name=name)
    assert [one.version for one in stored] == [4, 3, 2, 1]


def test_a_broken_file_leaves_nothing(database: Engine, name: str, tmp_path: Path) -> None:
    """Thousands of rows before the broken line are gone with it."""
    before = rows_of(database, "SELECT count(*) FROM training_data")
    broken = written(tmp_path, "x,label\n" + "1,a\n" * 60_000 + "1\n")
    with pytest.raises(ValueError, match="line 60002 has 1 fields, the header 2"):
        loaded(database, name, broken)
    assert dataset_versions(database, namespace="default", name=name).versions == ()
    assert rows_of(database, "SELECT count(*) FROM training_data") == before


def test_the_view_shows_the_newest_rows_with_sql_types(
    database: Engine, name: str, tmp_path: Path
) -> None:
    """Numbers are numbers, truth is boolean, names such as 007 stay text, gaps are null."""
    view = f'{dataset_schema("default")}."{name}"'
    loaded(database, name, written(tmp_path, "x,label\n1,a\n"))
    content = "mean x,ok,zip,big,label\n1.5,true,007,9007199254740993,a\n,,,,\n-2e3,FALSE,1,1,b\n"
    done = loaded(database, name, written(tmp_path, content))
    assert done.view == f"{dataset_schema('default')}.{name}"
    query = f'SELECT "mean x", ok, zip, big, label FROM {view} ORDER BY label'  # noqa: S608 - names of this test
    assert rows_of(database, query) == [
        (1.5, True, "007", "9007199254740993", "a"),
        (-2000.0, False, "1", "1", "b"),
        (None, None, None, None, None),
    ]
    delete(database, namespace="default", name=name, version=2)
    assert rows_of(database, f"SELECT x, label FROM {view}") == [(1.0, "a")]  # noqa: S608 - names of this test
    delete(database, namespace="default", name=name, version=None)
    assert rows_of(database, f"SELECT to_regclass('{view}')") == [(None,)]


def test_no_cell_breaks_the_view(database: Engine, name: str, tmp_path: Path) -> None:
    """What Python takes for a number and PostgreSQL does not makes a column text."""
    cells = (
        "1_000",
        "1e999",
        "1e-999",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "0x1p3",
        "\x1c1",
        "+-1",
        "nan",
        " inf ",
        "-0",
        ".5e1",
    )
    header = ",".join(f"c{place}" for place in range(len(cells)))
    quoted = ",".join(cells)
    loaded(database, name, written(tmp_path, f"{header}\n{quoted}\n{quoted}\n"))
    view = f'{dataset_schema("default")}."{name}"'
    assert len(rows_of(database, f"SELECT * FROM {view}")) == 2  # noqa: S608 - names of this test


def test_long_names_of_columns_stay_distinct_in_the_view(
    database: Engine, name: str, tmp_path: Path
) -> None:
    """PostgreSQL's limit is 63 bytes; quotes and percent signs are only characters."""
    names = ("ä" * 40 + "1", "ä" * 40 + "2", "100 %", '""q""', ":x")
    header = ",".join(f'"{one}"' for one in names)
    loaded(database, name, written(tmp_path, f"{header}\n1,2,3,4,5\n"))
    shown = rows_of(
        database,
        "SELECT column_name FROM information_schema.columns"  # noqa: S608 - names of this test
        f" WHERE table_name = '{name}' ORDER BY ordinal_position",
    )
    assert len({one for (one,) in shown}) == 5
    assert [one for (one,) in shown][2:] == ["100 %", '"q"', ":x"]


def test_ten_thousand_columns_are_stored_without_a_view(
    database: Engine, name: str, tmp_path: Path
) -> None:
    """The load says why; the trainer's own limit is another matter."""
    header = ",".join(f"c{place}" for place in range(10_000))
    row = ",".join(["1"] * 10_000)
    done = loaded(database, name, written(tmp_path, f"{header}\n{row}\n"))
    assert (done.view, done.why_no_view) == (None, "a view has at most 1,600 columns")
    content = fetch_table(database, namespace="default", name=name, version=1).content
    assert content.decode() == f"{header}\n{row}\n"


def test_a_view_that_others_need_is_left_to_them(
    database: Engine, name: str, tmp_path: Path
) -> None:
    """The version is stored all the same, and the load says what is in the way."""
    loaded(database, name, written(tmp_path, "x,label\n1,a\n"))
    schema = dataset_schema("default")
    execute(database, f'CREATE VIEW "{schema}"."{name}-mine" AS SELECT x FROM "{schema}"."{name}"')  # noqa: S608 - names of this test
    done = loaded(database, name, written(tmp_path, "y,label\n1,a\n"))
    assert (done.version, done.view) == (2, None)
    assert "depend" in str(done.why_no_view)


@pytest.mark.parametrize("shape", [(200_000, 20)])
def test_a_load_holds_a_few_rows_at_a_time(
    database: Engine, name: str, tmp_path: Path, shape: tuple[int, int]
) -> None:
    """Its peak is far below the file, which is far below its rows as objects."""
    rows, columns = shape
    file = tmp_path / "table.csv"
    with file.open("w") as lines:
        lines.write(",".join(f"c{place}" for place in range(columns)) + "\n")
        for row in range(rows):
            lines.write(",".join([f"{row / 7:.6f}"] * columns) + "\n")
    assert file.stat().st_size > 30 * MEBIBYTE
    tracemalloc.start()
    try:
        assert loaded(database, name, file).rows == rows
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    delete(database, namespace="default", name=name, version=None)
    assert peak < 20 * MEBIBYTE


@pytest.fixture
def owner(empty_database: str) -> Engine:
    """Return the owner of a database with the roles of two namespaces."""
    passwords = {"fraud": "secret of fraud", "churn": "secret of churn"}
    database = engine(empty_database)
    execute(database, f"REVOKE TEMPORARY ON DATABASE {database.url.database} FROM PUBLIC")
    roles = DatabaseRoles.model_validate({"datasets": passwords, "trainers": passwords})
    migrate(empty_database, roles)
    return database


def team(owner: Engine, namespace: str, use: Any) -> Engine:
    """Return an engine of a namespace's role for a use."""
    role = database_role(namespace, database=str(owner.url.database), use=use)
    url = owner.url.set(username=role, password=f"secret of {namespace}")
    return engine(url.render_as_string(hide_password=False))


def test_the_roles_of_a_namespace_load_and_read_its_data_sets_only(
    owner: Engine, tmp_path: Path
) -> None:
    """Its people load, show and delete; its trainers read; another namespace sees nothing.

    Also where the database lets nobody make temporary tables.
    """
    file = written(tmp_path, "x,label\n1,a\n")
    people, trainers = team(owner, "fraud", "datasets"), team(owner, "fraud", "trainers")
    done = load(people, file, namespace="fraud", name="cards")
    assert done.view == f"{dataset_schema('fraud')}.cards"
    assert rows_of(people, f"SELECT x FROM {done.view}") == [(1.0,)]  # noqa: S608 - names of this test
    assert fetch_table(trainers, namespace="fraud", name="cards", version=1).digest == done.digest
    for other in (team(owner, "churn", "datasets"), team(owner, "churn", "trainers")):
        with pytest.raises(DatasetMissing):
            fetch_table(other, namespace="fraud", name="cards", version=1)
    with pytest.raises(DatabaseUnavailable, match="row-level security"):
        load(team(owner, "churn", "datasets"), file, namespace="fraud", name="mine")
    with pytest.raises(DatabaseUnavailable, match="permission denied"):
        load(trainers, file, namespace="fraud", name="mine")
    assert delete(people, namespace="fraud", name="cards", version=None) == [1]
    assert rows_of(owner, "SELECT count(*) FROM training_data") == [(0,)]
