"""Reading and writing Secrets: Taxon's own are updated, others are never changed."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from taxon_contracts import names
from taxon_kube.api import Kind, Manifest

SECRET = Kind("Secret", "v1", "secrets")
MANAGER = "taxon-credentials"


class Secrets(Protocol):
    """What this needs of a cluster; see ``api.Api`` for what each call promises."""

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return one object, or None when there is none."""

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object."""

    def replace(self, manifest: Manifest, *, part: str = "") -> Manifest:
        """Replace an object over the version it names."""


class BadSecret(Exception):  # noqa: N818 - a state of the cluster, not a fault here
    """A Secret is not as it must be; the message names it and the remedy."""


@dataclass(frozen=True)
class Content:
    """The values of a Secret, and its annotations for KServe."""

    values: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)


def read(api: Secrets, namespace: str, name: str) -> dict[str, str] | None:
    """Return the values of a Secret, None when there is none."""
    found = api.get(SECRET, namespace, name)
    return None if found is None else _decoded(found)


def read_named(api: Secrets, namespace: str, name: str, keys: tuple[str, ...]) -> dict[str, str]:
    """Return the values of a Secret that the values name.

    Raises:
        BadSecret: it does not exist, or lacks one of ``keys``.
    """
    values = read(api, namespace, name)
    if values is None:
        raise BadSecret(f"Secret {namespace}/{name} does not exist: create it")
    for key in keys:
        if not values.get(key):
            raise BadSecret(f"Secret {namespace}/{name} has no key {key}: add it")
    return values


def read_or_make(
    api: Secrets, namespace: str, name: str, made: Mapping[str, str]
) -> dict[str, str]:
    """Return the values of a Secret: those of ``made`` the first time, the same ones afterwards."""
    found = read(api, namespace, name)
    if found is None:
        return _decoded(api.create(_manifest(namespace, name, Content(made))))
    return found


def write(api: Secrets, namespace: str, name: str, content: Content) -> None:
    """Create a Secret, or update Taxon's own.

    Raises:
        BadSecret: a Secret of this name exists and is not Taxon's.
    """
    wanted = _manifest(namespace, name, content)
    found = api.get(SECRET, namespace, name)
    if found is None:
        api.create(wanted)
        return
    labels = found["metadata"].get("labels") or {}
    if labels.get(names.LABEL_MANAGED_BY) != MANAGER:
        raise BadSecret(
            f"Secret {namespace}/{name} exists and is not Taxon's: delete it, or leave the"
            " namespace out of modelNamespaces"
        )
    same = all(
        (found["metadata"].get(key) or {}) == wanted["metadata"][key]
        for key in ("labels", "annotations")
    )
    if not same or found.get("data") != wanted["data"]:
        wanted["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
        api.replace(wanted)


def _manifest(namespace: str, name: str, content: Content) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "taxon", names.LABEL_MANAGED_BY: MANAGER},
            "annotations": dict(content.annotations),
        },
        "data": {
            key: base64.b64encode(value.encode()).decode()
            for key, value in sorted(content.values.items())
        },
    }


def _decoded(secret: Manifest) -> dict[str, str]:
    data = secret.get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
