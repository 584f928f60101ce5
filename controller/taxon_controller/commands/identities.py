"""Identities of the evaluation's object store (SeaweedFS), with rights by prefix.

An identity's keys are derived from one random seed and its name, so that the store's configuration
and the Secrets of the pods agree without a second copy.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from taxon_contracts import names

SAMPLES = "samples"
"""Bucket of the sample tables, which every namespace reads."""
TABLES = "tables"
"""Bucket of the teams' tables, below the name of their namespace."""
READ = ("Read", "List")
WRITE = (*READ, "Write")


@dataclass(frozen=True)
class Identity:
    """A pair of keys and what they allow, each action as SeaweedFS writes it."""

    name: str
    access_key: str
    secret_key: str
    actions: tuple[str, ...]


def trainer(seed: str, namespace: str, bundles: str) -> Identity:
    """Return who reads a namespace's tables, and reads and writes its bundles."""
    actions = (
        *_allowed(READ, f"s3://{SAMPLES}"),
        *_allowed(READ, f"s3://{TABLES}/{namespace}"),
        *_allowed(WRITE, _bundles_of(namespace, bundles)),
    )
    return _identity(seed, f"{namespace}/trainer", actions)


def server(seed: str, namespace: str, bundles: str) -> Identity:
    """Return who reads a namespace's bundles."""
    return _identity(seed, f"{namespace}/server", _allowed(READ, _bundles_of(namespace, bundles)))


def tables(seed: str, namespace: str) -> Identity:
    """Return who puts tables where a namespace's trainers find them."""
    return _identity(seed, f"{namespace}/tables", _allowed(WRITE, f"s3://{TABLES}/{namespace}"))


def cleanup(seed: str, bundles: str) -> Identity:
    """Return who removes bundles of any namespace."""
    return _identity(seed, "cleanup", _allowed(WRITE, bundles))


def configuration(
    seed: str, namespaces: Iterable[str], bundles: str, administrator: Mapping[str, str]
) -> str:
    """Return the store's configuration.

    Args:
        seed: the seed of every key.
        namespaces: the model namespaces.
        bundles: root of the bundles, as s3://bucket[/prefix].
        administrator: AWS keys that allow everything.
    """
    access, secret = administrator["AWS_ACCESS_KEY_ID"], administrator["AWS_SECRET_ACCESS_KEY"]
    identities = [
        Identity("admin", access, secret, ("Admin", *WRITE, "Tagging")),
        cleanup(seed, bundles),
        *_of_namespaces(seed, sorted(namespaces), bundles),
    ]
    return json.dumps({"identities": [_document(identity) for identity in identities]})


def _of_namespaces(seed: str, namespaces: Iterable[str], bundles: str) -> Iterator[Identity]:
    for namespace in namespaces:
        yield trainer(seed, namespace, bundles)
        yield server(seed, namespace, bundles)
        yield tables(seed, namespace)


def _bundles_of(namespace: str, bundles: str) -> str:
    return names.namespace_uri(bundles, namespace=namespace)


def _allowed(rights: Iterable[str], uri: str) -> tuple[str, ...]:
    """Return rights on a whole bucket, or on everything below a prefix of one."""
    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    place = f"{bucket}/{prefix}/*" if prefix else bucket
    return tuple(f"{right}:{place}" for right in rights)


def _identity(seed: str, name: str, actions: tuple[str, ...]) -> Identity:
    return Identity(name, derived(seed, f"{name}/access", 20), derived(seed, name, 48), actions)


def derived(seed: str, purpose: str, length: int) -> str:
    """Return random-looking hexadecimal digits that follow from a seed and a purpose."""
    return hmac.new(seed.encode(), purpose.encode(), hashlib.sha256).hexdigest()[:length]


def _document(identity: Identity) -> dict[str, object]:
    keys = {"accessKey": identity.access_key, "secretKey": identity.secret_key}
    return {"name": identity.name, "credentials": [keys], "actions": list(identity.actions)}
