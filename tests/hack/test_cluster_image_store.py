import os
from pathlib import Path

import pytest

from hack.cluster import archives, image_store, layout
from hack.cluster.archives import ProgramImage

Store = list[tuple[str, ...]]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return what containerd is asked for, in a store that holds an old and a foreign image."""
    commands: Store = []

    def ctr(*words: str) -> str:
        commands.append(words)
        kept = f"{archives.PREFIX}/tool:old\ndocker.io/taxon/controller:0.1.0\n"
        return kept if words[:2] == ("images", "list") else ""

    monkeypatch.setattr(image_store, "ctr", ctr)
    monkeypatch.setattr(layout, "HOME", tmp_path)
    monkeypatch.setattr(layout, "STORE", tmp_path / "store")
    monkeypatch.setattr(layout, "IMAGES", tmp_path / "images")
    layout.STORE.mkdir()
    layout.IMAGES.mkdir()
    return commands


@pytest.fixture
def archive(asked: Store) -> Path:
    """Return the archive of a project's image that was just built."""
    del asked
    path = layout.IMAGES / "controller.tar"
    path.touch()
    return path


def test_project_image_is_loaded_once(asked: Store, archive: Path) -> None:
    """An image that has not changed since it was loaded is not loaded again."""
    image_store.load_project_images()
    image_store.load_project_images()
    assert asked == [("images", "import", str(archive))]


def test_project_image_built_again_is_loaded_again(asked: Store, archive: Path) -> None:
    """A new archive takes the place of the image of the same name."""
    image_store.load_project_images()
    os.utime(archive, ns=(1, 1))
    image_store.load_project_images()
    assert asked == [("images", "import", str(archive))] * 2


def test_images_of_earlier_builds_are_dropped(asked: Store) -> None:
    """An image of the cluster's own that no pod runs any more goes, the project's stay."""
    image_store.load_programs([])
    assert asked[-1] == ("images", "delete", f"{archives.PREFIX}/tool:old")


def test_image_of_a_new_build_is_loaded(asked: Store, tmp_path: Path) -> None:
    """A program built again gets an image of its own."""
    (tmp_path / "new").write_text("")
    image_store.load(ProgramImage("tool", tmp_path / "new", "/tool"))
    assert asked[-1] == ("images", "import", str(tmp_path / "image.tar"))


def test_image_in_the_store_is_not_written_again(asked: Store, tmp_path: Path) -> None:
    """An image that is there costs one question."""
    image_store.load(ProgramImage("tool", tmp_path / "old", "/tool"))
    assert asked == [("images", "list", "--quiet")]
