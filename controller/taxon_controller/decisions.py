"""What a plan is made of: writes in their order, times to look again, what to say."""

from dataclasses import dataclass
from datetime import datetime

from taxon_contracts.status import Status
from taxon_kube.api import Kind, Manifest


@dataclass(frozen=True)
class Create:
    """Create an object that must not be there yet."""

    manifest: Manifest


@dataclass(frozen=True)
class Apply:
    """Bring an object to a state: over the one that was read, or anew."""

    manifest: Manifest
    over: Manifest | None


@dataclass(frozen=True)
class Delete:
    """Delete exactly the object that was read."""

    kind: Kind
    body: Manifest


@dataclass(frozen=True)
class Finalize:
    """Put Taxon's finalizer on the model, or take it off."""

    wanted: bool


Write = Create | Apply | Delete | Finalize


@dataclass(frozen=True)
class Phase:
    """Where something stands: a reason of the conditions' table and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True)
class Event:
    """One Kubernetes Event about the model."""

    reason: str
    message: str
    warning: bool


@dataclass(frozen=True)
class Plan:
    """Everything one look at a model decides.

    ``writes`` are carried out in their order, then ``status`` is written if it differs from the
    one that was read. ``look_again`` is the next time something falls due by itself.
    """

    writes: tuple[Write, ...]
    status: Status
    events: tuple[Event, ...]
    look_again: datetime | None
