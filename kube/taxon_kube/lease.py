"""Leader election: only the holder of the Lease writes.

A Lease does not fence: a process that was paused can continue and believe that it still holds it.
Therefore it is checked before every write, with a clock that includes the pause, and every write
carries the resource version that was read, so that a late one conflicts.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from taxon_kube.api import LEASE, AlreadyExists, Api, ApiError, Conflict, Manifest
from taxon_kube.waiting import wait_until

logger = logging.getLogger(__name__)

NAME = "taxon-controller"
RENEWALS = 3
"""Renewals during the duration of a Lease."""
SAFE_SHARE = 0.8
"""Part of the Lease's time in which its holder trusts it."""


class LeaseLost(Exception):  # noqa: N818 - a state, not a fault
    """Another process holds the Lease now."""


@dataclass
class Lease:
    """One process's view of the Lease."""

    api: Api
    namespace: str
    identity: str
    seconds: float
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    _renewed: float = float("-inf")
    _holds: bool = False
    _seen: tuple[str, str] = ("", "")
    _seen_at: float = field(default=float("-inf"))

    def held(self) -> bool:
        """Return whether this process may write now."""
        return self._holds and self.monotonic() < self._renewed + self.seconds * SAFE_SHARE

    def renewed_at(self) -> float:
        """Return when the Lease was last renewed, on the monotonic clock."""
        return self._renewed

    def hold(self) -> bool:
        """Take or renew the Lease; return whether this process holds it.

        Raises:
            ApiError: the API server did not answer.
        """
        began = self.monotonic()
        there = self.api.get(LEASE, self.namespace, NAME)
        try:
            if there is None:
                self.api.create(self._stated(None))
            elif not self._may_take(there):
                self._holds = False
                return False
            else:
                self.api.replace(self._stated(there))
        except (AlreadyExists, Conflict):
            self._holds = False
            return False
        self._renewed, self._holds = began, True
        return True

    def release(self) -> None:
        """Release the Lease, so that the next process can take it at once."""
        if not self._holds:
            return
        self._holds = False
        there = self.api.get(LEASE, self.namespace, NAME)
        if there is not None and there["spec"].get("holderIdentity") == self.identity:
            spec = there["spec"] | {"holderIdentity": ""}
            self.api.replace(there | {"spec": spec})

    def _may_take(self, there: Manifest) -> bool:
        """Return whether the Lease is ours, free, or expired.

        Its times are from another machine's clock, so it expires once this process has seen it
        unchanged for its whole duration.
        """
        holder = there["spec"].get("holderIdentity") or ""
        if holder in ("", self.identity):
            return True
        seen = (holder, str(there["spec"].get("renewTime")))
        if seen != self._seen:
            self._seen, self._seen_at = seen, self.monotonic()
        return self.monotonic() >= self._seen_at + self.seconds

    def _stated(self, there: Manifest | None) -> Manifest:
        time_text = self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = there["spec"] if there else {}
        taken = before.get("holderIdentity") != self.identity
        spec = {
            **before,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(max(1, self.seconds)),
            "renewTime": time_text,
            "acquireTime": time_text if taken else before.get("acquireTime"),
            "leaseTransitions": before.get("leaseTransitions", 0) + int(taken and bool(before)),
        }
        metadata = there["metadata"] if there else {"name": NAME, "namespace": self.namespace}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": spec,
        }


def acquire(lease: Lease, stop: threading.Event) -> bool:
    """Wait until this process holds the Lease; return False when it is stopped first."""
    return wait_until(lease.hold, stop, every=lease.seconds / RENEWALS, what="the Lease")


def keep(lease: Lease, stop: threading.Event, *, renewed: Callable[[], None]) -> None:
    """Renew the Lease until stopped, and report each renewal; retry while the API server is down.

    Raises:
        LeaseLost: another process holds it now.
    """
    while not stop.wait(lease.seconds / RENEWALS):
        try:
            if not lease.hold():
                raise LeaseLost("another controller holds the Lease: this one stops")
            renewed()
        except ApiError as error:
            logger.warning("The Lease cannot be renewed: %s", error)
