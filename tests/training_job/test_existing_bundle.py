"""A run that finds a bundle at its destination: it judges it again and fits nothing."""

import json
from pathlib import Path

import pytest
from support.training import (
    VERSION,
    carried_out,
    failing,
    run_request,
    small_identity,
    small_table,
    train,
)

from taxon_bundle.bundle import Bundle, files_of, open_bundle, seal
from taxon_bundle.classifier import Classifier, check_golden
from taxon_contracts.manifest import GOLDEN_NAME, MODEL_NAME, OUT_OF_FOLD_NAME, REFERENCE_NAME
from taxon_contracts.reference import read_reference
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


def sealed_by_an_earlier_release(bundle: Bundle, folder: Path) -> Bundle:
    """Seal a bundle's files as before: no out-of-fold predictions, and a profile of deciles."""
    files = {name: bundle.read(name) for name in bundle.manifest.files if name != OUT_OF_FOLD_NAME}
    deciles = {"edges": [0.0, 1.0], "counts": [9], "mean": 0.5, "std": 1.0, "min": 0.0, "max": 1.0}
    files[REFERENCE_NAME] = json.dumps({"length": deciles}).encode()
    manifest = bundle.manifest.model_copy(update={"files": files_of(files)})
    return seal(f"{folder}/earlier/", manifest, files, run_record=b"{}")


def test_a_bundle_of_an_earlier_release_is_judged_again_and_served(tmp_path: Path) -> None:
    """What it lacks costs its drift and its calibration, nothing else."""
    request = run_request(small_table(), tmp_path)
    first = carried_out(request).result
    assert first.bundle_uri is not None
    assert first.manifest_digest is not None
    bundle = open_bundle(first.bundle_uri, first.manifest_digest)
    earlier = sealed_by_an_earlier_release(bundle, tmp_path)

    again = carried_out(request.model_copy(update={"destination": earlier.uri}))
    check_golden(Classifier.load(earlier), earlier.read(GOLDEN_NAME))

    assert again.training is None
    assert again.result == first.model_copy(
        update={
            "bundle_uri": earlier.uri,
            "manifest_digest": earlier.digest,
            "reused": True,
        }
    )
    assert read_reference(earlier.read(REFERENCE_NAME)) is None


def test_a_bundle_of_an_earlier_release_can_be_the_live_one(tmp_path: Path) -> None:
    """A new version is compared with it."""
    bundle = train(run_request(small_table(), tmp_path / "live"))
    earlier = sealed_by_an_earlier_release(bundle, tmp_path)
    champion = {"version": VERSION, "bundle_uri": earlier.uri, "manifest_digest": earlier.digest}
    result = carried_out(
        run_request(small_table(), tmp_path / "new", version="v1111111111", champion=champion)
    ).result

    assert result.champion is not None
    assert result.champion.gain == 0


def test_a_bundle_of_a_release_that_left_text_out_is_judged_by_its_own_inputs(
    tmp_path: Path,
) -> None:
    """So a new limit of the gate asks for no training."""
    names = ("length", "width", "batch")
    dataset = {"uri": "s3://samples/small.csv", "target": "label"}
    numbers = small_identity(dataset={**dataset, "features": [{"name": name} for name in names]})
    request = run_request(small_table().assign(port=["Cork", "Brest", ""] * 40), tmp_path)
    earlier = carried_out(request.model_copy(update={"identity": numbers})).result
    today = carried_out(request).result

    assert today.reused
    assert (today.metrics, today.rows) == (earlier.metrics, earlier.rows)
    assert [(one.name, one.why) for one in today.left_out] == [("port", "not used by this version")]


def test_another_models_bundle_at_the_destination_is_refused(tmp_path: Path) -> None:
    """It is not judged as if it were this one's."""
    train(run_request(small_table(), tmp_path))
    failure = failing(run_request(small_table(), tmp_path, version="v9999999999"))

    assert failure.reason == "BundleCorrupt"
    assert f"holds the bundle of default/small/{VERSION}" in failure.message
