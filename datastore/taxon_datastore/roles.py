"""Database roles: three for each model namespace, and the monitor's, which reads all of them.

No role owns a table of Taxon's or changes its rows; a namespace's see no row of another namespace.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from psycopg2.extensions import encrypt_password  # type: ignore[import-untyped]  # has no stubs
from pydantic import BaseModel, ConfigDict, SecretStr, model_validator
from sqlalchemy import Connection, text

from taxon_contracts.names import DatabaseUse, database_role, dataset_schema, monitor_role
from taxon_datastore.database import DatabaseRefused

Privilege = Literal["SELECT", "INSERT", "DELETE"]
TABLES = (
    "predictions",
    "labels",
    "signatures",
    "retentions",
    "datasets",
    "dataset_numbers",
    "training_data",
)
"""The tables with a namespace: a role sees their rows by a policy only."""
VIEWS = ("live_accuracy", "prediction_values")
"""What only the monitor reads; their functions read the tables with the rights of their caller."""
GRANTS: Mapping[DatabaseUse, Mapping[str, Sequence[Privilege]]] = {
    "servers": {
        "predictions": ("SELECT", "INSERT"),
        "predictions_intake": ("INSERT",),
        "labels": ("SELECT", "INSERT"),
        "labels_intake": ("INSERT",),
        "signatures": ("SELECT", "INSERT"),
        "retentions": ("SELECT", "INSERT"),
    },
    "trainers": {"datasets": ("SELECT",), "training_data": ("SELECT",)},
    "datasets": {
        "datasets": ("SELECT", "INSERT", "DELETE"),
        "dataset_numbers": ("SELECT", "INSERT"),
        "training_data": ("SELECT", "INSERT", "DELETE"),
    },
}
"""A view's trigger adds rows with the rights of its caller, which needs them on the table too.
Reading goes by the tables: before PostgreSQL 15 a view shows the rows of every namespace."""


class DatabaseRoles(BaseModel):
    """The password of each role: by namespace for each use, and the monitor's.

    A flat object, which earlier releases had, has the passwords of the servers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: Mapping[str, SecretStr] = {}
    trainers: Mapping[str, SecretStr] = {}
    datasets: Mapping[str, SecretStr] = {}
    monitor: SecretStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        if isinstance(given, dict) and all(isinstance(one, str) for one in given.values()):
            return {"servers": given}
        return given

    def by_use(self) -> Iterable[tuple[DatabaseUse, str, str]]:
        """Yield use, namespace and password of each namespace's roles."""
        uses: dict[DatabaseUse, Mapping[str, SecretStr]] = {
            "servers": self.servers,
            "trainers": self.trainers,
            "datasets": self.datasets,
        }
        for use, passwords in uses.items():
            for namespace, password in sorted(passwords.items()):
                yield use, namespace, password.get_secret_value()


def grant_roles(connection: Connection, roles: DatabaseRoles) -> None:
    """Create the roles that have a password, or update their rights and passwords.

    Args:
        connection: in a transaction of the owner of the schema.
        roles: their passwords; roles that are not named stay as they are.

    Raises:
        DatabaseRefused: the connection's user may not create roles.
    """
    by_use = [*roles.by_use()]
    if not by_use and roles.monitor is None:
        return
    _close(connection)
    database = str(_value(connection, "SELECT current_database()"))
    for use, namespace, password in by_use:
        role = database_role(namespace, database=database, use=use)
        _make(connection, role, password)
        _let_in(connection, role, database)
        if use == "datasets":  # a load stages its rows
            _open_database(connection, role, database, "TEMPORARY")
        for relation, privileges in GRANTS[use].items():
            _grant(connection, role, relation, privileges)
            if relation in TABLES:
                _show_rows(connection, role, relation, namespace)
        if use != "servers":
            _open_schema(connection, role, dataset_schema(namespace), creates=use == "datasets")
    if roles.monitor is not None:
        role = monitor_role(database=database)
        _make(connection, role, roles.monitor.get_secret_value())
        _let_in(connection, role, database)
        _change(connection, "ALTER ROLE %I SET default_transaction_read_only = on", role)
        for relation in (*TABLES, *VIEWS):
            _grant(connection, role, relation, ("SELECT",))
        for table in TABLES:
            _show_rows(connection, role, table, None)


