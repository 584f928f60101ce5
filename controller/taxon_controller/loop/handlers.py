"""The watches, through kopf: every change makes its model due, and nothing else happens here.

Only event handlers are used: they set no finalizers and no annotations. Decisions are based on the
state of the cluster, never on the content of an event.
"""

import random
from collections.abc import Callable, Collection, Iterator
from typing import Any

import kopf

from taxon_contracts import names
from taxon_kube.api import (
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    JOB,
    LEASE,
    MODEL,
    SERVICE,
    Kind,
)
from taxon_kube.lease import NAME as LEASE_NAME

Login = Callable[..., kopf.ConnectionInfo | None]
login: Login = kopf.login_via_client
CHILDREN = (JOB, SERVICE, INFERENCE_SERVICE, HTTP_ROUTE)
LONGEST_PAUSE_SECONDS = 20.0


class EndlessPauses:
    """Pauses that grow to a limit, without end, each jittered: outages end at some time."""

    def __iter__(self) -> Iterator[float]:
        """Yield the next pause in seconds."""
        pause = 0.5
        while True:
            yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def operator_settings() -> kopf.OperatorSettings:
    """Return kopf's settings: no scanning, no Events of its own, unlimited retries."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.networking.error_backoffs = EndlessPauses()
    settings.networking.enforce_retry_after = True
    settings.watching.connect_timeout = 10
    settings.watching.server_timeout = 300
    settings.watching.chunk_size = 500
    settings.process.ultimate_exiting_timeout = None
    for kind in CHILDREN:
        group, version = _group(kind)
        settings.watching.label_selectors[(group, version, kind.plural)] = names.LABEL_MODEL
    return settings


def watch_models(
    add: Callable[[tuple[str, str]], None], login: Login, *, children: Collection[Kind] = CHILDREN
) -> kopf.OperatorRegistry:
    """Return the handlers that make a model due when it or one of its objects changes."""
    registry = _registry(login)

    @kopf.on.event(*_group(MODEL), MODEL.plural, registry=registry, id="model")
    async def model_changed(namespace: str | None, name: str | None, **_: Any) -> None:
        add((namespace or "", name or ""))

    for kind in children:
        _watch_owned(registry, kind, add)
    return registry


def watch_own_namespace(
    add: Callable[[tuple[str, str]], None], heard: Callable[[], None], login: Login
) -> kopf.OperatorRegistry:
    """Return the handlers for the controller's own namespace: its Lease and clean-up Jobs."""
    registry = _registry(login)

    @kopf.on.event(*_group(LEASE), LEASE.plural, registry=registry, id="heartbeat")
    async def lease_changed(name: str | None, **_: Any) -> None:
        if name == LEASE_NAME:
            heard()

    _watch_owned(registry, JOB, add)
    return registry


def _registry(login: Login) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    kopf.on.login(registry=registry, id="login")(login)
    return registry


def _watch_owned(
    registry: kopf.OperatorRegistry, kind: Kind, add: Callable[[tuple[str, str]], None]
) -> None:
    @kopf.on.event(
        *_group(kind),
        kind.plural,
        registry=registry,
        id=kind.plural,
        labels={names.LABEL_MODEL: kopf.PRESENT},
    )
    async def owned_changed(namespace: str | None, labels: kopf.Labels, **_: Any) -> None:
        home = labels.get(names.LABEL_MODEL_NAMESPACE) or namespace or ""
        add((home, labels[names.LABEL_MODEL]))


def _group(kind: Kind) -> tuple[str, str]:
    """Return group and version of a kind, the core group being empty."""
    group, _, version = kind.api_version.rpartition("/")
    return group, version
