"""`taxon table put`: store a table from disk in the object store."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from taxon_bundle.location import open_store, read_object
from taxon_bundle.storage import BadURI, ObjectMissing, StorageDenied, StorageError
from taxon_cli import exits
from taxon_cli.environment import leading_to
from taxon_cli.exits import fail
from taxon_cli.kubectl import ClusterError, forwarded, secret_values
from taxon_cli.local.ports import HOST
from taxon_cli.resource_file import BadFile
from taxon_cli.table_file import TableFile, read_table_file
from taxon_contracts.resource.part import TableURI

TABLES_BUCKET = "tables"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
INSIDE = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.cluster\.local)?")
"""Host of a Service: Services are reached from outside by a forwarded port."""
HTTP_PORT, HTTPS_PORT = 80, 443

_TABLE_URI: TypeAdapter[str] = TypeAdapter(TableURI)


class BadCall(Exception):  # noqa: N818 - the call is at fault, not this program
    """The arguments are wrong; the message has the remedy."""


@dataclass(frozen=True)
class Call:
    """What the command was called with."""

    file: Path
    uri: str | None
    namespace: str | None
    secret: str
    replace: bool


def put_table(call: Call) -> int:
    """Store a table and print how to use it; return the exit code."""
    try:
        table = read_table_file(call.file)
        uri = _uri(call)
        with _reachable_store(call):
            news = _stored(table, uri, replace=call.replace)
    except (BadCall, BadFile, BadURI) as error:
        return fail(exits.USAGE, str(error))
    except StorageDenied as error:
        return fail(exits.MACHINE, f"{error}{_hint(call)}")
    except (ClusterError, StorageError) as error:
        return fail(exits.MACHINE, str(error))
    sys.stderr.write(f"taxon: {news}; in a ClassifierModel it is spec.dataset.uri\n")
    sys.stdout.write(f"{uri}\n")
    return exits.DONE


def _uri(call: Call) -> str:
    """Return the URI for the table.

    Raises:
        BadCall: neither URI nor namespace is given, or trainers could not read the URI.
    """
    if call.uri is None and call.namespace is None:
        raise BadCall("pass s3://bucket/key, or --namespace to use a cluster's own object store")
    uri = call.uri or f"s3://{TABLES_BUCKET}/{call.namespace}/{call.file.name}"
    try:
        _TABLE_URI.validate_python(uri)
    except ValidationError as error:
        sentence = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadCall(f"{uri}: {sentence}") from error
    if Path(uri).suffix.lower() != call.file.suffix.lower():
        raise BadCall(f"{uri} and {call.file} must have the same suffix, which names the format")
    return uri


def _stored(table: TableFile, uri: str, *, replace: bool) -> str:
    """Store a table; return what was done.

    Raises:
        BadCall: the URI has another table.
        StorageError: the request to the object store failed.
    """
    folder, _, name = uri.rpartition("/")
    store = open_store(f"{folder}/")
    size = f"{len(table.content):,} bytes"
    if replace:
        store.write(name, table.content)
        return f"stored {table.file} ({size})"
    if store.create(name, table.content):
        return f"stored {table.file} ({size})"
    with contextlib.suppress(ObjectMissing):
        if read_object(uri) == table.content:
            return f"{table.file} was already stored"
    raise BadCall(
        f"{uri} exists with another content: choose another name, or pass --replace; to train on"
        " the new table, then set the annotation taxon.dev/retrain to a new value"
    )


@contextlib.contextmanager
def _reachable_store(call: Call) -> Iterator[None]:
    """Point S3 clients at the user's store: that of the environment, or a cluster's.

    Raises:
        BadCall: the environment has no keys.
        ClusterError: the Secret or the object store cannot be reached.
    """
    if call.namespace is None:
        if not set(KEYS) <= os.environ.keys() and "AWS_PROFILE" not in os.environ:
            raise BadCall(
                f"set {' and '.join(KEYS)} (and AWS_ENDPOINT_URL, except for AWS), or pass"
                " --namespace to use the keys of a cluster's Secret"
            )
        yield
        return
    values = secret_values(call.namespace, call.secret)
    missing = [key for key in KEYS if key not in values]
    if missing:
        raise ClusterError(
            f"Secret {call.namespace}/{call.secret} has no {' and '.join(missing)}: name another"
            " with --secret"
        )
    with _endpoint(values.get("AWS_ENDPOINT_URL", "")) as (endpoint, host):
        variables = {key: value for key, value in values.items() if key.startswith("AWS_")}
        with leading_to(variables | endpoint, host=host):
            yield


@contextlib.contextmanager
def _endpoint(url: str) -> Iterator[tuple[dict[str, str], str]]:
    """Yield the variable with an endpoint that this machine can reach, and its host."""
    parts = urlsplit(url)
    inside = INSIDE.fullmatch(parts.hostname or "")
    if inside is None:
        yield ({"AWS_ENDPOINT_URL": url} if url else {}), parts.hostname or HOST
        return
    port = parts.port or (HTTPS_PORT if parts.scheme == "https" else HTTP_PORT)
    with forwarded(inside[2], inside[1], port) as local:
        yield {"AWS_ENDPOINT_URL": f"{parts.scheme}://{HOST}:{local}"}, HOST


def _hint(call: Call) -> str:
    if call.namespace is None or call.uri is None:
        return ""
    return (
        f"; the keys of {call.secret} may write only below s3://{TABLES_BUCKET}/{call.namespace}/"
    )
