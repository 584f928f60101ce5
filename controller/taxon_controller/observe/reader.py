"""Reads objects through the API server; what cannot be read is noted, and never raised."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from taxon_contracts import names
from taxon_controller.domain.model import Model
from taxon_controller.domain.ownership import owned_by
from taxon_controller.observe.observed import Unread
from taxon_kube.api import Api, ApiError, Kind, KindMissing, Manifest, Unavailable

Parsed = TypeVar("Parsed")
Found = TypeVar("Found")

SECONDS = 30.0
"""After this many seconds a reconciliation starts no further read: other models need its worker."""


@dataclass
class Reader:
    """The reads of one reconciliation, and what could not be read."""

    api: Api
    unread: list[Unread] = field(default_factory=list)
    monotonic: Callable[[], float] = time.monotonic
    _began: float | None = None

    def owned(self, kind: Kind, model: Model) -> list[Manifest] | None:
        """Return the model's objects of a kind, or None when the kind is not installed."""
        labels = {names.LABEL_MODEL: model.name}
        try:
            found = self._read(lambda: self.api.list(kind, model.namespace, labels=labels))
        except KindMissing:
            return None
        except ApiError as error:
            self._note(kind, model.namespace, error)
            return []
        return [body for body in found if owned_by(body, model.uid)]

    def labelled(self, kind: Kind, namespace: str, labels: dict[str, str]) -> list[Manifest]:
        """Return the objects with these labels, of any owner."""
        try:
            return self._read(lambda: self.api.list(kind, namespace, labels=labels))
        except ApiError as error:
            self._note(kind, namespace, error)
            return []

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return one object, or None when there is none."""
        try:
            return self._read(lambda: self.api.get(kind, namespace, name))
        except ApiError as error:
            self._note(kind, namespace, error)
            return None

    def _read(self, call: Callable[[], Found]) -> Found:
        """Make a call, unless the previous calls have taken too long."""
        now = self.monotonic()
        self._began = now if self._began is None else self._began
        if now - self._began >= SECONDS:
            raise Unavailable(f"previous reads took more than {SECONDS:g} s")
        return call()

    def parsed(
        self, kind: Kind, bodies: Iterable[Manifest], parse: Callable[[Manifest], Parsed | None]
    ) -> tuple[Parsed, ...]:
        """Return objects as values; one that is not as its kind should be is noted."""
        found: list[Parsed] = []
        for body in bodies:
            try:
                one = parse(body)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                name = body.get("metadata", {}).get("name", "")
                what = f"{kind.name}/{name} has an unexpected shape ({type(error).__name__})"
                self._note(kind, body["metadata"]["namespace"], Unavailable(what))
            else:
                found += [] if one is None else [one]
        return tuple(found)

    def _note(self, kind: Kind, namespace: str, error: ApiError) -> None:
        self.unread.append(Unread(kind.name, namespace, error))
