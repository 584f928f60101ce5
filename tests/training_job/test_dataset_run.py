"""A run of a data set: what a run of the file gives, and how it fails without one."""

import json
from pathlib import Path

import pytest
from support.training import run_request, small_identity, small_table

from taxon_bundle.bundle import open_bundle
from taxon_contracts.datasets import DatasetReference
from taxon_contracts.manifest import METRICS_NAME, MODEL_CARD_NAME, SERVING_NAME
from taxon_contracts.run import RunRequest
from taxon_datastore.database import engine
from taxon_datastore.datasets.load import load
from taxon_training_job.failure import RunFailed
from taxon_training_job.progress import Progress
from taxon_training_job.run import Outcome, carry_out

UNREACHABLE = "postgresql://nobody:secret@127.0.0.1:1/nothing"


def dataset_request(folder: Path, name: str, version: int = 1) -> RunRequest:
    """Return a request for a run of a version of a data set."""
    identity = small_identity(dataset={"table": {"name": name}, "target": "label"})
    source = f"dataset://{name}/{version}"
    return run_request(small_table(), folder, source=source, identity=identity)


def failure(request: RunRequest, url: str | None) -> RunFailed:
    """Return how a run fails."""
    with pytest.raises(RunFailed) as caught:
        carry_out(request, Progress(), database_url=url)
    return caught.value


def test_a_data_set_trains_the_same_version_as_its_file(database_url: str, tmp_path: Path) -> None:
    """Metrics, split and serving file are the same; manifest and card name the data set."""
    of_file = run_request(small_table(), tmp_path / "file")
    load(engine(database_url), Path(of_file.source), namespace="default", name="same")
    expected = carry_out(of_file, Progress())
    found = carry_out(
        dataset_request(tmp_path / "set", "same"), Progress(), database_url=database_url
    )
    assert found.result.metrics == expected.result.metrics
    assert found.result.dataset_digest == expected.result.dataset_digest
    for name in (SERVING_NAME, METRICS_NAME):
        assert found.files[name] == expected.files[name]
    assert "- Table: data set same version 1 (sha256:" in found.files[MODEL_CARD_NAME].decode()
    assert manifest(found)["dataset"] == {"name": "same", "version": 1}
    assert "dataset" not in manifest(expected)


def manifest(outcome: Outcome) -> dict[str, object]:
    """Return the manifest a run sealed."""
    assert outcome.result.bundle_uri is not None
    assert outcome.result.manifest_digest is not None
    bundle = open_bundle(outcome.result.bundle_uri, outcome.result.manifest_digest)
    document: dict[str, object] = json.loads(bundle.manifest.encode())
    return document


def test_a_data_set_that_does_not_exist_ends_the_run(database_url: str, tmp_path: Path) -> None:
    """Another attempt would not find it either."""
    failed = failure(dataset_request(tmp_path, "absent"), database_url)
    assert (failed.reason, failed.exit_code) == ("DatasetNotFound", 65)
    assert "has no data set absent: load it with `taxon dataset load`" in failed.message


def test_a_database_that_does_not_answer_is_worth_another_attempt(tmp_path: Path) -> None:
    """The sentence has the remedy, and no password."""
    failed = failure(dataset_request(tmp_path, "any"), UNREACHABLE)
    assert (failed.reason, failed.exit_code) == ("DatabaseUnavailable", 75)
    assert "check the database and DATABASE_URL" in failed.message
    assert "secret" not in failed.message


@pytest.mark.parametrize("url", [None, "mysql://a:secret@b/c"])
def test_a_trainer_without_a_database_says_what_to_set(url: str | None, tmp_path: Path) -> None:
    """A run of a data set cannot begin without its database."""
    failed = failure(dataset_request(tmp_path, "any"), url)
    assert (failed.reason, failed.exit_code) == ("InvalidRun", 65)
    assert "DATABASE_URL" in failed.message
    assert "secret" not in failed.message


def test_a_source_names_what_a_reference_says() -> None:
    """The controller's words are the trainer's."""
    assert DatasetReference(name="same", version=1).source == "dataset://same/1"
