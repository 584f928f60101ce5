"""The only module that talks to the Kubernetes API with the official client.

Objects travel as plain JSON: the client's classes would cost most of the controller's time.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, Literal, NoReturn
from urllib.parse import urlencode

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException

from taxon_contracts import names
from taxon_kube.api import (
    INFERENCE_SERVICE,
    KINDS,
    AlreadyExists,
    Conflict,
    Kind,
    KindMissing,
    Manifest,
    NotTheWriter,
    Refused,
    Unavailable,
    WebhookUnavailable,
)
from taxon_kube.deadline import DeadlinePassed, bounded, deadline

__all__ = ["Cluster", "Configuration", "load_configuration"]

CONNECT_SECONDS = 5.0
CALL_SECONDS = 30.0
"""Seconds one call may take in total."""
PAGE = 500
ADMISSION_MANAGER = f"{names.FIELD_MANAGER}-admission"
NOT_FOUND, CONFLICT, TOO_MANY, SERVER_ERROR = 404, 409, 429, 500
UNAUTHORIZED = 401
KSERVES_WEBHOOK = re.compile(r'failed calling webhook "[^"]*kserve')

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def load_configuration() -> Configuration:
    """Return the configuration for the API server: the pod's, or that of a kubeconfig.

    Raises:
        ConfigException: there is neither.
    """
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        config.load_kube_config(client_configuration=configuration)
    return configuration


class Cluster:
    """One cluster, seen and changed through its API server."""

    def __init__(
        self,
        configuration: Configuration | None = None,
        *,
        may_write: Callable[[], bool] = lambda: True,
        wrote: Callable[[str, str], None] = lambda _verb, _kind: None,
        connections: int = 8,
        seconds: float = CALL_SECONDS,
    ) -> None:
        """Connect on the first call.

        Args:
            configuration: of the API server; None: that of the pod or the kubeconfig.
            may_write: called before every write; False refuses it.
            wrote: called with the verb and the kind of every write.
            connections: calls at a time.
            seconds: timeout of one call in total.
        """
        configuration = configuration or load_configuration()
        configuration.retries = False
        configuration.connection_pool_maxsize = connections
        self._client = ApiClient(configuration)
        bounded(self._client.rest_client.pool_manager)
        self._seconds = seconds
        self._may_write = may_write
        self._wrote = wrote

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return one object, or None when there is none."""
        try:
            return self._call("GET", kind, namespace, name)
        except KindMissing:
            return None

    def list(
        self, kind: Kind, namespace: str | None, *, labels: dict[str, str] | None = None
    ) -> list[Manifest]:
        """Return the objects of a namespace (None: of all) that carry these labels."""
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        found: list[Manifest] = []
        while True:
            page = self._call("GET", kind, namespace, query=query)
            stated = {"apiVersion": kind.api_version, "kind": kind.name}
            found += [stated | item for item in page.get("items") or ()]
            query["continue"] = page.get("metadata", {}).get("continue", "")
            if not query["continue"]:
                return found

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object."""
        kind, namespace, _ = _address(manifest)
        query = {"fieldManager": names.FIELD_MANAGER}
        return self._call("POST", kind, namespace, query=query, body=manifest)

    def apply(self, manifest: Manifest) -> Manifest:
        """Apply an object server-side."""
        kind, namespace, name = _address(manifest)
        query = {"fieldManager": names.FIELD_MANAGER, "force": "true"}
        return self._call("PATCH", kind, namespace, name, query=query, body=manifest)

    def try_admission(self, manifest: Manifest) -> None:
        """Send an existing object through admission without changing it."""
        kind, namespace, name = _address(manifest)
        nothing = {
            "apiVersion": kind.api_version,
            "kind": kind.name,
            "metadata": {"name": name, "namespace": namespace},
        }
        query = {"fieldManager": ADMISSION_MANAGER, "dryRun": "All"}
        self._call("PATCH", kind, namespace, name, query=query, body=nothing)

    def replace(self, manifest: Manifest, *, part: str = "") -> Manifest:
        """Replace an object, or its ``status``, over the version it names."""
        kind, namespace, name = _address(manifest)
        query = {"fieldManager": names.FIELD_MANAGER}
        path = f"{name}/{part}" if part else name
        try:
            return self._call("PUT", kind, namespace, path, query=query, body=manifest)
        except KindMissing as error:
            raise Conflict(f"{kind.name}/{name} no longer exists") from error

    def delete(self, kind: Kind, manifest: Manifest) -> None:
        """Delete exactly the object that was read, and what it owns in the background."""
        metadata = manifest["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
        }
        try:
            self._call("DELETE", kind, metadata["namespace"], metadata["name"], body=options)
        except KindMissing:
            return

    def _call(
        self,
        method: Method,
        kind: Kind,
        namespace: str | None,
        name: str = "",
        *,
        query: dict[str, str] | None = None,
        body: Manifest | None = None,
    ) -> Manifest:
        if method != "GET" and "dryRun" not in (query or {}):
            if not self._may_write():
                raise NotTheWriter("this process does not hold the Lease: nothing is written")
            self._wrote(method.lower(), kind.name)
        place = f"/namespaces/{namespace}" if namespace else ""
        path = f"{kind.path}{place}/{kind.plural}{f'/{name}' if name else ''}"
        return self._request(method, path, kind, query or {}, body)

    def _request(
        self, method: Method, path: str, kind: Kind, query: dict[str, str], body: Manifest | None
    ) -> Manifest:
        headers = {"Accept": "application/json"}
        if body is not None:
            applied = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
            headers["Content-Type"] = applied
        try:
            with deadline(self._seconds):
                self._client.update_params_for_auth(headers, [], ["BearerToken"])
                answer = self._client.request(
                    method,
                    f"{self._client.configuration.host}{path}?{urlencode(query)}",
                    headers=headers,
                    body=body,
                    _request_timeout=(CONNECT_SECONDS, self._seconds),
                )
        except DeadlinePassed as error:
            raise Unavailable(f"{method} {path}: {error}") from error
        except ApiException as error:
            _raise(error, f"{method} {path}", kind)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{method} {path}: {type(error).__name__}") from error
        return _content(answer.data, f"{method} {path}")


def _content(data: bytes, call: str) -> Manifest:
    """Return the object in an answer; a proxy in between may answer with anything."""
    try:
        content = json.loads(data)
    except ValueError as error:
        raise Unavailable(f"{call}: the answer is not JSON") from error
    if not isinstance(content, dict):
        raise Unavailable(f"{call}: the answer is not an object")
    return content


def _address(manifest: Manifest) -> tuple[Kind, str, str]:
    """Return kind, namespace and name of an object."""
    metadata = manifest["metadata"]
    kind = KINDS.get(manifest["kind"]) or Kind(
        manifest["kind"], manifest["apiVersion"], f"{manifest['kind'].lower()}s"
    )
    return kind, metadata["namespace"], metadata["name"]


def _raise(error: ApiException, call: str, kind: Kind) -> NoReturn:
    """Raise the error that an answer stands for."""
    status = error.status or 0
    answer = _status(error)
    message = f"{call}: {answer.get('message', error.reason)}"
    if status == NOT_FOUND:
        raise KindMissing(message) from error
    if status == CONFLICT and answer.get("reason") == "AlreadyExists":
        raise AlreadyExists(message) from error
    if status == CONFLICT:
        raise Conflict(message) from error
    if kind == INFERENCE_SERVICE and KSERVES_WEBHOOK.search(message):
        raise WebhookUnavailable(message) from error
    if status in (0, UNAUTHORIZED, TOO_MANY) or status >= SERVER_ERROR:
        raise Unavailable(message, retry_after=_retry_after(error)) from error
    raise Refused(message) from error


def _status(error: ApiException) -> dict[str, Any]:
    try:
        content = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _retry_after(error: ApiException) -> float | None:
    try:
        seconds = float((error.headers or {}).get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None
