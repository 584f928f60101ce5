"""What a database of the tests is filled with, and how it fails."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from support.databases import execute
from support.processes import descendants

from taxon_datastore.database import engine, transaction

DATASET = (
    "INSERT INTO datasets (namespace, name, version, digest, format, rows, columns)"
    " VALUES ('{}', '{}', {}, 'sha256:{:064x}', 'csv', 7, '[]')"
)
PREDICTION = (
    "INSERT INTO predictions"
    " (id, namespace, model, version, time, label, latency_seconds, outcome)"
    " VALUES ('{}', 'default', 'm', 'v1', '{}', '\"{}\"', 0.1, 'Answered')"
)
LABEL = (
    "INSERT INTO labels (id, namespace, model, prediction_id, label, observed_at, received_at)"
    " VALUES (gen_random_uuid(), 'default', 'm', '{}', '\"{}\"', now(), now())"
)


def load(url: str, namespace: str, name: str, version: int) -> None:
    """Add a version of a data set."""
    execute(engine(url), DATASET.format(namespace, name, version, version))


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """Freeze every process of PostgreSQL: it accepts connections and says nothing."""
    with transaction(engine(url)) as connection:
        data = connection.execute(text("SHOW data_directory")).scalar_one()
    first = int(Path(data, "postmaster.pid").read_text().split()[0])
    pids = first, *descendants(first)
    _send(signal.SIGSTOP, pids)
    try:
        yield
    finally:
        _send(signal.SIGCONT, pids)


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # the process of a connection that has ended
            os.kill(pid, number)


def predict_and_label(url: str, answers: dict[str, str | None]) -> None:
    """Add an answer for each label that was predicted, and what was observed (None: nothing)."""
    for number, (predicted, observed) in enumerate(answers.items()):
        moment = datetime.now(UTC)
        place = uuid_at(moment, number)
        statements = [PREDICTION.format(place, moment.isoformat(), predicted)]
        if observed:
            statements.append(LABEL.format(place, observed))
        execute(engine(url), *statements)


def uuid_at(moment: datetime, number: int) -> UUID:
    """Return a UUIDv7 of a moment."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62 | number)
