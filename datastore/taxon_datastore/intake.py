"""Storing rows that are already in PostgreSQL's binary COPY format, each exactly once."""

import io
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

from psycopg2 import sql  # type: ignore[import-untyped]  # has no stubs
from sqlalchemy import Connection, Engine, text

from taxon_datastore.copy_binary import HEADER, TRAILER
from taxon_datastore.database import transaction
from taxon_datastore.rows import (
    LABEL_COLUMNS,
    PREDICTION_COLUMNS,
    Intake,
    Rows,
    Signature,
    SignatureColumn,
)

__all__ = [
    "LABEL_COLUMNS",
    "PREDICTION_COLUMNS",
    "Intake",
    "Rows",
    "Signature",
    "SignatureColumn",
    "copy_into",
    "store_rows",
]

DESCRIBE = text("""
    INSERT INTO signatures (namespace, model, version, features)
    VALUES (:namespace, :model, :version, CAST(:features AS jsonb)) ON CONFLICT DO NOTHING
""")
KEEP_FOR = text("""
    INSERT INTO retentions (namespace, model, days)
    SELECT :namespace, :model, CAST(:days AS integer)
    WHERE CAST(:days AS integer) IS DISTINCT FROM (
        SELECT days FROM retentions WHERE namespace = :namespace AND model = :model
        ORDER BY since DESC LIMIT 1
    )
    ON CONFLICT DO NOTHING
""")
"""Changes nothing while a model's newest retention is the same; a model without any has NULL."""


CHUNK_BYTES = 1 << 18
"""How much COPY reads at once."""


def store_rows(engine: Engine, rows: Rows) -> None:
    """Store rows and the signatures they need in one transaction.

    Rows and signatures already stored do not change, so rows may be sent again after any failure.

    Raises:
        DatabaseUnavailable: retry later, also if the schema lacks a table or a column.
        DatabaseRefused: PostgreSQL will never accept one of these rows.
    """
    with transaction(engine) as connection:
        for signature in rows.signatures:
            _describe(connection, signature)
        payload = HEADER + rows.payload + TRAILER
        copy_into(connection, rows.table, rows.columns, payload, binary=True)


def copy_into(
    connection: Connection,
    table: Intake,
    columns: Sequence[str],
    content: bytes,
    *,
    binary: bool = False,
) -> None:
    """Copy rows, in COPY's text format or its binary one, into a table; skip those that exist.

    Columns of a newer release get their defaults.
    """
    statement = sql.SQL("COPY {view} ({columns}) FROM STDIN (FORMAT {form})").format(
        view=sql.Identifier(f"{table}_intake"),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        form=sql.SQL("binary" if binary else "text"),
    )
    with closing(connection.connection.cursor()) as cursor:
        cursor.copy_expert(statement, io.BytesIO(content), size=CHUNK_BYTES)


def _describe(connection: Connection, signature: Signature) -> None:
    """Store what the arrays of a version stand for, and its model's retention where it changed."""
    names = {"namespace": signature.namespace, "model": signature.model}
    features = json.dumps([asdict(feature) for feature in signature.features])
    connection.execute(DESCRIBE, names | {"version": signature.version, "features": features})
    connection.execute(KEEP_FOR, names | {"days": signature.retention_days})
