"""A bundle is complete and the requested one, or it is refused with the name of the file."""

import json
from pathlib import Path

import pytest
from support.training import run_request, small_table, train

from taxon_bundle.bundle import (
    Bundle,
    BundleError,
    find_bundle,
    open_bundle,
    parse_manifest,
    seal,
    verify,
)
from taxon_bundle.classifier import Classifier, check_golden
from taxon_contracts.canonical import sha256_digest
from taxon_contracts.manifest import (
    BUNDLE_FILES,
    FORMAT_VERSION,
    GOLDEN_NAME,
    MANIFEST_NAME,
    METRICS_NAME,
    RUN_RECORD_NAME,
    object_key,
)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Return a bundle the trainer sealed in a folder."""
    return train(run_request(small_table(), tmp_path))


def place(bundle: Bundle, name: str) -> Path:
    """Return the file that holds an object of a bundle in a folder."""
    return Path(bundle.uri) / object_key(name, bundle.manifest.files[name].sha256)


def contents(bundle: Bundle) -> dict[str, bytes]:
    """Return every listed file's content."""
    return {name: bundle.read(name) for name in bundle.manifest.files}


def test_a_bundle_lists_every_file_of_the_format(bundle: Bundle) -> None:
    """Nothing of the format is missing, nothing else is listed."""
    assert set(bundle.manifest.files) == set(BUNDLE_FILES)


def test_a_sealed_bundle_verifies(bundle: Bundle) -> None:
    """What the trainer wrote is what the manifest lists."""
    verify(open_bundle(bundle.uri, bundle.digest))


def test_a_bundle_in_object_storage_verifies(tmp_path: Path, s3_bucket: str) -> None:
    """The same bundle has the same digest in S3 and in a folder."""
    table = small_table()
    stored = train(run_request(table, tmp_path / "a", destination=f"s3://{s3_bucket}/v/"))
    local = train(run_request(table, tmp_path / "a"))

    verify(stored)
    assert stored.digest == local.digest


def test_the_digest_is_the_manifest_files(bundle: Bundle) -> None:
    """Anyone can compute it with sha256sum."""
    content = (Path(bundle.uri) / MANIFEST_NAME).read_bytes()

    assert sha256_digest(content) == bundle.digest


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_a_flipped_byte_is_reported_with_the_files_name(bundle: Bundle, name: str) -> None:
    """One bit of any file is enough."""
    file = place(bundle, name)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(BundleError, match="its content is not what the manifest") as caught:
        verify(bundle)
    assert caught.value.file == name


@pytest.mark.parametrize("change", [b"", b"more"])
def test_a_file_of_another_length_is_refused(bundle: Bundle, change: bytes) -> None:
    """A truncated or lengthened file is another file."""
    file = place(bundle, METRICS_NAME)
    file.write_bytes(file.read_bytes() + change if change else b"")

    with pytest.raises(BundleError, match=METRICS_NAME):
        verify(bundle)


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_a_missing_file_is_reported_with_its_name(bundle: Bundle, name: str) -> None:
    """The remedy is in the sentence."""
    place(bundle, name).unlink()

    with pytest.raises(BundleError, match="restore it or train") as caught:
        verify(bundle)
    assert caught.value.file == name


def test_a_flipped_byte_of_the_manifest_is_another_bundle(bundle: Bundle) -> None:
    """The digest pins the manifest itself."""
    file = Path(bundle.uri) / MANIFEST_NAME
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)

    with pytest.raises(BundleError, match="not the"):
        open_bundle(bundle.uri, bundle.digest)


def test_another_bundles_manifest_under_the_uri_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    """A swapped but valid bundle is refused."""
    other = train(run_request(small_table(seed=1), tmp_path / "other"))
    (Path(bundle.uri) / MANIFEST_NAME).write_bytes(other.manifest.encode())

    with pytest.raises(BundleError, match=f"is {other.digest}, not the requested {bundle.digest}"):
        open_bundle(bundle.uri, bundle.digest)


def test_no_bundle_is_reported(tmp_path: Path) -> None:
    """A folder without a manifest holds no bundle."""
    assert find_bundle(str(tmp_path)) is None
    with pytest.raises(BundleError, match="no bundle is sealed"):
        open_bundle(str(tmp_path), "sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format_version": FORMAT_VERSION + 1}, "upgrade Taxon"),
        ({"format_version": 0}, "format_version"),
        ({"features": []}, "features"),
        ({"files": {"classifier.onnx": {}}}, "files"),
        ({"threshold": None}, "positive class"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused(
    bundle: Bundle, change: dict[str, object], sentence: str
) -> None:
    """A newer format asks for an upgrade; anything else names the field."""
    document = {**json.loads(bundle.manifest.encode()), **change}
    content = json.dumps(document).encode()
    (Path(bundle.uri) / MANIFEST_NAME).write_bytes(content)

    with pytest.raises(BundleError, match=sentence) as caught:
        open_bundle(bundle.uri, sha256_digest(content))
    assert caught.value.file == MANIFEST_NAME


def test_a_release_that_knows_format_1_refuses_format_2(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take a category for a number."""
    document = json.loads(bundle.manifest.encode())
    document["format_version"] = 2
    document["features"][0]["gaps"] = True
    monkeypatch.setattr("taxon_bundle.bundle.FORMAT_VERSION", 1)

    with pytest.raises(BundleError, match=r"format 2 is newer than the 1 .*: upgrade Taxon here"):
        parse_manifest(json.dumps(document).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"null"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever bytes stand there, the answer is one sentence."""
    (tmp_path / MANIFEST_NAME).write_bytes(content)

    with pytest.raises(BundleError, match="not a bundle's manifest"):
        find_bundle(str(tmp_path))


def test_a_file_that_is_not_listed_is_not_read(bundle: Bundle) -> None:
    """run.json is beside the manifest, but no digest pins it."""
    with pytest.raises(BundleError, match="does not list it"):
        bundle.read(RUN_RECORD_NAME)


def test_sealing_the_same_again_finds_it_sealed(bundle: Bundle) -> None:
    """Two attempts of a run that end at once agree."""
    again = seal(bundle.uri, bundle.manifest, contents(bundle), run_record=b"{}")

    assert again.digest == bundle.digest


def test_sealing_another_bundle_over_a_sealed_one_is_refused(bundle: Bundle) -> None:
    """A sealed bundle never changes."""
    other = bundle.manifest.model_copy(update={"dataset_digest": "sha256:" + "0" * 64})

    with pytest.raises(BundleError, match="not the"):
        seal(bundle.uri, other, contents(bundle), run_record=b"{}")


def test_a_changed_answer_is_reported(bundle: Bundle) -> None:
    """The server compares its own answers with scikit-learn's before it is ready."""
    golden = json.loads(bundle.read(GOLDEN_NAME))
    golden["probabilities"][0][0] += 1e-9

    with pytest.raises(BundleError, match="an answer differs by 1e-09"):
        check_golden(Classifier.load(bundle), json.dumps(golden).encode())


def test_a_changed_label_is_reported(bundle: Bundle) -> None:
    """A threshold that was tampered with shows in the labels."""
    golden = json.loads(bundle.read(GOLDEN_NAME))
    golden["labels"][0] = "unheard of"

    with pytest.raises(BundleError, match="a label differs"):
        check_golden(Classifier.load(bundle), json.dumps(golden).encode())
