"""Where a URI leads: to S3, or to a folder that behaves like it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from taxon_bundle.storage import FolderStore, Store

S3_SCHEMES = ("s3", "taxon+s3")


class UnknownScheme(ValueError):  # noqa: N818 - a state, not a fault
    """A URI is none that storage knows."""


def open_store(uri: str) -> Store:
    """Return the store for ``s3://bucket/prefix/``, ``file:///folder/`` or a path.

    Raises:
        UnknownScheme: the scheme is none of these.
    """
    parts = urlsplit(uri)
    if parts.scheme in S3_SCHEMES:
        from taxon_bundle.s3 import s3_store  # noqa: PLC0415 - boto3 takes longer to import than a folder's bundle to serve

        prefix = parts.path.strip("/")
        return s3_store(parts.netloc, f"{prefix}/" if prefix else "")
    return FolderStore(_local_path(uri))


def read_object(uri: str) -> bytes:
    """Return the content of one object, given by URI or path.

    Raises:
        ObjectMissing: there is none.
        StorageDenied: the credentials do not allow it.
        StorageUnavailable: storage does not answer.
        UnknownScheme: the URI is none that storage knows.
    """
    if urlsplit(uri).scheme in S3_SCHEMES:
        folder, _, key = uri.rpartition("/")
        return open_store(f"{folder}/").read(key)
    path = _local_path(uri)
    return FolderStore(path.parent).read(path.name)


def _local_path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme:
        raise UnknownScheme(f"{uri}: use s3://bucket/key, file:///folder or a path")
    return Path(uri)
