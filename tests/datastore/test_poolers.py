"""PgBouncer in transaction mode, and TLS, between Taxon and PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, text
from support import copied
from support.databases import empty_database, execute
from support.servers import PASSWORD, USER, Server, running_pgbouncer, running_server

from hack import databases
from taxon_cli.local.ports import PortBlock
from taxon_contracts.names import database_role
from taxon_datastore.database import DatabaseUnavailable, engine, transaction
from taxon_datastore.intake import store_rows
from taxon_datastore.predictions import recent_predictions
from taxon_datastore.retention import maintain
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.schema import migrate

ROLES = DatabaseRoles.model_validate({"servers": {"fraud": "secret"}})


@pytest.fixture(scope="module")
def server(ports: PortBlock) -> Iterator[Server]:
    """Yield Debian's PostgreSQL with a certificate."""
    with running_server(databases.postgres_15(), ports.take(), certificate=True) as running:
        yield running


@pytest.fixture(scope="module")
def pooled(server: Server, ports: PortBlock) -> Iterator[str]:
    """Yield the URL, by way of PgBouncer, of a database nobody migrated."""
    with empty_database(server) as direct:
        name = urlsplit(direct).path[1:]
        passwords = {USER: PASSWORD, database_role("fraud", database=name): "secret"}
        with running_pgbouncer(server.port, ports.take(), passwords) as address:
            yield f"postgresql://{USER}:{PASSWORD}@{address}/{name}"


@pytest.fixture
def fraud(pooled: str) -> Engine:
    """Return an engine of the servers of namespace fraud, by way of PgBouncer."""
    migrate(pooled, ROLES)
    owner = engine(pooled)
    execute(owner, "TRUNCATE predictions, labels")
    role = database_role("fraud", database=str(owner.url.database))
    named = owner.url.set(username=role, password="secret")  # noqa: S106 - a test's
    return engine(named.render_as_string(hide_password=False))


def test_writers_at_once_share_two_connections(fraud: Engine) -> None:
    """Every batch is stored once, however the pooler mixes their transactions."""
    batches = [copied.predictions(*[{}] * 50) for _ in range(12)]

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda rows: store_rows(fraud, rows), batches * 2))

    found = recent_predictions(fraud, namespace="fraud", model="iris", limit=10_000)
    assert len(found) == 600


def test_jobs_at_once_take_turns(pooled: str, fraud: Engine) -> None:
    """Migrations and maintenance hold their locks for a transaction, while servers store."""
    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(migrate, pooled, ROLES) for _ in range(2)]
        jobs += [pool.submit(maintain, engine(pooled)) for _ in range(2)]
        jobs += [pool.submit(store_rows, fraud, copied.predictions({})) for _ in range(20)]
        for job in jobs:
            job.result()

    assert len(recent_predictions(fraud, namespace="fraud", model="iris", limit=99)) == 20


def test_a_transaction_has_its_own_settings(pooled: str) -> None:
    """One that may take long does not leave its time to the next on the same connection."""
    shown = text("SELECT current_setting('statement_timeout'), current_setting('timezone')")
    for seconds, said in ((600.0, "10min"), (30.0, "30s"), (0.5, "500ms")):
        with transaction(engine(pooled, statement_seconds=seconds)) as connection:
            assert connection.execute(shown).one() == (said, "UTC")


def test_a_slow_statement_is_ended_behind_a_pooler(pooled: str) -> None:
    """PostgreSQL itself ends it."""
    with pytest.raises(DatabaseUnavailable, match="statement timeout"):
        execute(engine(pooled, statement_seconds=0.1), "SELECT pg_sleep(60)")


@pytest.mark.parametrize(
    ("options", "encrypted"),
    [
        ("sslmode=disable", False),
        ("sslmode=require", True),
        ("sslmode=verify-full&sslrootcert={certificate}", True),
    ],
)
def test_the_url_says_how_the_connection_is_encrypted(
    server: Server, options: str, *, encrypted: bool
) -> None:
    """What libpq understands is passed on."""
    url = f"{server.url}?{options.format(certificate=server.certificate)}"

    with transaction(engine(url)) as connection:
        query = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert connection.scalar(query) is encrypted


def test_a_certificate_of_somebody_else_is_refused(server: Server) -> None:
    """The sentence names the certificate, and the server keeps its rows until it is right."""
    other = f"{server.url}?sslmode=verify-full&sslrootcert=/etc/hostname"
    with pytest.raises(DatabaseUnavailable, match="certificate"):
        execute(engine(other), "SELECT 1")


def test_rows_are_stored_behind_tls(server: Server) -> None:
    """Migrating and storing are no different."""
    with empty_database(server) as direct:
        url = f"{direct}?sslmode=require"
        migrate(url)
        store_rows(engine(url), copied.predictions({}))
        assert len(recent_predictions(engine(url), namespace="fraud", model="iris", limit=9)) == 1
