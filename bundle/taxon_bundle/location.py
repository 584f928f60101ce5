"""The store of a URI: S3, or a folder that behaves like it."""

import re
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from taxon_bundle.storage import BadURI, FolderStore, Store

S3_SCHEMES = ("s3", "taxon+s3")
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_store(uri: str) -> Store:
    """Return the store for ``s3://bucket/prefix/``, ``file:///folder/`` or a path.

    Raises:
        BadURI: it is none of these, or leads outside its bucket.
    """
    if not _is_s3(uri):
        return FolderStore(_local_path(uri))
    from taxon_bundle.s3 import s3_store  # noqa: PLC0415 - boto3 takes longer to import than a folder's bundle to serve

    bucket, prefix = _bucket_and_key(uri)
    prefix = prefix.strip("/")
    return s3_store(bucket, f"{prefix}/" if prefix else "")


def read_object(uri: str) -> bytes:
    """Return the content of one object, given by URI or path.

    Raises:
        ObjectMissing: there is none.
        StorageDenied: the credentials do not allow it.
        StorageUnavailable: storage does not answer.
        BadURI: storage does not know such a URI.
    """
    if _is_s3(uri):
        folder, _, key = uri.rpartition("/")
        _bucket_and_key(uri)
        return open_store(f"{folder}/").read(key)
    path = _local_path(uri)
    return FolderStore(path.parent).read(path.name)


def copy_object(uri: str, file: IO[bytes]) -> None:
    """Write the content of one object of S3 to a file, a block at a time.

    Raises:
        ObjectMissing: there is none.
        StorageDenied: the credentials do not allow it.
        StorageUnavailable: storage does not answer.
        BadURI: it is no URI of S3.
    """
    if not _is_s3(uri):
        raise BadURI(f"{uri}: use s3://bucket/key or a path")
    from taxon_bundle.s3 import s3_store  # noqa: PLC0415 - boto3 takes longer to import than a folder's bundle to serve

    bucket, key = _bucket_and_key(uri)
    s3_store(bucket, "").copy(key, file)


def _is_s3(uri: str) -> bool:
    """Return whether a URI is one of S3's.

    Raises:
        BadURI: it holds a character no URI may hold.
    """
    if CONTROL_CHARACTER.search(uri):  # urlsplit would drop some of them in silence
        raise BadURI(f"{uri!r} contains a line break or another control character: remove it")
    return urlsplit(uri).scheme in S3_SCHEMES


def _bucket_and_key(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.partition("://")[2].partition("/")
    if not BUCKET.fullmatch(bucket):
        raise BadURI(f"{uri} does not name a bucket: use s3://bucket/key")
    if {".", ".."} & set(key.split("/")):
        raise BadURI(f"{uri} has . or .. as a part of its key: write the key without them")
    return bucket, key


def _local_path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme:
        raise BadURI(f"{uri}: use s3://bucket/key, file:///folder or a path")
    return Path(uri)
