"""Makes every model due at intervals, to detect changes that no watch event reported."""

import logging
import random
import threading
from collections.abc import Callable, Collection, Iterable

from taxon_controller.loop.queue import Key
from taxon_controller.settings import Settings
from taxon_kube.api import MODEL, Api, ApiError, Kind, KindMissing
from taxon_kube.waiting import wait_until

logger = logging.getLogger(__name__)

CRD_LOOK_SECONDS = 5.0
KIND_LOOK_SECONDS = 15.0
NO_OBJECT = {"taxon.dev/model": "none"}


class KindAppeared(Exception):  # noqa: N818 - a state, not a fault
    """A kind was installed that is not watched yet: the process restarts."""


def namespaces(settings: Settings) -> tuple[str | None, ...]:
    """Return the watched namespaces; None means all."""
    return settings.watch_namespaces or (None,)


def is_served(api: Api, kind: Kind, settings: Settings) -> bool:
    """Return whether the API server knows a kind.

    Raises:
        ApiError: it did not answer.
    """
    try:
        api.list(kind, namespaces(settings)[0], labels=NO_OBJECT)
    except KindMissing:
        return False
    return True


def await_models(api: Api, settings: Settings, stop: threading.Event) -> bool:
    """Wait until the ClassifierModel is known; return False when stopped first."""

    def served() -> bool:
        known = is_served(api, MODEL, settings)
        if not known:
            logger.warning("The CustomResourceDefinition of ClassifierModel is missing")
        return known

    return wait_until(served, stop, every=CRD_LOOK_SECONDS, what="ClassifierModel")


def await_kinds(
    api: Api, settings: Settings, absent: Collection[Kind], stop: threading.Event
) -> None:
    """Look for kinds that did not exist at the start, until stopped.

    Raises:
        KindAppeared: one of them exists now.
    """
    while not stop.wait(KIND_LOOK_SECONDS):
        for kind in absent:
            try:
                if is_served(api, kind, settings):
                    raise KindAppeared(f"{kind.name} is installed now: starting again to watch it")
            except ApiError as error:
                logger.warning("Waiting for %s: %s", kind.name, error)


def resync(
    api: Api, settings: Settings, add: Callable[[Key, float], None], stop: threading.Event
) -> None:
    """Make every model due once per interval, spread over it, until stopped."""
    while not stop.wait(settings.resync_seconds):
        try:
            _add_all(api, namespaces(settings), add, settings.resync_seconds)
        except ApiError as error:
            logger.warning("Not everything could be listed: %s", error)


def _add_all(
    api: Api, wanted: Iterable[str | None], add: Callable[[Key, float], None], spread: float
) -> None:
    for namespace in wanted:
        for body in api.list(MODEL, namespace):
            metadata = body["metadata"]
            delay = random.uniform(0, spread / 2)  # noqa: S311 - spreads load, no secret
            add((metadata["namespace"], metadata["name"]), delay)
