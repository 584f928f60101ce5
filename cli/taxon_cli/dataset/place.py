"""Where data sets are: a database somebody names, a cluster's, or local mode's."""

import argparse
import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from taxon_cli.dataset.uses import Use, cluster_uses, local_uses
from taxon_cli.kubectl import ClusterError, forwarded, secret_values
from taxon_cli.local.ports import HOST, PortBlock
from taxon_cli.local.postgres import running_postgres
from taxon_cli.local.state import FOLDER, opened_state
from taxon_cli.table import INSIDE
from taxon_contracts.names import DATABASE_SECRETS
from taxon_datastore.database import engine
from taxon_datastore.schema import migrate

DEFAULT_NAMESPACE = "default"
DATABASE_VARIABLE = "DATABASE_URL"
POSTGRES_PORT = 5432
OTHERWISE = f"set {DATABASE_VARIABLE} to a URL that you can reach"


@dataclass(frozen=True)
class Place:
    """A namespace's data sets, and how to ask which models use them."""

    url: str
    namespace: str
    uses: Callable[[], list[Use]] | None
    """None where nobody knows: a database that somebody named without a namespace."""


@contextlib.contextmanager
def opened(options: argparse.Namespace) -> Iterator[Place]:
    """Yield the place the command's arguments and environment lead to.

    Raises:
        ClusterError: the Secret or the database cannot be reached.
        ProcessFailed, StateError: local mode's database cannot be started.
        ValueError: the URL is not one of PostgreSQL.
    """
    namespace: str | None = options.namespace
    if url := os.environ.get(DATABASE_VARIABLE):
        engine(url)  # is refused at once if it is not one of PostgreSQL
        uses = functools.partial(cluster_uses, namespace) if namespace else None
        yield Place(url, namespace or DEFAULT_NAMESPACE, uses)
    elif namespace:
        with _reachable(namespace) as reached:
            yield Place(reached, namespace, functools.partial(cluster_uses, namespace))
    else:
        with (
            opened_state(FOLDER) as state,
            PortBlock() as ports,
            running_postgres(state.folder, ports.take()) as postgres,
        ):
            migrate(postgres.url)
            uses = functools.partial(local_uses, state, ports)
            yield Place(postgres.url, DEFAULT_NAMESPACE, uses)


@contextlib.contextmanager
def _reachable(namespace: str) -> Iterator[str]:
    """Yield the URL in a namespace's Secret, through a forwarded port to a host inside.

    The host's name stays in it, for TLS.
    """
    secret = DATABASE_SECRETS["datasets"]
    url = secret_values(namespace, secret).get("url")
    if not url:
        raise ClusterError(f"Secret {namespace}/{secret} has no url: {OTHERWISE}")
    parts = urlsplit(url)
    inside = INSIDE.fullmatch(parts.hostname or "")
    if inside is None:
        yield url
        return
    port = parts.port or POSTGRES_PORT
    with forwarded(inside[2], inside[1], port, otherwise=OTHERWISE) as local:
        account, _, _ = parts.netloc.rpartition("@")
        query = f"{parts.query}&" if parts.query else ""
        place = f"{account}@{parts.hostname}:{local}"
        yield parts._replace(netloc=place, query=f"{query}hostaddr={quote(HOST)}").geturl()
