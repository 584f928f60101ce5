"""A bundle: files sealed by a manifest whose digest pins them all."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from taxon_bundle.location import open_store
from taxon_bundle.storage import ObjectMissing, Store
from taxon_contracts.canonical import sha256_digest
from taxon_contracts.document import read
from taxon_contracts.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    RUN_RECORD_NAME,
    File,
    Manifest,
    object_key,
)

MANIFEST_MAX_BYTES = 8 * 1024 * 1024


class BundleError(Exception):
    """A bundle is not what it should be."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__(f"{file}: {message}")
        self.file = file


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: the manifest is known and pins everything read through it."""

    store: Store = field(repr=False)
    manifest: Manifest
    content: bytes = field(repr=False)
    """The manifest's exact bytes, which the digest is computed from."""

    @property
    def digest(self) -> str:
        """Return the bundle's digest."""
        return sha256_digest(self.content)

    @property
    def uri(self) -> str:
        """Return the bundle's folder."""
        return self.store.uri

    def read(self, name: str) -> bytes:
        """Return a listed file's content once its size and digest are right.

        Raises:
            BundleError: the file is not listed, missing, or not what the manifest says.
            StorageError: storage did not answer.
        """
        listed = self.manifest.files.get(name)
        if listed is None:
            raise BundleError(name, "the manifest does not list it: train the version again")
        try:
            content = self.store.read(object_key(name, listed.sha256), limit=listed.size + 1)
        except ObjectMissing as error:
            raise BundleError(
                name, f"missing in {self.uri}: restore it or train the version again"
            ) from error
        if len(content) != listed.size or hashlib.sha256(content).hexdigest() != listed.sha256:
            raise BundleError(
                name, f"its content is not what the manifest of {self.uri} lists: do not use it"
            )
        return content


def open_bundle(uri: str, digest: str) -> Bundle:
    """Open the bundle under ``uri`` whose manifest has this digest.

    Raises:
        BundleError: there is none, it is another one, or a newer release wrote it.
        StorageError: storage did not answer.
    """
    store = open_store(uri)
    try:
        content = store.read(MANIFEST_NAME, limit=MANIFEST_MAX_BYTES)
    except ObjectMissing as error:
        raise BundleError(MANIFEST_NAME, f"no bundle is sealed under {uri}") from error
    found = sha256_digest(content)
    if found != digest:
        raise BundleError(
            MANIFEST_NAME, f"the bundle under {uri} is {found}, not the requested {digest}"
        )
    return Bundle(store, parse_manifest(content), content)


def find_bundle(uri: str) -> Bundle | None:
    """Return the sealed bundle under ``uri``, or None when there is none.

    Raises:
        BundleError: the manifest cannot be read.
        StorageError: storage did not answer.
    """
    store = open_store(uri)
    try:
        content = store.read(MANIFEST_NAME, limit=MANIFEST_MAX_BYTES)
    except ObjectMissing:
        return None
    return Bundle(store, parse_manifest(content), content)


def parse_manifest(content: bytes) -> Manifest:
    """Return the manifest in these bytes.

    Raises:
        BundleError: it is not a manifest, or one of a newer format.
    """
    try:
        document: Any = json.loads(content)
        version = document["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(MANIFEST_NAME, "it is not a bundle's manifest") from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BundleError(
            MANIFEST_NAME,
            f"format {version} is newer than the {FORMAT_VERSION} this release reads:"
            " upgrade Taxon here",
        )
    try:
        return read(Manifest, content)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise BundleError(MANIFEST_NAME, f"{path}: {first['msg']}") from error


def verify(bundle: Bundle) -> None:
    """Check every listed file.

    Raises:
        BundleError: one is missing or not what the manifest says.
    """
    for name in bundle.manifest.files:
        bundle.read(name)


def files_of(contents: Mapping[str, bytes]) -> dict[str, File]:
    """Return the manifest's entries for these files."""
    return {
        name: File(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        for name, content in contents.items()
    }


def seal(
    uri: str, manifest: Manifest, contents: Mapping[str, bytes], *, run_record: bytes
) -> Bundle:
    """Write a bundle: every file, then ``run.json``, then the manifest, which makes it readable.

    A run that is killed before the last write leaves nothing that reads as a bundle; the next
    attempt writes the same keys again.

    Raises:
        BundleError: another bundle is sealed under ``uri``.
        StorageError: storage did not answer.
    """
    store = open_store(uri)
    for name, listed in manifest.files.items():
        store.write(object_key(name, listed.sha256), contents[name])
    store.write(RUN_RECORD_NAME, run_record)
    content = manifest.encode()
    if not store.create(MANIFEST_NAME, content):
        return open_bundle(uri, sha256_digest(content))
    return Bundle(store, manifest, content)
