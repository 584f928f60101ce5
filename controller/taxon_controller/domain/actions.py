"""What can be found out about a model, and what can be done about it."""

from dataclasses import dataclass

from taxon_kube.api import Kind, Manifest


@dataclass(frozen=True)
class Finding:
    """A state and its cause: a reason of the conditions' table, and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True)
class Event:
    """One Kubernetes Event about the model.

    ``about`` is what it is one Event about, such as a Job's uid; the state of the model, if empty.
    """

    finding: Finding
    warning: bool = False
    about: str = ""


@dataclass(frozen=True)
class Create:
    """Create an object that must not exist yet."""

    manifest: Manifest


@dataclass(frozen=True)
class Apply:
    """Bring an object to a state: the one that was read, or a new one."""

    manifest: Manifest
    over: Manifest | None


@dataclass(frozen=True)
class Delete:
    """Delete exactly the object that was read."""

    kind: Kind
    body: Manifest


@dataclass(frozen=True)
class Annotate:
    """Set one annotation of an object that was read."""

    kind: Kind
    body: Manifest
    name: str
    value: str


@dataclass(frozen=True)
class Finalize:
    """Add Taxon's finalizer to the model, or remove it."""

    wanted: bool


Write = Create | Apply | Annotate | Delete | Finalize
