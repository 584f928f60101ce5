"""Bundles are removed whole, and nothing beside them."""

from pathlib import Path

import pytest

from taxon_bundle.location import open_store
from taxon_bundle.removal import remove_below
from taxon_bundle.storage import StorageUnavailable


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an empty root of bundles, of each kind of storage."""
    if request.param == "folder":
        return f"{tmp_path}/bundles"
    bucket = request.getfixturevalue("s3_bucket")
    return f"s3://{bucket}"


def test_a_version_goes_and_its_neighbour_stays(root: str) -> None:
    """Whatever names begin alike."""
    for version in ("v1", "v11"):
        store = open_store(f"{root}/default/wine/{version}/")
        store.write("manifest.json", b"{}")
        store.write("aa/model.joblib", b"model")

    assert remove_below(f"{root}/default/wine/v1/") == 2
    assert remove_below(f"{root}/default/wine/v1/") == 0
    assert open_store(f"{root}/default/wine/v11/").keys() == ("aa/model.joblib", "manifest.json")


def test_the_manifest_goes_first(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal that breaks off leaves no bundle behind that could be taken for whole."""
    store = open_store(f"{root}/default/wine/v1/")
    store.write("aa/model.joblib", b"model")
    store.write("manifest.json", b"{}")
    deletions = []

    def break_off(_: object, key: str) -> None:
        deletions.append(key)
        raise StorageUnavailable("storage is away")

    monkeypatch.setattr(type(store), "delete", break_off)
    with pytest.raises(StorageUnavailable):
        remove_below(f"{root}/default/wine/v1/")

    assert deletions == ["manifest.json"]


@pytest.mark.parametrize("uri", ["s3://taxon/", "s3://taxon/default/", "s3://taxon/default/wine"])
def test_more_than_one_models_bundles_are_never_removed(uri: str) -> None:
    """A mistake in a URI must not cost a namespace."""
    with pytest.raises(ValueError, match="name the folder of a model or a version"):
        remove_below(uri)
