"""Carries one look at a model through: observe, plan, apply, report."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from taxon_contracts import names
from taxon_controller import clock
from taxon_controller.domain.actions import Apply, Create, Delete, Event, Finalize, Write
from taxon_controller.domain.model import Model, read_model
from taxon_controller.domain.ownership import is_leaving, owned_by
from taxon_controller.loop.drift import matches
from taxon_controller.objects.event import event
from taxon_controller.observe.observe import Urls, observe
from taxon_controller.observe.observed import Observed
from taxon_controller.plan.decided import Plan
from taxon_controller.plan.plan import plan
from taxon_controller.settings import Settings
from taxon_controller.telemetry import Telemetry
from taxon_kube.api import (
    KINDS,
    MODEL,
    AlreadyExists,
    Api,
    ApiError,
    Conflict,
    Manifest,
    Refused,
    WebhookUnavailable,
)

logger = logging.getLogger(__name__)


class NameTaken(ApiError):  # noqa: N818 - a state, not a fault
    """An object of a name Taxon needs belongs to someone else."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind}/{name}")


@dataclass(frozen=True)
class Reconciler:
    """Reconciles models, one call per look."""

    api: Api
    urls: Urls
    settings: Settings
    telemetry: Telemetry
    now: Callable[[], datetime] = clock.now

    def reconcile(self, namespace: str, name: str) -> datetime | None:
        """Bring one model a step nearer to what it asks for; return when to look again.

        Raises:
            ApiError: the API server did not do as asked; try again.
        """
        body = self.api.get(MODEL, namespace, name)
        if body is None:
            self.telemetry.forget(namespace, name)
            self.urls.forget((namespace, name))
            return None
        model = read_model(body)
        observed = observe(self.api, self.urls, model, self.settings)
        decided = plan(model, observed, self.now(), self.settings)
        model, hindered, error = self._carry_out(model, decided, observed)
        if hindered != observed:
            decided = plan(model, hindered, self.now(), self.settings)
        again = self._report(model, decided)
        if error is not None:
            raise error
        return again

    def _carry_out(
        self, model: Model, decided: Plan, observed: Observed
    ) -> tuple[Model, Observed, ApiError | None]:
        """Write what was decided, each for itself: what is in the way of one holds up no other.

        Return the model, which a finalizer changes; what was observed and what was in the way; and
        the error after which to try again, if there was one.
        """
        error: ApiError | None = None
        for write in decided.writes:
            try:
                model = self._write(model, write)
            except NameTaken as taken:
                observed = replace(observed, foreign=(*observed.foreign, str(taken)))
            except WebhookUnavailable as away:
                observed, error = replace(observed, kserve="Unavailable"), away
            except Refused as refused:
                if isinstance(write, Finalize):
                    raise
                observed, error = _with_refusal(observed, model, write, refused), refused
        return model, observed, error

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
            if there is None or is_leaving(there, model):
                raise Conflict(f"{kind}/{metadata['name']} is being deleted; retrying") from exists
            if not _is_ours(there, manifest, model):
                raise NameTaken(kind, metadata["name"]) from exists
            return there
        return None

    def _apply(self, model: Model, manifest: Manifest, over: Manifest) -> None:
        """Bring an object to a state, unless it is in that state already."""
        if matches(over, manifest):
            return
        metadata = manifest["metadata"]
        self._log(model, "Applying", kind=manifest["kind"], object=metadata["name"])
        version = over["metadata"]["resourceVersion"]
        self.api.apply(manifest | {"metadata": metadata | {"resourceVersion": version}})

    def _finalize(self, model: Model, *, wanted: bool) -> Model:
        others = [one for one in model.finalizers if one != names.FINALIZER]
        finalizers = [*others, names.FINALIZER] if wanted else others
        metadata = model.body["metadata"] | {"finalizers": finalizers}
        return read_model(self.api.replace(model.body | {"metadata": metadata}))

    def _report(self, model: Model, decided: Plan) -> datetime | None:
        """Write Events and the status, each only if there is something new to say."""
        for told in decided.events:
            self._tell(model, told)
        gone = model.deleted is not None and names.FINALIZER not in model.finalizers
        if decided.status != model.status and not gone:
            status = decided.status.model_dump(mode="json", by_alias=True, exclude_none=True)
            self.api.replace(model.body | {"status": status}, part="status")
            self.telemetry.count_runs(model, decided.status)
        self.telemetry.show(model, decided.status)
        return decided.look_again

    def _tell(self, model: Model, told: Event) -> None:
        """Write a Kubernetes Event; its name is derived, so that it is told once.

        A namespace that is going takes no Events, which holds nothing up.
        """
        self._log(model, told.finding.reason, detail=told.finding.message)
        with contextlib.suppress(AlreadyExists, Refused):
            self.api.create(event(model, told, time=clock.text(self.now())))

    def _log(self, model: Model, what: str, **fields: str) -> None:
        run = model.status.run.version if model.status.run else None
        logger.info(what, extra={"model": model.key, "run": run, **fields})


def _with_refusal(observed: Observed, model: Model, write: Write, error: Refused) -> Observed:
    """Return what was observed, with what the API server refused if a condition tells of it."""
    match write:
        case Create(manifest=manifest) if manifest["metadata"]["namespace"] == model.namespace:
            return replace(observed, run_refused=str(error))
        case Apply():
            return replace(observed, serving_refused=str(error))
        case _:
            return observed


def _is_ours(there: Manifest, wanted: Manifest, model: Model) -> bool:
    """Tell whether an object that is in the way is Taxon's own."""
    if "ownerReferences" in wanted["metadata"]:
        return owned_by(there, model.uid)
    labels = there["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in wanted["metadata"]["labels"].items())
