"""Real servers for tests: the ones local mode runs, one of each per test process."""

import functools
import logging
import secrets
import shutil
import signal
from collections.abc import Iterator

import pytest
import structlog
from botocore import session

from taxon_bundle.s3 import create_bucket
from taxon_cli.local.object_store import running_object_store
from taxon_cli.local.ports import PortBlock
from taxon_cli.local.postgres import Postgres, running_postgres
from taxon_datastore import schema


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be written again."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files again")


@pytest.fixture(scope="session")
def update_golden(pytestconfig: pytest.Config) -> bool:
    """Return whether golden files are to be written again."""
    return bool(pytestconfig.getoption("--update-golden"))


@pytest.fixture(scope="session")
def ports() -> Iterator[PortBlock]:
    """Ports no other test process has."""
    with PortBlock() as block:
        yield block


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, ports: PortBlock) -> Iterator[Postgres]:
    """Yield a running PostgreSQL; a test that stops it starts it again."""
    state = tmp_path_factory.mktemp("postgres")
    with running_postgres(state, ports.take()) as server:
        yield server
    shutil.rmtree(state)  # what root keeps elsewhere goes once its state folder is gone


@pytest.fixture(scope="session")
def database_url(postgres: Postgres) -> str:
    """Return the URL of a database with today's schema."""
    schema.migrate(postgres.url)
    return postgres.url


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard() -> None:
    """Hear what a shell lets processes in the background ignore; those started here inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    """Leave logging as it was: a test may configure it for a stream that ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def s3_clients_share_a_loader() -> Iterator[None]:
    """Let botocore parse its descriptions of S3 once: that is most of what a client costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", functools.cache(session.create_loader))
        yield


@pytest.fixture(scope="session")
def s3_environment(
    tmp_path_factory: pytest.TempPathFactory, ports: PortBlock
) -> Iterator[dict[str, str]]:
    """Yield the variables that lead S3 clients to a running server."""
    with running_object_store(tmp_path_factory.mktemp("objects"), ports) as store:
        yield store.environment


@pytest.fixture
def s3_bucket(s3_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a fresh bucket, with the environment set to reach it."""
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    name = f"test-{secrets.token_hex(6)}"
    create_bucket(name)
    return name
