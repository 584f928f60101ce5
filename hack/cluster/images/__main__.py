"""``python -m hack.cluster.images``: the command behind ``make images``."""

import os
import platform
import sys
from collections.abc import Sequence

from hack.cluster import layout, preflight
from hack.cluster.images.buildah import Buildah
from hack.cluster.images.docker import Docker
from hack.cluster.images.image import BASE, Builder, Image, all_images
from hack.cluster.steps import ClusterError, step

MEGABYTE = 1_000_000
MOST = {"controller": 150, "model-server": 350, "monitor": 150, "training-job": 500}
"""Megabytes an image may have over the base."""


def choose() -> Builder:
    """Return the tool this machine can build images with.

    Raises:
        ClusterError: it has none.
    """
    if preflight.docker_answers():
        return Docker()
    if platform.system() == "Linux" and os.geteuid() == 0:
        return Buildah()
    raise ClusterError("Images need a running Docker engine, or Linux and root")


def make(image: Image, builder: Builder) -> None:
    """Build an image, and save it if it differs from the saved one."""
    with step(f"Building {image.reference}"):
        built = builder.build(image)
        if is_kept(image, built):
            return
        image.identity.unlink(missing_ok=True)
        partial = image.archive.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        builder.save(image, partial)
        partial.replace(image.archive)
        image.identity.write_text(built)


def report(images: Sequence[Image], builder: Builder) -> None:
    """Print the size of each image.

    Raises:
        ClusterError: one is larger than it may be.
    """
    base = builder.size(BASE)
    for image in images:
        size = builder.size(image.reference)
        added = (size - base) / MEGABYTE
        print(f"{image.reference:40} {size / MEGABYTE:5.0f} MB, {added:4.0f} MB over {BASE}")
        if added > MOST.get(image.name, added):
            raise ClusterError(
                f"{image.name} may have {MOST[image.name]} MB over {BASE}:"
                " drop what it never runs in its Dockerfile"
            )


def is_kept(image: Image, built: str) -> bool:
    """Return whether the archive holds the image with the id ``built``."""
    kept = image.archive.exists() and image.identity.exists()
    return kept and image.identity.read_text() == built


def main() -> int:
    """Build every image; a failure is one sentence."""
    layout.IMAGES.mkdir(parents=True, exist_ok=True)
    try:
        builder = choose()
        builder.prepare_base()
        images = all_images()
        for image in images:
            make(image, builder)
        report(images, builder)
    except ClusterError as error:
        print(f"{error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
