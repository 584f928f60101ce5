"""The prediction log of a real server over a real PostgreSQL."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server.mixed import ROW as MIXED_ROW
from model_server.serving import ServerProcess, serving
from sqlalchemy import text
from support.databases import empty_database, migrate_to
from support.waiting import wait_until

from taxon_bundle.bundle import Bundle
from taxon_cli.local.postgres import Postgres
from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.database import engine, transaction
from taxon_datastore.predictions import recent_predictions
from taxon_datastore.schema import migrate

ROW = {"length": 1.1, "width": 2.2, "batch": 7}
SPOOLED = "prediction_log_spool_events"
WRITTEN = "prediction_log_written_total"
CONNECTIONS = "database_connections"
TRIES = 'prediction_log_store_seconds_count{{outcome="{}"}}'


@pytest.fixture
def early(postgres: Postgres, flags: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield the flags of a server whose database nobody migrated yet."""
    with empty_database(postgres) as url:
        yield flags | {"database_url": url}


def logged(database_url: str, namespace: str) -> list[PredictionEvent]:
    """Return what the database holds of the test's model."""
    return recent_predictions(
        engine(database_url), namespace=namespace, model="small", limit=10_000
    )


def ask(server: ServerProcess, times: int) -> set[str]:
    """Ask for predictions; return their ids."""
    answers = [server.ask("/predict", ROW) for _ in range(times)]
    assert {code for code, _ in answers} == {200}
    return {answer["prediction_id"] for _, answer in answers}


def test_answers_are_found_by_their_ids(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str
) -> None:
    """What was answered stands in the database under the ids the answers carry."""
    with serving(bundle, tmp_path, **flags) as server:
        ids = ask(server, 3)
        wait_until(lambda: server.metric(WRITTEN) == 3)
    events = logged(flags["database_url"], namespace)

    assert {str(event.id) for event in events} == ids
    assert {(event.label, event.features) for event in events} == {("malignant", (1.1, 2.2, 7.0))}


def test_rows_of_every_type_arrive(
    mixed: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str
) -> None:
    """Text, booleans and missing values stand in the database as they were sent."""
    rows = [MIXED_ROW, MIXED_ROW | {"age": None, "port": "Narvik"}, MIXED_ROW | {"port": None}]
    with serving(mixed, tmp_path, **flags) as server:
        code, _ = server.ask("/predict-batch", rows)
        wait_until(lambda: server.metric(WRITTEN) == 3)
    events = logged(flags["database_url"], namespace)

    assert code == 200
    assert {event.features for event in events} == {tuple(row.values()) for row in rows}


def test_rows_wait_for_the_schema_they_need(
    mixed: Bundle, tmp_path: Path, flags: dict[str, str], postgres: Postgres, namespace: str
) -> None:
    """A server that is newer than the schema keeps its events until the migration is done."""
    with empty_database(postgres) as url:
        migrate_to(url, "0002")
        with serving(mixed, tmp_path, **flags | {"database_url": url}) as server:
            server.ask("/predict", MIXED_ROW)
            wait_until(lambda: server.metric(TRIES.format("unavailable")) > 0)
            spooled = server.metric(SPOOLED)
            migrate(url)
            wait_until(lambda: server.metric(WRITTEN) == 1)
        events = logged(url, namespace)

    assert spooled == 1
    assert [event.features for event in events] == [tuple(MIXED_ROW.values())]


def test_sigterm_flushes(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str
) -> None:
    """What was answered right before SIGTERM is in the database when the server has ended."""
    with serving(bundle, tmp_path, **flags) as server:
        ids = ask(server, 5)
        server.send(signal.SIGTERM)
        code = server.wait_end()

    assert code == 0
    assert {str(event.id) for event in logged(flags["database_url"], namespace)} == ids


def test_answers_go_on_while_the_database_is_down_and_arrive_once(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str, stopped: Postgres
) -> None:
    """Without a database the server starts and answers; afterwards every event is there once."""
    with serving(bundle, tmp_path, **flags) as server:
        ids = ask(server, 20)
        wait_until(lambda: server.metric(SPOOLED) == 20)
        stopped.start()
        ids |= ask(server, 5)
        wait_until(lambda: server.metric(WRITTEN) == 25)
        dropped = server.metric('prediction_log_dropped_total{reason="spool_full"}')
    events = logged(flags["database_url"], namespace)

    assert len(events) == 25
    assert {str(event.id) for event in events} == ids
    assert dropped == 0


def test_a_server_does_not_wait_for_the_schema(
    bundle: Bundle, tmp_path: Path, early: dict[str, str], namespace: str
) -> None:
    """Before the migration a server is ready and answers; what it answered arrives afterwards."""
    with serving(bundle, tmp_path, **early) as server:
        ids = ask(server, 3)
        wait_until(lambda: server.metric(SPOOLED) == 3)
        wait_until(lambda: server.metric(TRIES.format("unavailable")) > 0)
        migrate(early["database_url"])
        wait_until(lambda: server.metric(SPOOLED) == 0)
        refused = server.metric(TRIES.format("refused"))
    events = logged(early["database_url"], namespace)

    assert {str(event.id) for event in events} == ids
    assert refused == 0


def test_a_connection_shows_while_it_is_open(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str]
) -> None:
    """One connection is open while a batch waits for PostgreSQL, and none once it is stored."""
    with serving(bundle, tmp_path, **flags) as server:
        with transaction(engine(flags["database_url"])) as other:
            other.execute(text("LOCK TABLE predictions"))
            ask(server, 1)
            wait_until(lambda: server.metric(CONNECTIONS) == 1)
        wait_until(lambda: server.metric(CONNECTIONS) == 0)
        stored = server.metric(WRITTEN)

    assert stored == 1


def test_kill_loses_nothing_that_was_spooled(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str, stopped: Postgres
) -> None:
    """After kill -9 the next server on the same spool brings every spooled event in, once."""
    with serving(bundle, tmp_path, **flags) as server:
        ids = ask(server, 10)
        wait_until(lambda: server.metric(SPOOLED) == 10)
        server.send(signal.SIGKILL)
        server.wait_end()
    stopped.start()
    with serving(bundle, tmp_path, **flags) as server:
        wait_until(lambda: server.metric(WRITTEN) == 10)
    events = logged(flags["database_url"], namespace)

    assert len(events) == 10
    assert {str(event.id) for event in events} == ids


def test_odd_request_ids_arrive(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str
) -> None:
    """Whatever a client calls its request, the event arrives; PostgreSQL's text has no NUL."""
    tensor = {"name": "input", "shape": [1, 3], "datatype": "FP64", "data": [1.1, 2.2, 7.0]}
    with serving(bundle, tmp_path, **flags) as server:
        for name in ("nul\0", "tab\t\\N", "\u2028ä"):
            code, _ = server.ask("/v2/models/small/infer", {"id": name, "inputs": [tensor]})
            assert code == 200
        wait_until(lambda: len(logged(flags["database_url"], namespace)) == 3)

    events = logged(flags["database_url"], namespace)
    assert {event.request_id for event in events} == {"nul", "tab\t\\N", "\u2028ä"}


def test_a_disabled_log_keeps_nothing(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str]
) -> None:
    """With the mode Disabled answers carry no id and there is no spool."""
    with serving(bundle, tmp_path, **flags, log_mode="Disabled") as server:
        _, answer = server.ask("/predict", ROW)

    assert "prediction_id" not in answer
    assert not (tmp_path / "spool").exists()
