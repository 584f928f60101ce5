"""The view that shows a data set's newest rows under the names of its columns."""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from psycopg2 import errors, sql  # type: ignore[import-untyped]  # has no stubs
from sqlalchemy import Connection, text

from taxon_contracts.names import dataset_schema
from taxon_datastore.datasets.versions import Description, described

MOST_COLUMNS = 1_600
"""PostgreSQL's own limit is 1,664 entries of a select list, and less for some clients."""
IDENTIFIER_BYTES = 63
REMEDY = "query training_data instead"


def locked(connection: Connection, *, namespace: str, name: str) -> None:
    """Let one transaction at a time change a data set; the others wait for its end."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"taxon data set {namespace}/{name}"},
    )


def show_rows(
    connection: Connection, *, namespace: str, name: str
) -> tuple[str | None, str | None]:
    """Make the view show the newest version, or remove it with the last one.

    Returns:
        The view's name with its schema; where there is none, the reason instead.
    """
    schema = dataset_schema(namespace)
    versions = described(connection, namespace=namespace, name=name)
    try:
        with connection.begin_nested():
            if not _schema_is_there(connection, schema):
                return None, f"schema {schema} does not exist and this user may not create it"
            view = sql.Identifier(schema, name)
            wide = bool(versions) and len(versions[0].columns) > MOST_COLUMNS
            if wide or not versions:
                _change(connection, sql.SQL("DROP VIEW IF EXISTS {}").format(view))
                return None, f"a view has at most {MOST_COLUMNS:,} columns" if wide else None
            _replace(connection, view, _rows(versions[0]))
    except errors.Error as error:
        return None, str(error).strip().split("\n", maxsplit=1)[0]
    return f"{schema}.{name}", None


def _schema_is_there(connection: Connection, schema: str) -> bool:
    """Return whether a schema exists, created by now where this user may."""
    if connection.execute(text("SELECT to_regnamespace(:s)"), {"s": f'"{schema}"'}).scalar():
        return True
    able = "SELECT has_database_privilege(current_database(), 'CREATE')"
    if not connection.execute(text(able)).scalar():
        return False
    _change(connection, sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    return True


def _replace(connection: Connection, view: sql.Composable, rows: sql.Composable) -> None:
    """Replace the view in place, or where its columns differ, remove it first."""
    replace = sql.SQL("CREATE OR REPLACE VIEW {} AS {}").format(view, rows)
    try:
        with connection.begin_nested():
            _change(connection, replace)
    except errors.InvalidTableDefinition:
        _change(connection, sql.SQL("DROP VIEW {}").format(view))
        _change(connection, replace)


def _rows(version: Description) -> sql.Composable:
    names = identifiers([one["name"] for one in version.columns])
    columns = [
        _column(place, one, name)
        for place, (one, name) in enumerate(zip(version.columns, names, strict=True), 1)
    ]
    return sql.SQL("SELECT {} FROM training_data WHERE dataset = {}").format(
        sql.SQL(", ").join(columns), sql.Literal(version.id)
    )


def _column(place: int, column: dict[str, Any], name: str) -> sql.Composable:
    cast = "" if column["type"] == "text" else f"::{column['type']}"
    return sql.SQL("cells[{}]{} AS {}").format(
        sql.Literal(place), sql.SQL(cast), sql.Identifier(name)
    )


def identifiers(names: Sequence[str]) -> list[str]:
    """Return names of at most 63 bytes, PostgreSQL's limit; they stay distinct."""
    taken = {name for name in names if len(name.encode()) <= IDENTIFIER_BYTES}
    shortened = []
    for name in names:
        short = name
        if name not in taken:
            digest = hashlib.sha256(name.encode()).hexdigest()
            short = _cut(name, digest[:8])
            while short in taken:
                digest = hashlib.sha256(digest.encode()).hexdigest()
                short = _cut(name, digest[:8])
            taken.add(short)
        shortened.append(short)
    return shortened


def _cut(name: str, suffix: str) -> str:
    kept = name.encode()[: IDENTIFIER_BYTES - len(suffix) - 1].decode(errors="ignore")
    return f"{kept}_{suffix}"


def _change(connection: Connection, statement: sql.Composable) -> None:
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(statement)
