"""A database role for the servers of each model namespace.

Such a role may only add and read rows of its own namespace: it owns no table, sees
no row of another namespace, and cannot change or remove rows.
"""

from collections.abc import Mapping

from psycopg2.extensions import encrypt_password  # type: ignore[import-untyped]  # has no stubs
from sqlalchemy import Connection, text

from taxon_contracts.names import database_role
from taxon_datastore.database import DatabaseRefused

TABLE = "predictions"


def grant_roles(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Create a role for each namespace, or update its rights and password.

    Args:
        connection: in a transaction of the owner of the schema.
        passwords: the password of each namespace's role.

    Raises:
        DatabaseRefused: the connection's user may not create roles.
    """
    if not passwords:
        return
    _isolate_rows(connection)
    database = str(_value(connection, "SELECT current_database()"))
    for namespace, password in sorted(passwords.items()):
        role = database_role(namespace, database=database)
        _make(connection, role, password)
        _open_database(connection, role, database)
        _open_table(connection, role, namespace)


def _isolate_rows(connection: Connection) -> None:
    """Let every role but the owner see only the rows a policy gives it."""
    isolated = "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(:table)"
    if not _value(connection, isolated, table=TABLE):
        _change(connection, "ALTER TABLE %I ENABLE ROW LEVEL SECURITY", TABLE)


def _make(connection: Connection, role: str, password: str) -> None:
    if not _value(connection, "SELECT true FROM pg_roles WHERE rolname = :role", role=role):
        able = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
        if not _value(connection, able):
            raise DatabaseRefused(
                "its user may not create roles for model namespaces: grant it CREATEROLE, or set"
                " database.namespaceRoles to false"
            )
        _change(connection, "CREATE ROLE %I", role)
    driver = connection.connection.driver_connection
    verifier = encrypt_password(password, role, driver, "scram-sha-256")
    _change(connection, "ALTER ROLE %I LOGIN NOINHERIT PASSWORD %L", role, verifier)


def _open_database(connection: Connection, role: str, database: str) -> None:
    """Let a role connect and stage rows, which most databases allow every role."""
    able = "SELECT has_database_privilege(:role, :database, :privilege)"
    for privilege in ("CONNECT", "TEMPORARY"):
        if not _value(connection, able, role=role, database=database, privilege=privilege):
            _change(connection, f"GRANT {privilege} ON DATABASE %I TO %I", database, role)


def _open_table(connection: Connection, role: str, namespace: str) -> None:
    """Let a role add and read the rows of its namespace."""
    _change(connection, "GRANT SELECT, INSERT ON %I TO %I", TABLE, role)
    policy = "SELECT true FROM pg_policies WHERE tablename = :table AND policyname = :role"
    if not _value(connection, policy, table=TABLE, role=role):
        _change(
            connection,
            "CREATE POLICY %1$I ON %2$I TO %1$I USING (namespace = %3$L)",
            role,
            TABLE,
            namespace,
        )


def _value(connection: Connection, query: str, **values: str) -> object:
    """Return the first value a query finds, None when it finds nothing."""
    return connection.execute(text(query), values).scalar()


def _change(connection: Connection, template: str, *values: str) -> None:
    """Execute a statement that takes no parameters; PostgreSQL itself quotes names and values."""
    query = text("SELECT format(:template, VARIADIC CAST(:values AS text[]))")
    bound = {"template": template, "values": list(values)}
    connection.exec_driver_sql(connection.execute(query, bound).scalar_one())
