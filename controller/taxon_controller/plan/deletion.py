"""Deletion: bundles are kept or removed by the policy, and the finalizer is removed in time."""

from datetime import datetime, timedelta

from taxon_contracts import names
from taxon_contracts.status import Status
from taxon_controller import clock
from taxon_controller.domain.actions import Create, Delete, Event, Finalize, Finding, Write
from taxon_controller.domain.bundles import model_folders
from taxon_controller.domain.model import Model
from taxon_controller.objects.cleanup_job import cleanup_job, model_cleanup_name
from taxon_controller.observe.observed import Cleanup, Observed
from taxon_controller.plan import conditions
from taxon_controller.plan.decided import Plan
from taxon_controller.settings import Settings
from taxon_kube.api import JOB

LOOK = timedelta(seconds=5)
MARGIN_SECONDS = 40
"""How much earlier than the model the clean-up Job ends, including its pod's grace period: so it
cannot remove bundles of a later model of the same name."""


def wants_finalizer(model: Model) -> bool:
    """Return whether bundles have to be removed with the model.

    The policy is read alone: it applies even if the rest of the spec cannot be read.
    """
    return bool((model.body.get("spec") or {}).get("deletionPolicy") == "Delete")


def plan_deletion(model: Model, observed: Observed, now: datetime, settings: Settings) -> Plan:
    """Decide about a model that is being deleted; garbage collection deletes what it owns."""
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
    folders = model_folders(model, tuple(model.status.versions or ()), settings)
    if now >= deadline:
        message = f"bundles could not be removed in time: remove {', '.join(folders)} by hand"
        plan = _release(model, now, Event(Finding("CleanupFailed", message), warning=True))
        ended = (Delete(JOB, job.body),) if job is not None else ()
        return Plan((*ended, *plan.writes), plan.status, plan.events, None)
    unread = observed.unread_of(JOB)
    if unread is not None:
        return Plan((), _deleting(model, now, unread.message), (), min(deadline, now + LOOK))
    writes: tuple[Write, ...] = tuple(
        Delete(JOB, one.body) for one in observed.attempts if not one.deleting
    )
    seconds = int((deadline - now).total_seconds()) - MARGIN_SECONDS
    if not observed.attempts and job is None and seconds > 0:
        writes = (Create(cleanup_job(model, name, folders, seconds=seconds, settings=settings)),)
    failed = job if job is not None and job.failed else None
    waits = _failed_cleanup(failed, deadline, settings) if failed else None
    return Plan(writes, _deleting(model, now, waits), (), min(deadline, now + LOOK))


def _release(model: Model, now: datetime, *events: Event) -> Plan:
    return Plan((Finalize(wanted=False),), _deleting(model, now), events, None)


def _failed_cleanup(job: Cleanup, deadline: datetime, settings: Settings) -> str:
    return (
        f"Job {job.name} in namespace {settings.namespace} could not remove them: read its log; the"
        f" model is deleted at {clock.text(deadline)} nevertheless"
    )


def _deleting(model: Model, now: datetime, waits: str | None = None) -> Status:
    why = f"; its bundles wait: {waits}" if waits else ""
    finding = Finding("Deleting", f"the model is being deleted{why}")
    return model.status.model_copy(
        update={
            "observed_generation": model.generation,
            "conditions": conditions.dated(model, conditions.not_ready(finding, None), now),
        }
    )
