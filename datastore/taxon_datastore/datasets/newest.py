"""The newest version of every data set."""

from typing import NamedTuple

from sqlalchemy import Engine, text

from taxon_datastore.database import transaction

_NEWEST = text("SELECT namespace, name, max(version) AS version FROM datasets GROUP BY 1, 2")


class Newest(NamedTuple):
    """A data set and its newest version."""

    namespace: str
    name: str
    version: int


def newest_versions(engine: Engine) -> list[Newest]:
    """Return the newest version of every data set the role may see.

    Raises:
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine) as connection:
        return [Newest(*row) for row in connection.execute(_NEWEST)]
