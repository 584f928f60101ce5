"""Which images there are, what they are called, and what a tool that builds them must do."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hack.cluster import layout

BASE = "python:3.11-slim"
"""What every Dockerfile builds on."""


@dataclass(frozen=True)
class Image:
    """The image of the Dockerfile in ``folder``; folder ``model-server`` is taxon/model-server."""

    folder: Path
    version: str

    @property
    def name(self) -> str:
        """Return the image's name without the project's."""
        return self.folder.name

    @property
    def reference(self) -> str:
        """Return the name that pods use."""
        return f"docker.io/taxon/{self.name}:{self.version}"

    @property
    def archive(self) -> Path:
        """Return where the image is kept."""
        return layout.IMAGES / f"{self.name}.tar"

    @property
    def identity(self) -> Path:
        """Return the file that holds the id of the image in the archive."""
        return layout.IMAGES / f"{self.name}.id"


class Builder(Protocol):
    """A tool that builds images from Dockerfiles."""

    def prepare_base(self) -> None:
        """Make sure that BASE exists."""

    def build(self, image: Image) -> str:
        """Build an image and return its id."""

    def size(self, reference: str) -> int:
        """Return the bytes of all layers of an image."""

    def save(self, image: Image, archive: Path) -> None:
        """Write an image to an archive that `ctr images import` and kind read."""


def all_images() -> list[Image]:
    """Return the image of every deployable, and of the evaluation back ends."""
    project = tomllib.loads((layout.ROOT / "pyproject.toml").read_text())["project"]
    files = [*layout.ROOT.glob("*/Dockerfile"), *layout.ROOT.glob("hack/*/Dockerfile")]
    return [Image(file.parent, project["version"]) for file in sorted(files)]
