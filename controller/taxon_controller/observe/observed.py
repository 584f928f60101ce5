"""Everything about one model in the cluster, as one frozen value."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from taxon_contracts.run import RunResult
from taxon_contracts.status import TrainedDataset, Trigger, VersionRecord
from taxon_controller.domain.actions import Finding
from taxon_kube.api import ApiError, Kind, Manifest


@dataclass(frozen=True)
class Attempt:
    """One training Job. ``dataset`` is the data set it trains on, if that is not a file.

    ``result`` and ``failure`` are absent while it is active.

    ``succeeded``: the Job is Complete. ``lost``: its result is unknown, because its pod was
    removed. ``record`` is the run's record that an earlier reconciliation wrote.
    """

    version: str
    number: int
    trigger: Trigger
    token: str
    dataset: TrainedDataset | None
    created: datetime
    finished: datetime | None
    deleting: bool
    succeeded: bool
    lost: bool
    record: VersionRecord | None
    result: RunResult | None
    failure: Finding | None
    trouble: Finding | None
    body: Manifest = field(repr=False)


@dataclass(frozen=True)
class Deployment:
    """KServe's Deployment of an InferenceService: which pods run, and with which spec.

    ``current``: the counts are for the newest spec. ``updated`` of all ``pods`` run it.
    ``progressed`` is when the newest spec last made progress, or pods of it became unavailable.
    ``account`` is the ServiceAccount of the pods, and ``container`` the spec of the server's
    container.
    """

    current: bool
    wanted: int
    pods: int
    updated: int
    available: int
    progressed: datetime | None
    account: str
    container: Manifest = field(repr=False)


@dataclass(frozen=True)
class Server:
    """One InferenceService.

    ``ready``: KServe reports that all servers are ready. ``up``: at least one answers, which is
    enough for a live version whose replicas change. ``seen``: KServe's manager has processed it.
    ``trouble`` is what keeps one of its pods from being ready. ``applied`` is when Taxon last
    changed it. ``deployment`` is None while there is none.
    """

    version: str
    ready: bool
    up: bool
    seen: bool
    deleting: bool
    record: VersionRecord | None
    runtime: str
    trouble: Finding | None
    applied: datetime | None
    deployment: Deployment | None
    body: Manifest = field(repr=False)


@dataclass(frozen=True)
class Budget:
    """A PodDisruptionBudget of a version's servers."""

    version: str
    body: Manifest = field(repr=False)


@dataclass(frozen=True)
class Pointer:
    """A Service or HTTPRoute and the version it points at."""

    version: str
    body: Manifest = field(repr=False)


@dataclass(frozen=True)
class Cleanup:
    """A Job that removes bundles."""

    name: str
    succeeded: bool
    failed: bool
    body: Manifest = field(repr=False)


@dataclass(frozen=True)
class Unread:
    """Objects of one kind that could not be read, so it is unknown whether they exist."""

    kind: str
    namespace: str
    error: ApiError

    @property
    def finding(self) -> Finding:
        """Return its finding."""
        where = f"{self.kind} objects in namespace {self.namespace}"
        return Finding("ReadFailed", f"{where} cannot be read: {self.error}")


@dataclass(frozen=True)
class Newest:
    """The newest version of a data set: None if there is none, or if ``why`` says it is unknown."""

    version: int | None
    why: str = ""


KServeState = Literal["Answering", "Unavailable", "Missing"]


@dataclass(frozen=True)
class Observed:
    """The observed state of the cluster.

    ``gateway`` is None without the Gateway API. ``accounts`` are the ServiceAccounts of the model's
    namespace that were found. ``foreign`` has objects with a name Taxon needs that belong to
    someone else, as ``Kind/name``. ``url`` is the model's URL for clients outside.
    ``answering`` is the version that answers there; ``unanswered`` is why none does; with neither
    it is unknown. ``admission_refused`` is why admission refuses the existing servers, if it does.
    ``dataset`` is what the monitor last said about the data set whose newest version the model
    follows; None before it said anything.
    ``unread`` is what could not be read, and must not count as absent.
    """

    attempts: tuple[Attempt, ...] = ()
    servers: tuple[Server, ...] = ()
    budgets: tuple[Budget, ...] = ()
    service: Pointer | None = None
    route: Pointer | None = None
    cleanups: tuple[Cleanup, ...] = ()
    kserve: KServeState = "Answering"
    gateway: bool = False
    accounts: frozenset[str] = frozenset()
    foreign: tuple[str, ...] = ()
    url: str | None = None
    answering: str | None = None
    unanswered: str = ""
    admission_refused: str = ""
    dataset: Newest | None = None
    unread: tuple[Unread, ...] = ()

    def server(self, version: str | None) -> Server | None:
        """Return the servers of a version, unless they are on their way out."""
        found = [one for one in self.servers if one.version == version and not one.deleting]
        return found[0] if found else None

    def unread_of(self, *kinds: Kind) -> Finding | None:
        """Return why objects of these kinds could not be read, if one could not."""
        names = {kind.name for kind in kinds}
        return next((one.finding for one in self.unread if one.kind in names), None)

    def cleanup(self, name: str) -> Cleanup | None:
        """Return the Job of this name that removes bundles."""
        return next((one for one in self.cleanups if one.name == name), None)
