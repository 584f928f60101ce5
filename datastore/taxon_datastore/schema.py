"""Bringing the schema up to date."""

from collections.abc import Sequence
from importlib import resources

from sqlalchemy import text

from taxon_datastore.database import DatabaseRefused, engine, transaction
from taxon_datastore.partitions import make_partitions
from taxon_datastore.roles import DatabaseRoles, grant_roles

MIGRATION_LOCK = 0x7461786F6E
"""Advisory lock that serialises migrations; the letters of taxon."""


def migrate(url: str, roles: DatabaseRoles | None = None) -> None:
    """Migrate schema, partitions and roles; concurrent calls run one after the other.

    A schema of a newer release is not changed: migrations only add, so an older release works
    with it.

    Args:
        url: PostgreSQL URL of the schema's owner.
        roles: the passwords of the roles to create; absent: none.

    Raises:
        ValueError: the URL is not one of PostgreSQL.
        DatabaseUnavailable: PostgreSQL does not answer, or does not allow the change.
        DatabaseRefused: this release cannot migrate the existing schema.
    """
    from alembic import command  # noqa: PLC0415 - costs 0.3 s, which a starting server need not pay
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(resources.files(__package__) / "migrations"))
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    with transaction(engine(url)) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        present = MigrationContext.configure(connection).get_current_revision()
        if not (present and _is_newer(present, steps)):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        make_partitions(connection)
        grant_roles(connection, roles or DatabaseRoles())


def _is_newer(present: str, steps: Sequence[str]) -> bool:
    """Return whether a schema's version is later than this release's migrations.

    Raises:
        DatabaseRefused: it is not a version of Taxon's.
    """
    if present in steps:
        return False
    if present.isdigit() and present > max(steps):
        return True
    raise DatabaseRefused(
        f"its table alembic_version says {present}, which is not Taxon's: choose a database of"
        " its own"
    )
