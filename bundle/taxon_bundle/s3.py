"""The only module that talks to S3."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from taxon_bundle.storage import BadURI, ObjectMissing, StorageDenied, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK_BYTES = 1024 * 1024
MISSING_CODES = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
DENIED_CODES = ("401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
BAD_CODES = ("InvalidBucketName", "InvalidURI", "KeyTooLongError")
EXISTS_CODES = ("412", "PreconditionFailed")
"""Not 409: another writer is writing and may still fail, so a retry is useful."""


@dataclass(frozen=True)
class S3Store:
    """Objects below a prefix of a bucket."""

    client: "S3Client"
    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        """Return the bucket and prefix, ending with a slash."""
        return f"s3://{self.bucket}/{self.prefix}"

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        """Return an object's content, or its first ``limit`` bytes."""
        with _errors(f"{self.uri}{key}"):
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)
            with contextlib.closing(answer["Body"]) as body:
                return body.read() if limit is None else body.read(limit)

    def copy(self, key: str, file: IO[bytes]) -> None:
        """Write an object's content to a file, a block at a time."""
        with _errors(f"{self.uri}{key}"):
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)
            with contextlib.closing(answer["Body"]) as body:
                for block in body.iter_chunks(BLOCK_BYTES):
                    file.write(block)

    def write(self, key: str, content: bytes) -> None:
        """Write an object, with a checksum the server verifies."""
        with _errors(f"{self.uri}{key}"):
            self.client.put_object(
                Bucket=self.bucket,
                Key=self.prefix + key,
                Body=content,
                ChecksumAlgorithm="SHA256",
            )

    def create(self, key: str, content: bytes) -> bool:
        """Write an object unless there is one (``If-None-Match: *``)."""
        with _errors(f"{self.uri}{key}"):
            try:
                self.client.put_object(
                    Bucket=self.bucket,
                    Key=self.prefix + key,
                    Body=content,
                    ChecksumAlgorithm="SHA256",
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if _code(error) in EXISTS_CODES:
                    return False
                raise
            return True

    def keys(self) -> tuple[str, ...]:
        """Return the key of every object, below the prefix."""
        with _errors(self.uri):
            pages = self.client.get_paginator("list_objects_v2")
            return tuple(
                found["Key"].removeprefix(self.prefix)
                for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix)
                for found in page.get("Contents", ())
            )

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone is not an error."""
        with _errors(f"{self.uri}{key}"):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)


def s3_store(bucket: str, prefix: str) -> S3Store:
    """Return the store below a prefix, for the credentials and endpoint in the environment."""
    return S3Store(_client(), bucket, prefix)


def create_bucket(name: str) -> None:
    """Create a bucket; one that is already there, and ours, is left as it is.

    Raises:
        StorageDenied: the credentials do not allow it.
        StorageUnavailable: storage does not answer.
    """
    with _errors(f"s3://{name}/"):
        try:
            _client().create_bucket(Bucket=name)
        except ClientError as error:
            if _code(error) != "BucketAlreadyOwnedByYou":
                raise


def _client() -> "S3Client":
    """Return a client for the credentials and endpoint in the AWS environment variables."""
    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 3},
        s3={"addressing_style": "path"},
    )
    return boto3.Session().client("s3", config=config)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def _errors(uri: str) -> Iterator[None]:
    """Raise S3's errors as errors of storage."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code in MISSING_CODES:
            raise ObjectMissing(f"{uri} does not exist: check bucket and key") from error
        if code in DENIED_CODES:
            raise StorageDenied(
                f"{uri} is denied ({code}): check the credentials and their rights"
            ) from error
        if code in BAD_CODES:
            raise BadURI(f"{uri} is not accepted ({code}): use another URI") from error
        raise StorageUnavailable(f"{uri} failed ({code}): try again later") from error
    except ParamValidationError as error:
        raise BadURI(f"{uri} is not a URI of S3: use s3://bucket/key") from error
    except BotoCoreError as error:
        kind = type(error).__name__
        if kind in ("NoCredentialsError", "PartialCredentialsError"):
            raise StorageDenied(
                f"{uri} needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from error
        raise StorageUnavailable(
            f"{uri} does not answer ({kind}): check AWS_ENDPOINT_URL and the network"
        ) from error
    except OSError as error:
        raise StorageUnavailable(f"{uri} broke off ({error}): try again later") from error
