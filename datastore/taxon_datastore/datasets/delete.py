"""Deleting versions of a data set."""

from sqlalchemy import Engine, text

from taxon_datastore.database import transaction
from taxon_datastore.datasets.fetch import FETCH_SECONDS
from taxon_datastore.datasets.versions import described, described_one
from taxon_datastore.datasets.views import locked, show_rows


def delete(engine: Engine, *, namespace: str, name: str, version: int | None) -> list[int]:
    """Delete one version, or all where ``version`` is None; return which.

    Whoever calls knows that no model uses them. The view then shows the newest that is left.

    Raises:
        DatasetMissing: there is none.
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine.execution_options(statement_seconds=FETCH_SECONDS)) as connection:
        locked(connection, namespace=namespace, name=name)
        found = described(connection, namespace=namespace, name=name, version=version)
        if not found:
            described_one(connection, namespace=namespace, name=name, version=version or 1)
        ids = {"ids": [one.id for one in found]}
        connection.execute(text("DELETE FROM training_data WHERE dataset = ANY(:ids)"), ids)
        connection.execute(text("DELETE FROM datasets WHERE id = ANY(:ids)"), ids)
        show_rows(connection, namespace=namespace, name=name)
        return [one.version for one in found]
