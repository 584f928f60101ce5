"""Labels in a real PostgreSQL, under the role of a namespace's servers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from model_server.client import Client
from model_server.conftest import MakeClient
from sqlalchemy import Engine, text
from support import databases
from support.logged import id_at, predict

from taxon_bundle.bundle import Bundle
from taxon_cli.local.postgres import Postgres
from taxon_contracts.names import database_role
from taxon_datastore.accuracy import accuracy_of_days
from taxon_datastore.database import engine, transaction
from taxon_datastore.intake import store_rows
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.schema import migrate
from taxon_model_server.exchange import Exchange
from taxon_model_server.labels.intake import LabelIntake
from taxon_model_server.labels.lookup import PredictionLookup

SERVERS = {"fraud": "secret of fraud", "churn": "secret of churn"}
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def owner(postgres: Postgres) -> Iterator[Engine]:
    """Yield an engine of the owner of a database with the roles of two namespaces."""
    with databases.empty_database(postgres) as url:
        migrate(url, DatabaseRoles.model_validate({"servers": SERVERS}))
        yield engine(url)


@pytest.fixture(autouse=True)
def emptied(owner: Engine) -> None:
    """Begin each test without rows."""
    databases.execute(owner, "TRUNCATE predictions, labels")


def role_url(owner: Engine, namespace: str) -> str:
    """Return the URL of the servers of a namespace."""
    role = database_role(namespace, database=str(owner.url.database))
    url = owner.url.set(username=role, password=SERVERS[namespace])
    return url.render_as_string(hide_password=False)


@pytest.fixture
def serve(make_client: MakeClient, owner: Engine) -> Any:
    """Return what makes a client of a server of a namespace that stores labels at once."""

    def made(namespace: str = "fraud", served: Bundle | None = None) -> Client:
        url = role_url(owner, namespace)

        def labels(exchange: Exchange) -> LabelIntake:
            return LabelIntake(
                exchange.state,
                exchange.telemetry,
                namespace=namespace,
                keep=partial(store_rows, engine(url)),
                find=PredictionLookup(url, namespace=namespace, model="small"),
            )

        others = {} if served is None else {"served": served}
        return make_client(labels=labels, namespace=namespace, **others)

    return made


def mine(owner: Engine, **changes: Any) -> str:
    """Store a prediction of the model in the namespace fraud; return its id."""
    known: dict[str, Any] = {"namespace": "fraud", "model": "small", "time": NOW}
    return str(predict(owner, **(known | changes)))


def sent(client: Client, **item: Any) -> dict[str, Any]:
    """Send one label; return what became of it."""
    answer = client.post("/labels", json={"labels": [{"label": "benign"} | item]}).json()
    [result] = answer["results"]
    return dict(result)


def stored(owner: Engine) -> list[dict[str, Any]]:
    """Return the labels that are stored, in the order they were received."""
    with transaction(owner) as connection:
        rows = connection.execute(text("SELECT * FROM labels ORDER BY received_at"))
        return [dict(row) for row in rows.mappings()]


def counted(owner: Engine) -> list[tuple[str, int, int, int]]:
    """Return namespace, predictions, labelled and correct of each version."""
    found = accuracy_of_days(owner, days=3)
    return [(one.namespace, one.predictions, one.labelled, one.correct) for one in found]


def test_a_label_is_stored_as_it_was_sent(serve: Any, owner: Engine) -> None:
    """Every column, text of every kind among them; the time in UTC."""
    prediction = mine(owner)
    submitter = "Ward 7 · 日本語 🦠 \\N \t"
    seen = "2026-01-02T03:04:05.000006+02:00"

    result = sent(serve(), prediction_id=prediction, observed_at=seen, submitter=submitter)

    [row] = stored(owner)
    assert result["outcome"] == "accepted"
    assert (row["namespace"], row["model"], row["label"]) == ("fraud", "small", "benign")
    assert (str(row["prediction_id"]), row["request_id"]) == (prediction, None)
    assert row["observed_at"] == datetime(2026, 1, 2, 1, 4, 5, 6, tzinfo=UTC)
    assert row["submitter"] == submitter
    assert abs(row["received_at"] - datetime.now(UTC)) < timedelta(minutes=5)


def test_an_integer_label_is_stored_as_one(
    serve: Any, owner: Engine, three_classes: Bundle
) -> None:
    """Whatever type it was sent with, it equals the answer."""
    prediction = mine(owner, label=20)

    sent(serve(served=three_classes), prediction_id=prediction, label="20")

    assert [row["label"] for row in stored(owner)] == [20]
    assert counted(owner) == [("fraud", 1, 1, 1)]


def test_a_label_that_is_sent_again_changes_nothing(serve: Any, owner: Engine) -> None:
    """By the same name of its prediction; the first one stays."""
    client, prediction = serve(), mine(owner, request_id="r1")
    for _ in range(2):
        sent(client, prediction_id=prediction)
        sent(client, request_id="r1")

    assert len(stored(owner)) == 2
    assert counted(owner) == [("fraud", 1, 1, 1)]


def test_a_correction_counts_whichever_comes_first(serve: Any, owner: Engine) -> None:
    """All are kept; the newest observation decides, also when it came before the others."""
    client, prediction = serve(), mine(owner)
    for label, seen in (("malignant", "01"), ("benign", "03"), ("malignant", "02")):
        sent(client, prediction_id=prediction, label=label, observed_at=f"2026-01-{seen}T00:00:00Z")

    assert len(stored(owner)) == 3
    assert counted(owner) == [("fraud", 1, 1, 1)]


def test_a_correction_without_times_counts(serve: Any, owner: Engine) -> None:
    """Within one request the later item is the newer one."""
    prediction = mine(owner)
    items = [{"prediction_id": prediction, "label": one} for one in ("malignant", "benign")]

    serve().post("/labels", json={"labels": items})

    assert counted(owner) == [("fraud", 1, 1, 1)]


def test_a_label_of_another_model_is_refused(serve: Any, owner: Engine) -> None:
    """With the model it is of; nothing is stored."""
    result = sent(serve(), prediction_id=mine(owner, model="birds"))

    assert (result["outcome"], stored(owner)) == ("refused", [])
    assert "is of model 'birds'" in result["reason"]


def test_a_label_of_another_namespace_is_refused(serve: Any, owner: Engine) -> None:
    """Its prediction is not visible, so that it is as one that does not exist."""
    old = NOW - timedelta(days=2)
    result = sent(serve("churn"), prediction_id=mine(owner, time=old))

    assert (result["outcome"], stored(owner)) == ("refused", [])
    assert "the log has no prediction" in result["reason"]


def test_a_pending_label_of_another_namespace_never_counts(serve: Any, owner: Engine) -> None:
    """A recent id could be one on its way; the label is kept under the server's own namespace."""
    result = sent(serve("churn"), prediction_id=mine(owner, request_id="r1"))
    by_request = sent(serve("churn"), request_id="r1")

    assert (result["outcome"], by_request["outcome"]) == ("pending", "pending")
    assert {row["namespace"] for row in stored(owner)} == {"churn"}
    assert counted(owner) == [("fraud", 1, 0, 0)]


