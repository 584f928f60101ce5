"""The samples with gaps and categories: trained and served on this machine, against scikit-learn.

What a client sends is encoded here a second time, by the manifest alone, so that a fault of the
codec would show.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray

from hack import samples
from taxon_bundle.bundle import Bundle, open_bundle
from taxon_bundle.codec import Codec, Value
from taxon_cli.local.backends import Backends, running_backends
from taxon_cli.local.ports import PortBlock
from taxon_cli.local.questions import plain_question, v2_question
from taxon_cli.local.serving import Server, running_server
from taxon_cli.local.state import State
from taxon_cli.local.training import run_request, train
from taxon_cli.resource_file import read_model
from taxon_contracts.manifest import GOLDEN_NAME, MODEL_NAME, SignatureFeature
from taxon_contracts.run import Champion, RunResult

NAMES = ("penguins", "tic-tac-toe", "titanic")
ROWS = 40
TOLERANCE = {"RandomForest": 0.0, "LogisticRegression": 1e-12}


@dataclass(frozen=True)
class Sample:
    """A sample that is served."""

    name: str
    result: RunResult
    bundle: Bundle
    server: Server

    @property
    def features(self) -> tuple[SignatureFeature, ...]:
        """Return the model's inputs."""
        return self.bundle.manifest.features

    def rows(self) -> list[list[Value]]:
        """Return rows of the table, those with gaps first, then one with an unseen category."""
        cells = csv.DictReader(io.StringIO(samples.table(f"{self.name}.csv")))
        rows = [[samples.value(one[feature.name]) for feature in self.features] for one in cells]
        rows.sort(key=lambda row: None not in row)
        place = next(i for i, one in enumerate(self.features) if one.type == "Categorical")
        return [*rows[:: len(rows) // ROWS], [*rows[0][:place], "Atlantis", *rows[0][place + 1 :]]]

    def expected(self, rows: Sequence[Sequence[Value]]) -> NDArray[np.float64]:
        """Return scikit-learn's probabilities, one row at a time, shape [rows, classes]."""
        pipeline = joblib.load(io.BytesIO(self.bundle.read(MODEL_NAME)))
        kept = [place for place, one in enumerate(self.features) if not one.dropped]
        encoded = np.array(
            [[_code(row[place], self.features[place]) for place in kept] for row in rows]
        )
        return np.concatenate([pipeline.predict_proba(row[None, :]) for row in encoded])


def _code(value: Value, feature: SignatureFeature) -> float:
    match value:
        case None:
            return float("nan")
        case str() if value in feature.categories:
            return float(feature.categories.index(value))
        case str():
            return -1.0
        case _:
            return float(value)


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backends, Path, int]]:
    """Yield an object store with the samples and a database, their folder, and a free port."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch, PortBlock() as ports:
        patch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers another store's keys
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")  # the tests beside this one have the other
        with running_backends(folder, ports) as running:
            yield running, folder, ports.take()


@pytest.fixture(scope="module", params=NAMES)
def sample(
    request: pytest.FixtureRequest, backends: tuple[Backends, Path, int]
) -> Iterator[Sample]:
    """Yield a sample that was trained from its YAML and is served."""
    running, folder, port = backends
    model = read_model(samples.SAMPLES / f"{request.param}.yaml")
    asked = run_request(model, State(folder))
    result, _ = train(asked, folder, "")
    assert result.outcome == "Accepted", result.message
    assert result.bundle_uri
    assert result.manifest_digest
    bundle = open_bundle(result.bundle_uri, result.manifest_digest)
    version = Champion(
        version=asked.version, bundle_uri=bundle.uri, manifest_digest=result.manifest_digest
    )
    with running_server(model, version, running, folder, port) as server:
        yield Sample(request.param, result, bundle, server)


def test_predict_answers_what_scikit_learn_answers(sample: Sample) -> None:
    """Rows with gaps, with text and with a category nobody knows."""
    rows = sample.rows()
    answers = [
        sample.server.post("/predict", plain_question(row, sample.features)).answer for row in rows
    ]

    agrees(sample, [list(one["probabilities"].values()) for one in answers], sample.expected(rows))


def test_v2_answers_what_scikit_learn_answers(sample: Sample) -> None:
    """The same rows at once, as one tensor per feature."""
    rows = sample.rows()
    question = v2_question(rows[0], Codec(sample.features), identifier="all")
    for place, tensor in enumerate(question["inputs"]):
        tensor |= {"shape": [len(rows)], "data": [row[place] for row in rows]}
    answer = sample.server.post(f"/v2/models/{sample.name}/infer", question).answer
    [data] = [one["data"] for one in answer["outputs"] if one["name"] == "probabilities"]

    shape = (len(rows), len(sample.bundle.manifest.classes))
    agrees(sample, np.reshape(data, shape), sample.expected(rows))


def agrees(sample: Sample, answers: Any, expected: NDArray[np.float64]) -> None:
    """Compare as exactly as the family of the classifier can be."""
    tolerance = TOLERANCE[sample.bundle.manifest.classifier]
    assert np.abs(np.array(answers) - expected).max() <= tolerance


def test_the_committed_request_is_answered(sample: Sample) -> None:
    """As the samples' README says."""
    request = json.loads(samples.row_file(f"{sample.name}.csv").read_text())
    answer = sample.server.post("/predict", request).answer

    assert answer["prediction"] in sample.bundle.manifest.classes
    assert "warnings" not in answer


def test_the_golden_rows_are_as_a_client_writes_them(sample: Sample) -> None:
    """Each can be sent as it is, and is answered with scikit-learn's probabilities."""
    golden = json.loads(sample.bundle.read(GOLDEN_NAME))
    row = next((row for row in golden["rows"] if None in row), golden["rows"][0])
    answer = sample.server.post("/predict", plain_question(row, sample.features)).answer
    expected = golden["probabilities"][golden["rows"].index(row)]

    agrees(sample, list(answer["probabilities"].values()), np.array(expected))


@pytest.mark.parametrize("sample", ["titanic"], indirect=True)
def test_columns_of_a_table_are_taken_for_what_they_are(sample: Sample) -> None:
    """Numbers, categories, booleans; and names and dates are left out, with the reason."""
    assert {one.name: (one.type, one.gaps) for one in sample.features} == {
        "pclass": ("Numeric", False),
        "sex": ("Categorical", False),
        "age": ("Numeric", True),
        "sibsp": ("Numeric", False),
        "parch": ("Numeric", False),
        "fare": ("Numeric", True),
        "deck": ("Categorical", True),
        "embarked": ("Categorical", True),
        "alone": ("Boolean", False),
    }
    assert {one.name for one in sample.result.left_out} == {"name", "boarded"}
    assert "'name'" in sample.result.message
    assert "'boarded'" in sample.result.message


@pytest.mark.parametrize("sample", ["titanic"], indirect=True)
def test_the_readme_shows_a_request_and_its_answer(sample: Sample) -> None:
    """The request is the committed one, and the answer what a reader gets, but rounded."""
    readme = (samples.SAMPLES.parents[1] / "README.md").read_text()
    [(sent, shown)] = re.findall(r"-d '(\{[^']*\})'\n\n```json\n(.*?)\n```", readme, re.DOTALL)
    answer = sample.server.post("/predict", json.loads(sent)).answer
    expected = json.loads(shown)

    assert json.loads(sent) == json.loads(samples.row("titanic.csv"))
    for name in ("prediction", "model", "version"):
        assert answer[name] == expected[name]
    assert answer["confidence"] == pytest.approx(expected["confidence"], abs=1e-4)
    assert answer["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)
