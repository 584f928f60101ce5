import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from hack.cluster import layout
from hack.cluster.images.__main__ import MOST, make, report
from hack.cluster.images.image import BASE, Image, all_images
from hack.cluster.steps import ClusterError

IMAGES = {image.name: image for image in all_images()}
MEGABYTES = {BASE: 100, "docker.io/taxon/part:1.2.3": 350}


@dataclass
class Recorder:
    """A builder that writes down what it is asked for."""

    identity: str = "sha256:1"
    saved: list[str] = field(default_factory=list)
    broken: bool = False

    def prepare_base(self) -> None:
        """Need no base."""

    def build(self, image: Image) -> str:
        """Return the id set beforehand."""
        assert image.folder.name == "part"
        return self.identity

    def size(self, reference: str) -> int:
        """Return round figures."""
        return MEGABYTES[reference] * 1_000_000

    def save(self, image: Image, archive: Path) -> None:
        """Write the id as the archive, or break off half-way."""
        archive.write_text(self.identity)
        self.saved.append(image.reference)
        if self.broken:
            raise ClusterError("the disk is full")


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Image:
    """Return an image whose archive goes to a folder of the test."""
    monkeypatch.setattr(layout, "IMAGES", tmp_path)
    monkeypatch.setattr(layout, "LOGS", tmp_path / "logs")
    return Image(tmp_path / "part", "1.2.3")


def test_every_deployable_has_an_image_named_after_its_folder() -> None:
    """The folders with a Dockerfile give the images, without one being listed by hand."""
    assert {"controller", "evaluation", "model-server", "monitor", "training-job"} <= set(IMAGES)
    assert IMAGES["model-server"].reference.startswith("docker.io/taxon/model-server:")


def test_the_chart_asks_for_the_images_that_are_built() -> None:
    """The chart's registry and version make the names `make images` gives."""
    chart = yaml.safe_load((layout.ROOT / "charts/taxon/Chart.yaml").read_text())
    values = yaml.safe_load((layout.ROOT / "charts/taxon/values.yaml").read_text())
    asked = f"{values['image']['registry']}/model-server:{chart['appVersion']}"
    assert asked == IMAGES["model-server"].reference


@pytest.mark.parametrize("name", IMAGES)
def test_a_dockerfile_keeps_the_rules(name: str) -> None:
    """Stages stand on the one base or each other, and the last one runs as a plain number."""
    text = (IMAGES[name].folder / "Dockerfile").read_text()
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    final = text[text.rindex("\nFROM ") + 1 :]
    assert bases - stages == {BASE}
    assert final.startswith(f"FROM {BASE}\n")
    assert re.search(r"^USER 65532:65532$", final, re.MULTILINE)
    assert "pip" not in final


def test_an_image_is_kept(image: Image) -> None:
    """The archive holds the image that was built."""
    make(image, Recorder())
    assert image.archive.read_text() == "sha256:1"


def test_every_size_is_reported(image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    """A line says an image's size and what it adds to the base."""
    report([image], Recorder())
    line = f"{image.reference} 350 MB, 250 MB over {BASE}"
    assert capsys.readouterr().out.split() == line.split()


def test_an_image_past_its_size_is_refused(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that has grown past what it may have fails the build, with the remedy."""
    monkeypatch.setitem(MOST, image.name, 249)
    with pytest.raises(ClusterError, match=r"part may have 249 MB over .*: drop what"):
        report([image], Recorder())


def test_an_unchanged_image_is_not_written_again(image: Image) -> None:
    """Building the same image leaves the archive, so that no cluster loads it again."""
    builder = Recorder()
    make(image, builder)
    make(image, builder)
    assert builder.saved == [image.reference]


def test_a_changed_image_replaces_the_archive(image: Image) -> None:
    """Another id means another archive."""
    make(image, Recorder())
    make(image, Recorder(identity="sha256:2"))
    assert image.archive.read_text() == "sha256:2"


def test_a_lost_archive_is_written_again(image: Image) -> None:
    """An id without its archive counts for nothing."""
    builder = Recorder()
    make(image, builder)
    image.archive.unlink()
    make(image, builder)
    assert image.archive.exists()


def test_a_broken_write_is_not_taken_for_an_archive(image: Image) -> None:
    """What breaks off half-way leaves the earlier archive, and the next call writes again."""
    make(image, Recorder())
    with pytest.raises(ClusterError):
        make(image, Recorder(identity="sha256:2", broken=True))
    assert image.archive.read_text() == "sha256:1"
    make(image, Recorder(identity="sha256:2"))
    assert image.archive.read_text() == "sha256:2"
