"""A tiny cluster in memory: what the API server, the Job controller, KServe and the Gateway do.

Objects have uids, resource versions, owners and finalizers; writes conflict, deletions cascade.
Time stands still until a test moves it.
"""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from support import other_controllers
from support.outcomes import Outcome, accepted

from taxon_contracts import names
from taxon_controller import clock
from taxon_controller.observe.observed import Newest
from taxon_controller.observe.probe import Answer, Question
from taxon_controller.settings import Settings
from taxon_kube.api import (
    DEPLOYMENT,
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    JOB,
    KINDS,
    MODEL,
    SERVICE,
    AlreadyExists,
    ApiError,
    Conflict,
    Kind,
    KindMissing,
    Manifest,
    Refused,
    WebhookUnavailable,
)

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
SETTINGS = Settings(
    namespace="taxon-system",
    identity="controller-0",
    trainer_image="taxon/training-job:0.1.0",
    bundle_root="s3://taxon",
    gateway="kserve/gateway",
    gateway_url="http://gateway",
    monitor_url="http://monitor",
)

WEBHOOK_AWAY = 'failed calling webhook "inferenceservice.kserve-webhook-server.defaulter": no route'

Key = tuple[str, str, str]


class Crashed(BaseException):
    """The controller was killed."""


def model_body(name: str = "wine", namespace: str = "default", **spec: Any) -> Manifest:
    """Return a ClassifierModel as a team writes it."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "dataset": {"uri": "s3://samples/wine.csv", "target": "cultivar"},
            "gate": {"limits": [{"metric": "roc_auc", "min": 0.8}]},
            **spec,
        },
    }


@dataclass
class World:
    """The cluster, and the switches a test turns."""

    now: datetime = START
    system: str = SETTINGS.namespace
    objects: dict[Key, Manifest] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    webhook_away: bool = False
    train: Outcome = accepted
    trains: bool = True
    serves: bool = True
    cleans: bool = True
    undeletable: bool = False
    routes: bool = True
    unreadable: dict[str, ApiError] = field(default_factory=dict)
    admission: ApiError | None = None
    reads: list[str] = field(default_factory=list)
    fail_read: int | None = None
    read_error: ApiError = field(default_factory=lambda: Refused("it is forbidden"))
    mute: set[str] = field(default_factory=set)
    unasked: bool = False
    datasets: dict[tuple[str, str], int] = field(default_factory=dict)
    monitor_away: bool = False
    server_state: Manifest = field(default_factory=dict)
    carries: bool = True
    updates: bool = True
    update_state: Manifest = field(default_factory=dict)
    bundles: set[str] = field(default_factory=set)
    writes: list[str] = field(default_factory=list)
    crash_at: int | None = None
    crash_after: bool = False
    log: list[tuple[str, Manifest]] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)
    tried_again: int = 0
    changes: int = 0
    counter: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Prepare a namespace as the chart does."""
        for namespace in ("default", "other", SETTINGS.namespace):
            for account in ("taxon-trainer", "taxon-server"):
                self.put("ServiceAccount", namespace, account)

    # What a person does

    def put(self, kind: str, namespace: str, name: str, **content: Any) -> Manifest:
        """Put an object there as someone else would."""
        body: Manifest = {
            "apiVersion": KINDS[kind].api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            **content,
        }
        return self._store(body)

    def submit(self, body: Manifest) -> Manifest:
        """Apply a model as kubectl does: the generation moves with the spec."""
        metadata = body["metadata"]
        key = (MODEL.name, metadata["namespace"], metadata["name"])
        there = self.objects.get(key)
        if there is None:
            return self._store(copy.deepcopy(body))
        changed = there["spec"] != body["spec"]
        there["spec"] = copy.deepcopy(body["spec"])
        there["metadata"]["annotations"] = dict(metadata.get("annotations", {}))
        there["metadata"]["generation"] += int(changed)
        self.touch(there)
        return there

    def model(self, name: str = "wine", namespace: str = "default") -> Manifest:
        """Return a model as it is stored."""
        return self.objects[(MODEL.name, namespace, name)]

    def named(self, kind: Kind, namespace: str = "default") -> dict[str, Manifest]:
        """Return the objects of a kind in a namespace, by name."""
        return {
            key[2]: body
            for key, body in sorted(self.objects.items())
            if key[:2] == (kind.name, namespace)
        }

    def named_deployments(self, namespace: str = "default") -> list[Manifest]:
        """Return what KServe made of the InferenceServices, as it is stored."""
        return [
            body for key, body in self.objects.items() if key[:2] == (DEPLOYMENT.name, namespace)
        ]

    def pass_time(self, **amount: float) -> None:
        """Let time go by."""
        self.now += timedelta(**amount)

    # What the API server does

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return one object, or None when there is none."""
        self._read(kind, "get")
        return copy.deepcopy(self.objects.get((kind.name, namespace, name)))

    def list(
        self, kind: Kind, namespace: str | None, *, labels: dict[str, str] | None = None
    ) -> list[Manifest]:
        """Return the objects of a namespace that carry these labels."""
        self._read(kind, "list")
        if kind.name in self.missing:
            raise KindMissing(kind.name)
        wanted = (labels or {}).items()
        return [
            copy.deepcopy(body)
            for key, body in sorted(self.objects.items())
            if key[0] == kind.name
            and namespace in (None, key[1])
            and wanted <= body["metadata"].get("labels", {}).items()
        ]

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object."""
        with self._write("create", manifest):
            self._admit(manifest)
            if self.key(manifest) in self.objects:
                raise AlreadyExists(str(self.key(manifest)))
            sent = copy.deepcopy(manifest)
            self._manage(sent, "Update")
            return self._store(sent)

    def apply(self, manifest: Manifest) -> Manifest:
        """Apply an object server-side; this controller sends all it wants each time."""
        with self._write("apply", manifest):
            self._admit(manifest)
            there = self._current(manifest)
            sent = copy.deepcopy(manifest)
            del sent["metadata"]["resourceVersion"]
            for part in ("labels", "annotations"):
                merged = there["metadata"].get(part, {}) | sent["metadata"].get(part, {})
                there["metadata"][part] = merged
            there["metadata"]["ownerReferences"] = sent["metadata"]["ownerReferences"]
            there["spec"] = sent["spec"]
            self._manage(there, "Apply")
            self.touch(there)
            return copy.deepcopy(there)

    def _manage(self, body: Manifest, operation: str) -> None:
        """Note who wrote an object last, and when."""
        time = clock.text(self.now)
        entry = {"manager": names.FIELD_MANAGER, "operation": operation, "time": time}
        body["metadata"]["managedFields"] = [entry]

    def try_admission(self, manifest: Manifest) -> None:
        """Send an object through admission."""
        if self.admission is not None:
            raise self.admission
        self._admit(manifest)

    def replace(self, manifest: Manifest, *, part: str = "") -> Manifest:
        """Replace an object, or its status."""
        with self._write(f"replace {part}".strip(), manifest):
            there = self._current(manifest)
            if part:
                there[part] = copy.deepcopy(manifest[part])
            else:
                for part_ in ("finalizers", "annotations"):
                    if part_ in manifest["metadata"]:
                        there["metadata"][part_] = copy.deepcopy(manifest["metadata"][part_])
            self.touch(there)
            self._remove_if_free(there)
            return copy.deepcopy(there)

    def delete(self, kind: Kind, manifest: Manifest) -> None:
        """Delete exactly the object that was read."""
        named = manifest | {"kind": kind.name}
        with self._write("delete", named):
            if self.key(named) in self.objects:
                self.remove(self._current(named))

    def remove(self, there: Manifest) -> None:
        """Delete an object as anyone may; finalizers hold it."""
        there["metadata"]["deletionTimestamp"] = clock.text(self.now)
        self.touch(there)
        self._remove_if_free(there)

    def watch(
        self,
        key: tuple[str, str],  # noqa: ARG002 - who asks does not matter
        question: Question,
        *,
        expected: str,  # noqa: ARG002 - nor what they would like to hear
    ) -> Answer | None:
        """Return what the URL answers at once, unless nobody has asked it yet."""
        return None if self.unasked else self.answer(question)

    def newest(self, model: tuple[str, str], name: str) -> Newest | None:
        """Return what the monitor says at once; a controller that has just started remembers none.

        While the monitor is away, that is nothing.
        """
        return self.newest_of((model[0], name))

    def newest_of(self, dataset: tuple[str, str]) -> Newest:
        """Answer as the monitor, for a data set by namespace and name."""
        if self.monitor_away:
            return Newest(None, "the monitor does not answer (ConnectionRefusedError)")
        return Newest(self.datasets.get(dataset))

    def forget(self, key: tuple[str, str]) -> None:
        """Nothing is remembered about a URL or a data set here."""

    async def ask(self, question: Question) -> Answer:
        """Answer once, as the prober asks."""
        return self.answer(question)

    def answer(self, question: Question) -> Answer:
        """Answer as the version that the Service or the HTTPRoute leads to."""
        model, host = question.model, question.host
        for kind in (HTTP_ROUTE, SERVICE):
            for (name, namespace, _), body in self.objects.items():
                outside = names.host_name(model, namespace, SETTINGS.domain)
                if name == kind.name and host in (outside, f"{model}.{namespace}.svc"):
                    return self._through(body, question)
        return Answer(None, f"{host} does not answer")

    def _through(self, pointer: Manifest, question: Question) -> Answer:
        version = pointer["metadata"]["labels"].get(names.LABEL_VERSION, "")
        server = names.serving_name(question.model, version)
        there = (INFERENCE_SERVICE.name, pointer["metadata"]["namespace"], server) in self.objects
        if version in self.mute:
            return Answer(None, f"{question.host} answers with status 503")
        if self.routes and there:
            return Answer(version)
        return Answer(None, f"{question.entrance.url(question.host)} does not answer")

    def _read(self, kind: Kind, verb: str) -> None:
        """Refuse a read, if the test says so."""
        number = len(self.reads)
        self.reads.append(f"{verb} {kind.name}")
        if number == self.fail_read:
            raise self.read_error
        if kind.name in self.unreadable:
            raise self.unreadable[kind.name]

    def key(self, manifest: Manifest) -> Key:
        """Return where an object is stored."""
        metadata = manifest["metadata"]
        return manifest["kind"], metadata["namespace"], metadata["name"]

    def _current(self, manifest: Manifest) -> Manifest:
        there = self.objects.get(self.key(manifest))
        version = manifest["metadata"]["resourceVersion"]
        if there is None or there["metadata"]["resourceVersion"] != version:
            raise Conflict(str(self.key(manifest)))
        return there

    def _store(self, body: Manifest) -> Manifest:
        number = next(self.counter)
        body["metadata"] |= {
            "uid": f"uid-{number}",
            "creationTimestamp": clock.text(self.now),
            "generation": 1,
        }
        self.touch(body)
        self.objects[self.key(body)] = body
        return copy.deepcopy(body)

    def touch(self, body: Manifest) -> None:
        """Note that an object has changed: watches see it, and its version moves."""
        self.changes += 1
        self._tell("MODIFIED", body)

    def _tell(self, what: str, body: Manifest) -> None:
        """Write a change down; a resource version is the number of changes up to it."""
        body["metadata"]["resourceVersion"] = str(len(self.log) + 1)
        self.log.append((what, copy.deepcopy(body)))

    def _remove_if_free(self, there: Manifest) -> None:
        metadata = there["metadata"]
        if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
            return
        self.objects.pop(self.key(there), None)
        self._tell("DELETED", there)
        for body in list(self.objects.values()):
            owners = body["metadata"].get("ownerReferences", ())
            if any(owner["uid"] == metadata["uid"] for owner in owners):
                self.remove(body)

    def _admit(self, manifest: Manifest) -> None:
        if manifest["kind"] == INFERENCE_SERVICE.name and self.webhook_away:
            raise WebhookUnavailable(WEBHOOK_AWAY)
        if manifest["kind"] in self.missing:
            raise KindMissing(manifest["kind"])

    def _write(self, verb: str, manifest: Manifest) -> "Written":
        return Written(self, f"{verb} {'/'.join(self.key(manifest))}")

    def settle(self) -> None:
        """Let the other controllers do all there is to do."""
        other_controllers.settle(self)


@dataclass
class Written:
    """One write: it is counted, and the controller may be killed before or after it."""

    world: World
    what: str

    def __enter__(self) -> None:
        """Die before the write, if the test says so."""
        if self._is_the_one() and not self.world.crash_after:
            raise Crashed(self.what)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Die after the write, if the test says so."""
        due = self._is_the_one()
        if kind is None or issubclass(kind, ApiError):
            self.world.writes.append(self.what)
        if due and kind is None:
            raise Crashed(self.what)

    def _is_the_one(self) -> bool:
        return self.world.crash_at == len(self.world.writes)


def dependents(world: World, namespace: str = "default") -> dict[str, list[str]]:
    """Return the names of what the controller keeps in a namespace, by kind."""
    kinds = (JOB, INFERENCE_SERVICE, SERVICE, HTTP_ROUTE)
    return {kind.name: list(world.named(kind, namespace)) for kind in kinds}
