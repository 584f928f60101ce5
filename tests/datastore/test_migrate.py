"""The migrations Job: waits for PostgreSQL, then brings the schema up to date."""

import pytest
from sqlalchemy import inspect
from support.databases import execute

from taxon_cli.local.ports import PortBlock
from taxon_datastore.commands import migrate
from taxon_datastore.database import engine


def test_the_schema_is_brought_up_to_date(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are there afterwards, also when they were before."""
    monkeypatch.setenv("TAXON_DATABASE_URL", database_url)
    migrate.main()
    assert inspect(engine(database_url)).has_table("predictions")


@pytest.mark.parametrize("both", [False, True])
def test_the_customary_variable_is_understood(
    database_url: str, monkeypatch: pytest.MonkeyPatch, *, both: bool
) -> None:
    """DATABASE_URL counts where the prefixed name is absent, and only there."""
    monkeypatch.delenv("TAXON_DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", "mysql://another/program" if both else database_url)
    if both:
        monkeypatch.setenv("TAXON_DATABASE_URL", database_url)
    migrate.main()


def test_a_missing_url_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the variable to set."""
    for name in ("TAXON_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit, match=r"^TAXON_DATABASE_URL: Field required: set it in the"):
        migrate.main()


def test_a_database_that_stays_silent_ends_the_job(
    ports: PortBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its patience the Job fails with one sentence, and Kubernetes tries again."""
    monkeypatch.setenv("TAXON_DATABASE_URL", f"postgresql://u:p@127.0.0.1:{ports.take()}/x")
    monkeypatch.setenv("TAXON_DATABASE_PATIENCE_SECONDS", "0.05")
    monkeypatch.setenv("TAXON_DATABASE_PAUSE_SECONDS", "0.01")
    with pytest.raises(SystemExit, match="PostgreSQL does not answer"):
        migrate.main()


def test_a_url_of_something_else_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting does not make a URL PostgreSQL's."""
    monkeypatch.setenv("TAXON_DATABASE_URL", "mysql://u:p@127.0.0.1/x")
    with pytest.raises(SystemExit, match="database URL must be like"):
        migrate.main()


def test_a_database_of_another_program_is_refused_at_once(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting would not make another program's database Taxon's."""
    execute(
        engine(empty_database),
        "CREATE TABLE alembic_version (version_num text)",
        "INSERT INTO alembic_version VALUES ('ae1027a6acf')",
    )
    monkeypatch.setenv("TAXON_DATABASE_URL", empty_database)
    with pytest.raises(SystemExit, match=r"cannot be migrated: .* not Taxon's"):
        migrate.main()