def test_a_label_waits_for_its_prediction(serve: Any, owner: Engine) -> None:
    """By prediction id and by request id: it counts as soon as the prediction is there."""
    client, late = serve(), id_at(NOW)
    outcomes = [sent(client, prediction_id=str(late)), sent(client, request_id="r7")]
    before = counted(owner)

    mine(owner, id=late)
    mine(owner, request_id="r7")

    assert [one["outcome"] for one in outcomes] == ["pending", "pending"]
    assert (before, counted(owner)) == ([], [("fraud", 2, 2, 2)])


def test_a_request_of_several_predictions_is_refused(serve: Any, owner: Engine) -> None:
    """Which of them is meant is unknown."""
    for _ in range(3):
        mine(owner, request_id="batch")

    result = sent(serve(), request_id="batch")

    assert (result["outcome"], stored(owner)) == ("refused", [])
    assert "has 3 predictions: label them by prediction_id" in result["reason"]


def test_a_server_sees_its_own_figures_only(serve: Any, owner: Engine) -> None:
    """The functions behind the view have the rights of whoever asks."""
    sent(serve(), prediction_id=mine(owner))
    mine(owner, namespace="churn")

    assert counted(engine(role_url(owner, "fraud"))) == [("fraud", 1, 1, 1)]
    assert counted(engine(role_url(owner, "churn"))) == [("churn", 1, 0, 0)]
