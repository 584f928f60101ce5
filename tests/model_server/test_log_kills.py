"""The prediction log while its server and PostgreSQL are killed: what arrives."""

import http.client
import json
import os
import queue
import random
import signal
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from model_server.fragile import (
    BATCH,
    SPOOLED,
    ids_of,
    postmaster,
    spooled,
    stored,
)
from model_server.serving import ServerProcess, serving
from sqlalchemy import Engine
from support.waiting import wait_until

from taxon_bundle.bundle import Bundle
from taxon_cli.local.postgres import Postgres
from taxon_cli.local.processes import ProcessFailed

KILLS = ("server",) * 15 + ("postgres",) * 35
SEED = 12
MOST_ANSWERS_BETWEEN = 60
LOST_SECONDS = 3.0
"""Answers of this long before a kill may be lost: a tenth of a second waits in memory, and more
while the disk or the processor is busy."""


class Answer(NamedTuple):
    """The ids of an answer, when it came, and the number of the server that gave it."""

    ids: list[str]
    seconds: float
    server: int


class Load:
    """Asks one server after the other for predictions, each until its connection breaks."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.failed: list[int] = []
        self.broken: list[str] = []
        """Request ids whose answer did not come."""
        self._servers: queue.Queue[str | None] = queue.Queue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask(self, server: ServerProcess) -> None:
        """Ask this server next."""
        self._servers.put(server.address)

    def wait_more(self, count: int) -> None:
        """Return once there are so many more answers."""
        goal = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= goal, every=0.001)

    def stop(self) -> None:
        """Return once the last request is answered."""
        self._stopping.set()
        self._servers.put(None)
        self._thread.join()

    def _run(self) -> None:
        for number, address in enumerate(iter(self._servers.get, None)):
            connection = http.client.HTTPConnection(address, timeout=20)
            while not self._stopping.is_set():
                request = uuid4().hex
                try:
                    self._ask_once(connection, request, number)
                except (OSError, http.client.HTTPException):
                    self.broken.append(request)
                    break
            connection.close()

    def _ask_once(self, connection: http.client.HTTPConnection, request: str, number: int) -> None:
        headers = {"X-Request-Id": request}
        connection.request("POST", "/predict-batch", json.dumps(BATCH), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            self.failed.append(answer.status)
            return
        self.answers.append(Answer(ids_of(json.loads(content)), time.monotonic(), number))


def kill_postgres(postgres: Postgres, owner: Engine) -> None:
    """End all its processes at once, and start it again over what they left."""
    first = postmaster(owner)
    os.kill(first, signal.SIGSTOP)  # starts no other
    others = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    for process in (first, *map(int, others)):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    postgres.stop()
    wait_until(lambda: starts(postgres))


def starts(postgres: Postgres) -> bool:
    """Start it; return whether the memory of killed processes is free, which it needs."""
    try:
        postgres.start()
    except ProcessFailed:
        return False
    return True


@pytest.mark.timeout(400)
def test_fifty_kills_lose_no_spooled_row_and_double_none(
    bundle: Bundle, tmp_path: Path, logging_flags: dict[str, str], fragile: Postgres, owner: Engine
) -> None:
    """A kill of the server loses its last answers; a kill of PostgreSQL loses nothing."""
    chance = random.Random(SEED)  # noqa: S311 - the places of kills
    folder, safe, killed = tmp_path / "spool", set[str](), list[float]()
    load = Load()
    with ExitStack() as last:
        server = last.enter_context(serving(bundle, tmp_path, **logging_flags))
        load.ask(server)
        for victim in chance.sample(KILLS, len(KILLS)):
            load.wait_more(chance.randrange(MOST_ANSWERS_BETWEEN))
            if victim == "postgres":
                kill_postgres(fragile, owner)
                continue
            killed.append(time.monotonic())
            server.send(signal.SIGKILL)
            server.wait_end()
            safe |= spooled(folder)
            server = last.enter_context(serving(bundle, tmp_path, **logging_flags))
            load.ask(server)
        load.wait_more(10)
        load.stop()
        wait_until(lambda: server.metric(SPOOLED) == 0 and not spooled(folder), seconds=60)
        wait_until(lambda: not missing_of(load, stored(owner), len(killed)), seconds=60)
    found = stored(owner)

    assert load.failed == []
    assert len(load.broken) <= len(killed)
    assert safe
    assert safe <= set(found)
    assert {len(one) for one in found.values()} == {1}
    answered = {one for answer in load.answers for one in answer.ids}
    assert {found[one][0] for one in set(found) - answered} <= set(load.broken)
    for number, moment in enumerate(killed):
        lost = missing_of(load, found, number)
        assert lost == answers_of(load, number)[len(answers_of(load, number)) - len(lost) :]
        assert all(answer.seconds > moment - LOST_SECONDS for answer in lost)


def answers_of(load: Load, server: int) -> list[Answer]:
    """Return what one of the servers answered."""
    return [answer for answer in load.answers if answer.server == server]


def missing_of(load: Load, found: dict[str, list[str]], server: int) -> list[Answer]:
    """Return the answers of one of the servers that the database lacks a row of."""
    return [one for one in answers_of(load, server) if not found.keys() >= {*one.ids}]
