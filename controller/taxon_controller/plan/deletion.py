"""The way out: bundles stay or go by the policy, and nothing hangs for longer than is promised."""

from datetime import datetime, timedelta

from taxon_contracts import names
from taxon_contracts.status import Status
from taxon_controller.domain.actions import Create, Delete, Event, Finalize, Finding, Write
from taxon_controller.domain.model import Model
from taxon_controller.objects.cleanup_job import cleanup_job, model_cleanup_name
from taxon_controller.observe.observed import Observed
from taxon_controller.plan import conditions
from taxon_controller.plan.decided import Plan
from taxon_controller.settings import Settings
from taxon_kube.api import JOB

LOOK = timedelta(seconds=5)
MARGIN_SECONDS = 40
"""How much earlier than the model the clean-up Job ends, its pod's grace included: bundles of a
later model of the same name are out of its reach."""


def wants_finalizer(model: Model) -> bool:
    """Tell whether there is something outside the cluster to remove with the model.

    The policy is read alone: it holds also where the rest of the spec cannot be read.
    """
    return bool((model.body.get("spec") or {}).get("deletionPolicy") == "Delete")


def plan_deletion(model: Model, observed: Observed, now: datetime, settings: Settings) -> Plan:
    """Decide about a model that is being deleted; what it owns goes by garbage collection."""
    assert model.deleted is not None  # noqa: S101 - the caller saw it
    if names.FINALIZER not in model.finalizers:
        return Plan((), model.status, (), None)
    if not wants_finalizer(model):
        return _release(model, now)
    name = model_cleanup_name(model)
    job = observed.cleanup(name)
    if job is not None and job.succeeded:
        return _release(model, now)
    deadline = model.deleted + timedelta(seconds=settings.cleanup_seconds)
    uri = names.model_uri(settings.bundle_root, namespace=model.namespace, model=model.name)
    if now >= deadline:
        message = f"bundles below {uri} could not be removed in time: remove them by hand"
        plan = _release(model, now, Event(Finding("CleanupFailed", message), warning=True))
        ended = (Delete(JOB, job.body),) if job is not None else ()
        return Plan((*ended, *plan.writes), plan.status, plan.events, None)
    unread = observed.unread_of(JOB)
    if unread is not None:
        return Plan((), _deleting(model, now, unread), (), min(deadline, now + LOOK))
    writes: tuple[Write, ...] = tuple(
        Delete(JOB, one.body) for one in observed.attempts if not one.deleting
    )
    seconds = int((deadline - now).total_seconds()) - MARGIN_SECONDS
    if not observed.attempts and job is None and seconds > 0:
        writes = (Create(cleanup_job(model, name, uri, seconds=seconds, settings=settings)),)
    return Plan(writes, _deleting(model, now), (), min(deadline, now + LOOK))


def _release(model: Model, now: datetime, *events: Event) -> Plan:
    return Plan((Finalize(wanted=False),), _deleting(model, now), events, None)


def _deleting(model: Model, now: datetime, unread: Finding | None = None) -> Status:
    waits = f"; its bundles wait: {unread.message}" if unread else ""
    finding = Finding("Deleting", f"the model is being deleted{waits}")
    return model.status.model_copy(
        update={
            "observed_generation": model.generation,
            "conditions": conditions.dated(model, conditions.not_ready(finding, None), now),
        }
    )
