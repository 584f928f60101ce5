"""Reconciles one model: observe, plan, apply, report."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from taxon_contracts import names
from taxon_controller import clock
from taxon_controller.domain.actions import Annotate, Apply, Create, Delete, Event, Finalize, Write
from taxon_controller.domain.drift import matches
from taxon_controller.domain.model import Model, read_model
from taxon_controller.domain.ownership import is_leaving, owned_by
from taxon_controller.objects.event import event
from taxon_controller.observe.observe import Urls, Versions, observe
from taxon_controller.plan.decided import Plan
from taxon_controller.plan.plan import after_writes, plan
from taxon_controller.plan.setbacks import Setbacks
from taxon_controller.settings import Settings
from taxon_controller.telemetry import Telemetry
from taxon_kube.api import (
    DISRUPTION_BUDGET,
    KINDS,
    MODEL,
    AlreadyExists,
    Api,
    ApiError,
    Conflict,
    Manifest,
    Refused,
    Unavailable,
    WebhookUnavailable,
)

logger = logging.getLogger(__name__)

FAILURES_TO_REPORT = 3
"""Failed reads or writes in a row before the status reports them.

A restart of the API server, or an upgrade of the roles, takes less."""


class NameTaken(ApiError):  # noqa: N818 - a state, not a fault
    """An object of a name Taxon needs belongs to someone else; the message is ``Kind/name``."""


class BeingDeleted(ApiError):  # noqa: N818 - a state, not a fault
    """An object of a name Taxon needs is being deleted; the message is ``Kind/name``."""


@dataclass(frozen=True)
class Reconciler:
    """Reconciles models, one per call."""

    api: Api
    urls: Urls
    versions: Versions
    settings: Settings
    telemetry: Telemetry
    now: Callable[[], datetime] = clock.now

    def reconcile(self, namespace: str, name: str, failures: int = 0) -> datetime | None:
        """Reconcile one model once; return when to do it again.

        Args:
            namespace: the model's namespace.
            name: the model's name.
            failures: how many reconciliations have failed in a row.

        Raises:
            ApiError: a request to the API server failed; retry.
        """
        body = self.api.get(MODEL, namespace, name)
        if body is None:
            self.telemetry.forget(namespace, name)
            self.urls.forget((namespace, name))
            self.versions.forget((namespace, name))
            return None
        model = read_model(body)
        observed = observe(self.api, self.urls, self.versions, model, self.settings)
        unread = next((one.error for one in observed.unread), None)
        if unread is not None and failures < FAILURES_TO_REPORT:
            raise unread
        planned = plan(model, observed, self.now(), self.settings)
        model, setbacks, error = self._carry_out(model, planned, failures)
        again = self._report(model, after_writes(planned, setbacks))
        error = error or unread
        if error is not None:
            raise error
        return again

    def _carry_out(
        self, model: Model, planned: Plan, failures: int
    ) -> tuple[Model, Setbacks, ApiError | None]:
        """Write the planned objects independently: an error of one does not stop the others.

        Return the model, which a finalizer changes; what was not written and why; and the error
        after which to retry, if there was one. If the API server cannot accept a write now, the
        reconciliation ends and is retried; after several failures it counts as a refusal.
        """
        setbacks = Setbacks()
        error: ApiError | None = None
        for write in planned.writes:
            try:
                model = self._write(model, write)
            except NameTaken as taken:
                setbacks = replace(setbacks, taken=(*setbacks.taken, str(taken)))
            except BeingDeleted as leaving:
                setbacks = replace(setbacks, leaving=(*setbacks.leaving, str(leaving)))
            except WebhookUnavailable as away:
                setbacks, error = replace(setbacks, kserve_away=True), away
            except (Refused, Unavailable) as refused:
                soon = isinstance(refused, Unavailable) and failures < FAILURES_TO_REPORT
                if soon or isinstance(write, Finalize):
                    raise
                setbacks, error = _with_refusal(setbacks, model, write, refused), refused
        return model, setbacks, error

    def _write(self, model: Model, write: Write) -> Model:
        """Carry out one write; return the model, which a finalizer changes."""
        match write:
            case Finalize(wanted=wanted):
                return self._finalize(model, wanted=wanted)
            case Create(manifest=manifest):
                there = self._create(model, manifest)
                if there is not None:
                    raise Conflict(
                        f"{manifest['metadata']['name']} was created meanwhile; retrying"
                    )
            case Apply(manifest=manifest, over=over):
                there = over or self._create(model, manifest)
                if there is not None:
                    self._apply(model, manifest, there)
            case Annotate(body=body):
                self._annotate(model, write)
            case Delete(kind=kind, body=body):
                self._log(model, "Deleting", kind=kind.name, object=body["metadata"]["name"])
                self.api.delete(kind, body)
        return model

    def _create(self, model: Model, manifest: Manifest) -> Manifest | None:
        """Create an object; return the one that is in the way, if it is Taxon's own."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        self._log(model, "Creating", kind=kind, object=metadata["name"])
        try:
            self.api.create(manifest)
        except AlreadyExists as exists:
            there = self.api.get(KINDS[kind], metadata["namespace"], metadata["name"])
            if there is None:
                raise Conflict(f"{kind}/{metadata['name']} was just deleted; retrying") from exists
            if is_leaving(there, model):
                raise BeingDeleted(f"{kind}/{metadata['name']}") from exists
            if not _is_ours(there, manifest, model):
                raise NameTaken(f"{kind}/{metadata['name']}") from exists
            return there
        return None

    def _apply(self, model: Model, manifest: Manifest, over: Manifest) -> None:
        """Write an object's desired state, unless it has it already."""
        if matches(over, manifest):
            return
        metadata = manifest["metadata"]
        self._log(model, "Applying", kind=manifest["kind"], object=metadata["name"])
        version = over["metadata"]["resourceVersion"]
        self.api.apply(manifest | {"metadata": metadata | {"resourceVersion": version}})

    def _annotate(self, model: Model, write: Annotate) -> None:
        """Set an annotation; it is a precaution, so a refusal stops nothing."""
        metadata = write.body["metadata"]
        annotations = metadata.get("annotations", {}) | {write.name: write.value}
        named = {"apiVersion": write.kind.api_version, "kind": write.kind.name}
        body = write.body | named | {"metadata": metadata | {"annotations": annotations}}
        self._log(model, "Annotating", kind=write.kind.name, object=metadata["name"])
        with contextlib.suppress(Refused):
            self.api.replace(body)

    def _finalize(self, model: Model, *, wanted: bool) -> Model:
        others = [one for one in model.finalizers if one != names.FINALIZER]
        finalizers = [*others, names.FINALIZER] if wanted else others
        metadata = model.body["metadata"] | {"finalizers": finalizers}
        return read_model(self.api.replace(model.body | {"metadata": metadata}))

    def _report(self, model: Model, decided: Plan) -> datetime | None:
        """Write Events and the status, each only if it has changed."""
        for one in decided.events:
            self._write_event(model, one)
        gone = model.deleted is not None and names.FINALIZER not in model.finalizers
        if decided.status != model.status and not gone:
            status = decided.status.model_dump(mode="json", by_alias=True, exclude_none=True)
            self.api.replace(model.body | {"status": status}, part="status")
            self.telemetry.count_runs(model, decided.status)
        self.telemetry.show(model, decided.status)
        return decided.look_again

    def _write_event(self, model: Model, one: Event) -> None:
        """Write a Kubernetes Event; its name is derived, so that it is written once.

        A namespace that is being deleted refuses Events, which stops nothing.
        """
        with contextlib.suppress(AlreadyExists, Refused):
            self.api.create(event(model, one, time=clock.text(self.now())))
            self._log(model, one.finding.reason, detail=one.finding.message)

    def _log(self, model: Model, what: str, **fields: str) -> None:
        run = model.status.run.version if model.status.run else None
        logger.info(what, extra={"model": model.key, "run": run, **fields})


def _with_refusal(setbacks: Setbacks, model: Model, write: Write, error: ApiError) -> Setbacks:
    """Return the setbacks with what the API server refused, if a condition reports it."""
    match write:
        case Create(manifest=manifest) if manifest["metadata"]["namespace"] == model.namespace:
            return replace(setbacks, run_refused=str(error))
        case Apply(manifest=manifest) if manifest["kind"] != DISRUPTION_BUDGET.name:
            return replace(setbacks, serving_refused=str(error))
        case _:
            return setbacks


def _is_ours(there: Manifest, wanted: Manifest, model: Model) -> bool:
    """Return whether an object that is in the way is Taxon's own."""
    if "ownerReferences" in wanted["metadata"]:
        return owned_by(there, model.uid)
    labels = there["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in wanted["metadata"]["labels"].items())
