"""The prediction log while its server, PostgreSQL or its disk fails: what arrives."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from model_server.fragile import (
    BATCH,
    SPOOLED,
    ids_of,
    postmaster,
    servers_url,
    spooled,
    stored,
)
from model_server.kept_log import LOGGED, batch
from model_server.serving import ServerProcess, serving
from sqlalchemy import Engine
from support.databases import execute
from support.waiting import wait_until

from taxon_bundle.bundle import Bundle
from taxon_cli.local.postgres import Postgres
from taxon_contracts.names import database_role
from taxon_datastore.database import DatabaseUnavailable, engine, transaction
from taxon_model_server.prediction_log.rows import RowEncoder
from taxon_model_server.prediction_log.segments import write_segment

DISK_BYTES = 2**20
WRITTEN = "prediction_log_written_total"
DROPPED = "prediction_log_dropped_total"
UNAVAILABLE = 'prediction_log_store_seconds_count{outcome="unavailable"}'

Fault = Callable[[Postgres, Engine], AbstractContextManager[None]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield flags of a spool on a small disk where one may be mounted, else of a small spool."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        yield {"spool_folder": str(folder), "spool_max_bytes": str(DISK_BYTES)}
        return
    yield {"spool_folder": str(folder)}
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607 - as root's path has it


def ask(server: ServerProcess, times: int = 1) -> list[str]:
    """Ask for rows; return their ids."""
    documents = [server.ask("/predict-batch", BATCH) for _ in range(times)]
    assert {code for code, _ in documents} == {200}
    return [one for _, document in documents for one in ids_of(document)]


def dropped(server: ServerProcess) -> dict[str, float]:
    """Return how many rows were dropped, by reason."""
    lines = server.ask("/metrics")[1].splitlines()
    samples = [line.split() for line in lines if line.startswith(DROPPED)]
    return {name.split('"')[1]: float(value) for name, value in samples if float(value)}


@contextmanager
def down(postgres: Postgres, owner: Engine) -> Iterator[None]:
    """Stop it."""
    assert owner
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


@contextmanager
def frozen(postgres: Postgres, owner: Engine) -> Iterator[None]:
    """Let its port accept, and nothing answer."""
    assert postgres
    first = postmaster(owner)
    os.kill(first, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(first, signal.SIGCONT)


@contextmanager
def read_only(postgres: Postgres, owner: Engine) -> Iterator[None]:
    """Let it take no rows, as after a fail-over to a standby."""
    name = owner.url.database
    execute(owner, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    yield
    execute(engine(postgres.url), f"ALTER DATABASE {name} RESET default_transaction_read_only")


@contextmanager
def out_of_connections(postgres: Postgres, owner: Engine) -> Iterator[None]:
    """Hold every connection that is not a superuser's."""
    assert postgres
    with ExitStack() as others:
        for _ in range(2):  # a connection that is just ending may free one more
            wait_until(lambda: is_full(servers_url(owner), others))
        yield


def is_full(url: str, others: ExitStack) -> bool:
    """Take one more connection; return whether there is none."""
    try:
        others.enter_context(transaction(engine(url)))
    except DatabaseUnavailable:
        return True
    return False


@contextmanager
def password_changed(postgres: Postgres, owner: Engine) -> Iterator[None]:
    """Give the servers' role another password for a while."""
    role = database_role("fraud", database=str(owner.url.database))
    execute(engine(postgres.url), f"ALTER ROLE {role} PASSWORD 'other'")
    yield
    execute(engine(postgres.url), f"ALTER ROLE {role} PASSWORD 'secret'")


@pytest.mark.parametrize("fault", [down, frozen, read_only, out_of_connections, password_changed])
def test_answers_go_on_while_postgres_stores_nothing_and_arrive_once(
    bundle: Bundle,
    tmp_path: Path,
    logging_flags: dict[str, str],
    fragile: Postgres,
    owner: Engine,
    *,
    fault: Fault,
) -> None:
    """Whatever PostgreSQL lacks, every answer is 200; once it stores rows, all are there once."""
    with serving(bundle, tmp_path, **logging_flags) as server:
        ids = ask(server)
        with fault(fragile, owner):
            ids += ask(server, 10)
            tried = server.metric(UNAVAILABLE)
            wait_until(lambda: server.metric(UNAVAILABLE) > tried)
            ids += ask(server, 10)
        wait_until(lambda: server.metric(WRITTEN) == len(ids), seconds=40)
        lost = dropped(server)
    found = stored(owner)

    assert sorted(found) == sorted(ids)
    assert {len(one) for one in found.values()} == {1}
    assert lost == {}


def test_a_full_disk_drops_and_counts_rows_until_there_is_room(
    bundle: Bundle,
    tmp_path: Path,
    logging_flags: dict[str, str],
    small_disk: dict[str, str],
    *,
    fragile: Postgres,
    owner: Engine,
) -> None:
    """Answers go on; each of their rows is in the database or counted, and later ones arrive."""
    with serving(bundle, tmp_path, **logging_flags | small_disk) as server:
        ids: list[str] = []

        def is_full() -> bool:
            ids.extend(ask(server, 20))
            return bool(dropped(server))

        with down(fragile, owner):
            wait_until(is_full, seconds=60)
        wait_until(lambda: server.metric(SPOOLED) == 0, seconds=40)
        wait_until(lambda: len(ids) == server.metric(WRITTEN) + sum(dropped(server).values()))
        lost = dropped(server)
        later = ask(server)
        wait_until(lambda: server.metric(SPOOLED) == 0 and {*later} <= {*stored(owner)})
        lost_later = dropped(server)
    found = stored(owner)

    assert found.keys() <= {*ids, *later}
    assert {len(one) for one in found.values()} == {1}
    assert len(found) == len(ids) + len(later) - sum(lost.values())
    assert lost.keys() == {"spool_full" if "spool_max_bytes" in small_disk else "spool_failed"}
    assert lost_later == lost


def test_segments_that_cannot_be_read_are_kept_aside_and_the_others_stored(
    bundle: Bundle, tmp_path: Path, logging_flags: dict[str, str], owner: Engine
) -> None:
    """A newer release's segment and a damaged one neither end the server nor hold others up."""
    folder = tmp_path / "spool"
    folder.mkdir()
    encoder = RowEncoder("fraud", "small", LOGGED, retention_days=None)
    newer, damaged, good = (write_segment(encoder.encode([batch(1)])) for _ in range(3))
    for number, content in enumerate(
        (newer.replace(b'"format": 1', b'"format": 99'), damaged[:-1], good), start=1
    ):
        (folder / f"{number:012d}.rows").write_bytes(content)
    expected = spooled_in(good, tmp_path)

    with serving(bundle, tmp_path, **logging_flags) as server:
        wait_until(lambda: server.metric(WRITTEN) == 1)
        lost = dropped(server)
    kept = sorted(path.name for path in (folder / "set-aside").iterdir())

    assert {*stored(owner)} == expected
    assert lost == {"newer_format": 1, "unreadable": 1}
    assert kept == ["000000000001.rows", "000000000002.rows"]


def spooled_in(segment: bytes, folder: Path) -> set[str]:
    """Return the ids in a segment."""
    path = folder / "0.rows"
    path.write_bytes(segment)
    return spooled(folder)
