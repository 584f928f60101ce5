"""A run that finds a bundle at its destination: it judges it again and fits nothing."""

from pathlib import Path

import pytest
from support.training import VERSION, carried_out, failing, run_request, small_table, train

from taxon_bundle.bundle import seal
from taxon_contracts.manifest import MODEL_NAME
from taxon_training_job import run


def test_a_second_run_judges_the_bundle_again_without_fitting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And gives a full result."""
    request = run_request(small_table(), tmp_path)
    first = carried_out(request)
    monkeypatch.delattr(run, "fit")
    monkeypatch.delattr(run, "sealed_bundle")
    second = carried_out(request)

    assert second.training is None
    assert second.result == first.result.model_copy(update={"reused": True})


def test_a_second_run_verifies_the_bundle(tmp_path: Path) -> None:
    """A flipped byte is found before it is judged."""
    request = run_request(small_table(), tmp_path)
    bundle = train(request)
    for file in Path(bundle.uri).rglob(MODEL_NAME):
        file.write_bytes(file.read_bytes()[:-1] + b"?")

    failure = failing(request)
    assert failure.reason == "BundleCorrupt"
    assert MODEL_NAME in failure.message


def test_a_second_run_uses_todays_gate(tmp_path: Path) -> None:
    """The bundle's figures stay, the verdict is new."""
    request = run_request(small_table(), tmp_path)
    train(request)
    strict = request.model_copy(
        update={"gate": request.gate.model_validate({"limits": [{"metric": "brier", "max": 0}]})}
    )
    result = carried_out(strict).result

    assert (result.outcome, result.reason, result.reused) == ("Refused", "LimitNotMet", True)


def test_changed_data_behind_the_same_uri_is_reported_with_the_annotation(tmp_path: Path) -> None:
    """A version is immutable; changed data makes another one."""
    train(run_request(small_table(), tmp_path))
    failure = failing(run_request(small_table(seed=1), tmp_path))

    assert failure.reason == "DatasetChanged"
    assert "set the annotation taxon.dev/retrain" in failure.message


def test_a_bundle_whose_labels_were_read_in_another_way_is_reported(tmp_path: Path) -> None:
    """Earlier releases took 01 and 1 for one class: its rule is not one for today's classes."""
    request = run_request(small_table(classes=3), tmp_path)
    bundle = train(request)
    contents = {name: bundle.read(name) for name in bundle.manifest.files}
    merged = bundle.manifest.classes[:2]
    fewer = {"classes": merged, "positive_class": merged[1], "threshold": 0.5}
    other = f"{tmp_path}/other/"
    seal(other, bundle.manifest.model_copy(update=fewer), contents, run_record=b"{}")

    failure = failing(request.model_copy(update={"destination": other}))
    assert failure.reason == "DatasetChanged"
    assert "set the annotation taxon.dev/retrain" in failure.message


def test_another_models_bundle_at_the_destination_is_refused(tmp_path: Path) -> None:
    """It is not judged as if it were this one's."""
    train(run_request(small_table(), tmp_path))
    failure = failing(run_request(small_table(), tmp_path, version="v9999999999"))

    assert failure.reason == "BundleCorrupt"
    assert f"holds the bundle of default/small/{VERSION}" in failure.message
