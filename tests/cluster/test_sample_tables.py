"""The samples with gaps, text and booleans on the real cluster, as a person applies them."""

import base64
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, make_url
from support.kubectl import find, forwarded, kubectl, prometheus_value
from support.lifecycle import Life
from support.release import SYSTEM
from support.waiting import wait_until

from hack import samples
from hack.cluster import layout
from taxon_bundle.bundle import Bundle, open_bundle
from taxon_bundle.codec import Codec
from taxon_cli.local.questions import plain_question, v2_question
from taxon_contracts.manifest import GOLDEN_NAME
from taxon_datastore.database import engine
from taxon_datastore.predictions import recent_predictions

NAMES = ("penguins", "tic-tac-toe", "titanic")
READY_SECONDS = 240

pytestmark = pytest.mark.usefixtures("object_store")


@dataclass(frozen=True)
class Sample:
    """A sample that is live."""

    life: Life

    @cached_property
    def bundle(self) -> Bundle:
        """Return the bundle of the live version."""
        record = self.life.record(self.life.live)
        return open_bundle(record["bundleURI"], record["manifestDigest"])

    @cached_property
    def golden(self) -> Any:
        """Return rows as a client writes them, and scikit-learn's answers."""
        return json.loads(self.bundle.read(GOLDEN_NAME))

    def ask(self, path: str, body: Any) -> Any:
        """Return the answer of the live version's URL."""
        host = f"{self.life.name}.{self.life.namespace}.example.com"
        connection = http.client.HTTPConnection("127.0.0.1", layout.GATEWAY_PORT, timeout=10)
        try:
            headers = {"Host": host, "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        assert response.status == http.HTTPStatus.OK, answer
        return answer


@pytest.fixture(scope="module", params=NAMES)
def sample(request: pytest.FixtureRequest, release: str) -> Iterator[Sample]:
    """Yield a sample that was applied from its file and is Ready."""
    assert release
    life = Life(request.param)
    life.delete()
    kubectl("apply", "-n", life.namespace, "-f", str(samples.SAMPLES / f"{life.name}.yaml"))
    try:
        life.become_ready(seconds=READY_SECONDS)
        yield Sample(life)
    finally:
        life.delete()


@pytest.fixture(scope="module")
def database(release: str) -> Iterator[Engine]:
    """Yield an engine on the log that the namespace's servers write."""
    assert release
    secret = find("secret", "taxon-postgres", "default")
    assert secret
    url = make_url(base64.b64decode(secret["data"]["url"]).decode())
    with forwarded("taxon-postgres", SYSTEM, 5432) as port:
        local = url.set(host="127.0.0.1", port=port)
        yield engine(local.render_as_string(hide_password=False))


def test_v2_gives_scikit_learns_answers(sample: Sample) -> None:
    """Every golden row at once, as one tensor per feature."""
    rows = sample.golden["rows"]
    question = v2_question(rows[0], Codec(sample.bundle.manifest.features), identifier="golden")
    for place, tensor in enumerate(question["inputs"]):
        tensor |= {"shape": [len(rows)], "data": [row[place] for row in rows]}
    answer = sample.ask(f"/v2/models/{sample.life.name}/infer", question)
    outputs = {one["name"]: one["data"] for one in answer["outputs"]}

    differences = np.ravel(sample.golden["probabilities"]) - outputs["probabilities"]
    assert np.abs(differences).max() <= sample.golden["tolerance"]
    assert outputs["label"] == sample.golden["labels"]


def test_predict_gives_scikit_learns_answer_and_the_log_has_the_row(
    sample: Sample, database: Engine
) -> None:
    """A row with a gap, where the table has some: the log keeps text, booleans and null."""
    rows = sample.golden["rows"]
    place = next((place for place, row in enumerate(rows) if None in row), 0)
    question = plain_question(rows[place], sample.bundle.manifest.features)
    answer = sample.ask("/predict", question)

    expected = sample.golden["probabilities"][place]
    difference = np.subtract(list(answer["probabilities"].values()), expected)
    assert np.abs(difference).max() <= sample.golden["tolerance"]

    def logged() -> dict[str, Any]:
        life = sample.life
        events = recent_predictions(database, namespace=life.namespace, model=life.name, limit=1000)
        return {str(event.id): event.features for event in events}

    wait_until(lambda: answer["prediction_id"] in logged(), seconds=30, every=0.5)
    assert logged()[answer["prediction_id"]] == tuple(rows[place])


def test_the_committed_request_is_answered(sample: Sample) -> None:
    """As the samples' README shows it."""
    request = json.loads(samples.row_file(f"{sample.life.name}.csv").read_text())
    assert sample.ask("/predict", request)["prediction"] in sample.bundle.manifest.classes


def test_an_unseen_category_is_answered_and_counted(sample: Sample) -> None:
    """The answer warns; Prometheus has the feature."""
    features = sample.bundle.manifest.features
    question = plain_question(sample.golden["rows"][0], features)
    feature = next(one.name for one in features if one.type == "Categorical" and not one.dropped)
    answer = sample.ask("/predict", question | {feature: "Atlantis"})

    assert any(feature in warning for warning in answer["warnings"])
    labels = f'model="{sample.life.name}",feature="{feature}"'
    assert prometheus_value(f"sum(unseen_categories_total{{{labels}}}) > 0", seconds=90) >= 1


@pytest.mark.parametrize("sample", ["titanic"], indirect=True)
def test_the_status_names_the_columns_that_were_left_out(sample: Sample) -> None:
    """With the reason, in the condition and in the record."""
    for message in (
        sample.life.condition("GatePassed")["message"],
        sample.life.record(sample.life.live)["message"],
    ):
        assert "left out: " in message
        assert "'name' (" in message
        assert "'boarded' (" in message
