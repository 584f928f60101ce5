"""Storing rows that are already in PostgreSQL's binary COPY format, each exactly once."""

from sqlalchemy import Engine

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
    "store_rows",
]


def store_rows(engine: Engine, rows: Rows) -> None:
    """Store rows and the signatures they need in one transaction; leave what exists as it is.

    Raises:
        DatabaseUnavailable: retry later, also if the schema lacks a table or a column.
        DatabaseRefused: PostgreSQL will never accept one of these rows.
    """
    raise NotImplementedError
