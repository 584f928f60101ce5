"""Real bundles of tiny models, and the server's application over them."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from model_server.client import Client
from model_server.fragile import fragile, logging_flags, owner  # noqa: F401 - fixtures
from model_server.kept_labels import KeptLabels
from model_server.mixed import mixed_bundle
from support.training import run_request, small_identity, small_table, train

from taxon_bundle.bundle import Bundle
from taxon_cli.local.postgres import Postgres
from taxon_datastore.prediction_names import Answers, KnownPredictions
from taxon_model_server.exchange import Exchange, KeepBatch
from taxon_model_server.labels.intake import LabelIntake
from taxon_model_server.main import configure_logging
from taxon_model_server.settings import Settings
from taxon_model_server.state import ServerState
from taxon_model_server.telemetry import Telemetry

MakeClient = Callable[..., Client]
MakeLabels = Callable[[Exchange], LabelIntake]
LogLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a binary model over length, width and the constant batch."""
    return train(run_request(small_table(), tmp_path_factory.mktemp("binary")))


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a model of three classes with integer labels."""
    table = small_table(classes=3)
    table["label"] = table["label"].map({"benign": 10, "malignant": 20, "unsure": 30})
    return train(run_request(table, tmp_path_factory.mktemp("three")))


@pytest.fixture(scope="session")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a forest of 100 trees over 30 features."""
    table = small_table(rows=455)
    label = table.pop("label")
    wide = table[["length", "width"]]
    for place in range(28):
        wide[f"copy {place}"] = table["length"].shift(place, fill_value=0.5)
    wide["label"] = label
    parameters = [
        {"name": "n_estimators", "values": ["100"]},
        {"name": "max_depth", "values": ["10"]},
    ]
    identity = small_identity(pipeline={"classifier": {"parameters": parameters}})
    return train(run_request(wide, tmp_path_factory.mktemp("forest"), identity=identity))


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a model over age, fare, the boolean member, the categories port, and deck, dropped."""
    return mixed_bundle(tmp_path_factory.mktemp("mixed"))


@pytest.fixture
def make_client(bundle: Bundle) -> MakeClient:
    """Return a function that makes an HTTP client of a server; its model is loaded by default."""

    def make(
        *,
        served: Bundle = bundle,
        loaded: bool = True,
        log: KeepBatch | None = None,
        labels: MakeLabels | None = None,
        **changes: Any,
    ) -> Client:
        known = {"bundle": served.uri, "digest": served.digest, "name": "small"}
        settings = Settings(**(known | changes))
        exchange = Exchange(
            ServerState(settings.name),
            Telemetry(settings.name),
            log,
            keep_features=settings.log_mode == "Full",
            exclude_features=settings.log_exclude,
        )
        taken = labels(exchange) if labels else None
        client = Client(settings, exchange, taken)
        if loaded:
            client.load()
        return client

    return make


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    """Return a client of the application with the binary model loaded."""
    return make_client()


@pytest.fixture
def mixed_client(make_client: MakeClient, mixed: Bundle) -> Client:
    """Return a client of the application with the mixed model loaded."""
    return make_client(served=mixed)


@pytest.fixture
def labelled_client(make_client: MakeClient) -> Client:
    """Return a client of the binary model with the predictions that the pages' labels are of."""
    kept = KeptLabels()
    one = UUID("019a1f60-5a00-7c3d-9a55-0d1f6f0c3b1e")
    kept.known = KnownPredictions({one: "small"}, {"visit-1207": Answers(1, one)})
    return make_client(labels=kept)


@pytest.fixture
def namespace() -> str:
    """Return a namespace of this test alone."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def flags(database_url: str, namespace: str, tmp_path: Path) -> dict[str, str]:
    """Return the flags of a server that logs."""
    return {
        "database_url": database_url,
        "namespace": namespace,
        "spool_folder": str(tmp_path / "spool"),
    }


@pytest.fixture
def stopped(postgres: Postgres, database_url: str) -> Iterator[Postgres]:
    """Yield a migrated PostgreSQL that is down; it is up again afterwards."""
    assert database_url
    postgres.stop()
    yield postgres
    postgres.stop()
    postgres.start()


@pytest.fixture
def log_lines() -> LogLines:
    """Configure logging as a server does; return a function that returns what was logged."""
    stream = io.StringIO()
    configure_logging(stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