def _close(connection: Connection) -> None:
    """Let every role but the owner see only the rows a policy gives it, and create no table."""
    isolated = "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(:table)"
    for table in TABLES:
        if not _value(connection, isolated, table=table):
            _change(connection, "ALTER TABLE %I ENABLE ROW LEVEL SECURITY", table)
    open_to_all = """
        SELECT nspname FROM pg_namespace, aclexplode(nspacl) AS granted
        WHERE nspname = current_schema() AND grantee = 0 AND privilege_type = 'CREATE'
            AND pg_has_role(nspowner, 'USAGE')
    """  # as PostgreSQL 14 makes it, and databases that come from there
    schema = _value(connection, open_to_all)
    if schema:
        _change(connection, "REVOKE CREATE ON SCHEMA %I FROM PUBLIC", str(schema))


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


def _let_in(connection: Connection, role: str, database: str) -> None:
    """Let a role connect and find the tables, which most databases allow every role."""
    _open_database(connection, role, database, "CONNECT")
    schema = str(_value(connection, "SELECT current_schema()"))
    able = "SELECT has_schema_privilege(:role, :schema, 'USAGE')"
    if not _value(connection, able, role=role, schema=schema):
        _change(connection, "GRANT USAGE ON SCHEMA %I TO %I", schema, role)


def _open_database(
    connection: Connection, role: str, database: str, privilege: Literal["CONNECT", "TEMPORARY"]
) -> None:
    able = "SELECT has_database_privilege(:role, :database, :privilege)"
    if not _value(connection, able, role=role, database=database, privilege=privilege):
        _change(connection, f"GRANT {privilege} ON DATABASE %I TO %I", database, role)


def _grant(
    connection: Connection, role: str, relation: str, privileges: Sequence[Privilege]
) -> None:
    """Let a role do this with a table or view; granting what it has would lock the catalog."""
    for privilege in privileges:
        able = "SELECT has_table_privilege(:role, :relation, :privilege)"
        if not _value(connection, able, role=role, relation=relation, privilege=privilege):
            _change(connection, f"GRANT {privilege} ON %I TO %I", relation, role)


def _show_rows(connection: Connection, role: str, table: str, namespace: str | None) -> None:
    """Let a role see, and add as far as it may, the rows of a namespace; None: see all."""
    policy = "SELECT true FROM pg_policies WHERE tablename = :table AND policyname = :role"
    if _value(connection, policy, table=table, role=role):
        return
    if namespace is None:
        _change(
            connection, "CREATE POLICY %1$I ON %2$I FOR SELECT TO %1$I USING (true)", role, table
        )
    else:
        template = "CREATE POLICY %1$I ON %2$I TO %1$I USING (namespace = %3$L)"
        _change(connection, template, role, table, namespace)


def _open_schema(connection: Connection, role: str, schema: str, *, creates: bool) -> None:
    """Let a role use the schema of a namespace's data sets, and create views in it."""
    if not _value(connection, "SELECT true FROM pg_namespace WHERE nspname = :s", s=schema):
        _change(connection, "CREATE SCHEMA %I", schema)
    _change(connection, "GRANT USAGE ON SCHEMA %I TO %I", schema, role)
    if creates:
        _change(connection, "GRANT CREATE ON SCHEMA %I TO %I", schema, role)


def _value(connection: Connection, query: str, **values: str) -> object:
    """Return the first value a query finds, None when it finds nothing."""
    return connection.execute(text(query), values).scalar()


def _change(connection: Connection, template: str, *values: str) -> None:
    """Execute a statement that takes no parameters; PostgreSQL itself quotes names and values."""
    query = text("SELECT format(:template, VARIADIC CAST(:values AS text[]))")
    bound = {"template": template, "values": list(values)}
    connection.exec_driver_sql(connection.execute(query, bound).scalar_one())
