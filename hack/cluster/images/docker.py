"""Images built by a Docker engine, on the upstream base."""

from dataclasses import dataclass
from pathlib import Path

from hack.cluster import layout
from hack.cluster.images.image import BASE, Image
from hack.cluster.steps import run


@dataclass(frozen=True)
class Docker:
    """The engine that answers `docker info`."""

    def prepare_base(self) -> None:
        """Pull the base, whose size the others are compared with."""
        run(["docker", "pull", "--quiet", BASE], log="images")

    def build(self, image: Image) -> str:
        """Build an image with BuildKit and return its id."""
        names = ["--tag", image.reference, "--file", str(image.folder / "Dockerfile")]
        command = ["docker", "buildx", "build", "--load", *names, str(layout.ROOT)]
        run(command, log=f"image-{image.name}")
        return self._inspect(image.reference, "{{.Id}}")

    def size(self, reference: str) -> int:
        """Return the bytes of all layers of an image."""
        return int(self._inspect(reference, "{{.Size}}"))

    def save(self, image: Image, archive: Path) -> None:
        """Write an image to an archive."""
        run(["docker", "save", "--output", str(archive), image.reference], log="images")

    def _inspect(self, reference: str, template: str) -> str:
        return run(
            ["docker", "image", "inspect", "--format", template, reference], log="images"
        ).strip()
