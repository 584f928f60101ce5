"""Labels of a real server: from the answer over the spool to PostgreSQL, whatever fails between."""

import signal
from pathlib import Path
from typing import Any

from model_server.serving import ServerProcess, serving
from sqlalchemy import text
from support.databases import empty_database, migrate_to
from support.waiting import wait_until

from taxon_bundle.bundle import Bundle
from taxon_cli.local.postgres import Postgres
from taxon_datastore.accuracy import accuracy_of_days
from taxon_datastore.database import engine, transaction
from taxon_datastore.schema import migrate

ROW = {"length": 1.1, "width": 2.2, "batch": 7}


def predict(server: ServerProcess) -> str:
    """Ask for a prediction; return its id."""
    code, answer = server.ask("/predict", ROW)
    assert code == 200, answer
    return str(answer["prediction_id"])


def label(server: ServerProcess, prediction: str) -> str:
    """Send a label; return what became of it."""
    items = [{"prediction_id": prediction, "label": "malignant"}]
    code, answer = server.ask("/labels", {"labels": items})
    assert code == 200, answer
    return str(answer["results"][0]["outcome"])


def labelled(url: str, namespace: str) -> tuple[int, int]:
    """Return how many of the namespace's predictions are labelled, and how many right."""
    found = [one for one in accuracy_of_days(engine(url), days=2) if one.namespace == namespace]
    return sum(one.labelled for one in found), sum(one.correct for one in found)


def stored(url: str, namespace: str) -> list[dict[str, Any]]:
    """Return a namespace's labels."""
    with transaction(engine(url)) as connection:
        query = text("SELECT * FROM labels WHERE namespace = :namespace")
        return [dict(row) for row in connection.execute(query, {"namespace": namespace}).mappings()]


def test_a_label_finds_its_prediction(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str
) -> None:
    """Once the prediction is stored its label is accepted, and counts."""
    with serving(bundle, tmp_path, **flags) as server:
        prediction = predict(server)
        wait_until(lambda: server.metric("prediction_log_written_total") >= 1)
        outcome = label(server, prediction)
        wait_until(lambda: labelled(flags["database_url"], namespace) == (1, 1))

    assert outcome == "accepted"


def test_a_label_waits_while_the_database_is_away(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str, stopped: Postgres
) -> None:
    """It is pending, and stored with its prediction once the database is back."""
    with serving(bundle, tmp_path, **flags) as server:
        outcome = label(server, predict(server))
        stopped.start()
        wait_until(lambda: labelled(flags["database_url"], namespace) == (1, 1))

    assert outcome == "pending"


def test_a_label_that_was_answered_survives_the_server(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str, stopped: Postgres
) -> None:
    """A server that is killed at once after its answer leaves it to the next one."""
    with serving(bundle, tmp_path, **flags) as server:
        prediction = predict(server)
        label(server, prediction)
        server.send(signal.SIGKILL)
        server.wait_end()
    stopped.start()

    with serving(bundle, tmp_path, **flags):
        wait_until(lambda: len(stored(flags["database_url"], namespace)) == 1)

    [row] = stored(flags["database_url"], namespace)
    assert str(row["prediction_id"]) == prediction


def test_a_label_waits_for_a_newer_schema(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], postgres: Postgres, namespace: str
) -> None:
    """Under the schema of a release without labels it is pending, and stored by the migration."""
    with empty_database(postgres) as url:
        migrate_to(url, "0002")
        with serving(bundle, tmp_path, **flags | {"database_url": url}) as server:
            outcome = label(server, predict(server))
            migrate(url)
            wait_until(lambda: labelled(url, namespace) == (1, 1))

    assert outcome == "pending"


def test_a_spool_that_cannot_be_used_takes_no_labels(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str]
) -> None:
    """The server answers predictions, and says that labels are to be sent again."""
    unusable = tmp_path / "a file"
    unusable.write_text("")
    with serving(bundle, tmp_path, **flags | {"spool_folder": str(unusable)}) as server:
        items = [{"request_id": "r1", "label": "benign"}]
        code, answer = server.ask("/labels", {"labels": items})

    assert code == 503
    assert "cannot be written to the server's spool" in answer["detail"]


def test_a_server_without_a_log_takes_no_labels(bundle: Bundle, tmp_path: Path) -> None:
    """It says what to set."""
    with serving(bundle, tmp_path) as server:
        items = [{"request_id": "r1", "label": "benign"}]
        code, answer = server.ask("/labels", {"labels": items})

    assert code == 409
    assert "are not logged" in answer["detail"]


def test_labels_are_taken_until_the_server_ends(
    bundle: Bundle, tmp_path: Path, flags: dict[str, str], namespace: str
) -> None:
    """While it drains it takes them like predictions, and stores them before it ends."""
    with serving(bundle, tmp_path, **flags | {"drain_seconds": "2"}) as server:
        prediction = predict(server)
        server.send(signal.SIGTERM)
        wait_until(lambda: server.ask("/v2/health/ready")[0] == 503)
        label(server, prediction)
        code = server.wait_end()

    assert code == 0
    assert labelled(flags["database_url"], namespace) == (1, 1)
