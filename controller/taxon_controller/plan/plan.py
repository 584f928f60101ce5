"""The one decision: from a model and what is in the cluster to what should be.

Pure and total: no clock, no network, no memory; whatever is observed, there is a plan.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from taxon_contracts import names
from taxon_contracts.run import Champion
from taxon_contracts.status import Address, Status
from taxon_controller.domain.accounts import accounts, server_account, trainer_account
from taxon_controller.domain.actions import Finalize, Finding, Write
from taxon_controller.domain.history import Records, find, newest_first, with_record
from taxon_controller.domain.hosts import inside_url
from taxon_controller.domain.model import Model
from taxon_controller.observe.observed import Observed
from taxon_controller.plan import conditions, runs
from taxon_controller.plan.blockers import first_blocker
from taxon_controller.plan.decided import Plan
from taxon_controller.plan.deletion import plan_deletion, wants_finalizer
from taxon_controller.plan.events import events_between
from taxon_controller.plan.retention import plan_retention
from taxon_controller.plan.rollout import RolloutPlan, Scene, live_version, plan_rollout
from taxon_controller.plan.runs import RunPlan, plan_runs
from taxon_controller.settings import Settings

UNWATCHED_LOOK = timedelta(seconds=15)
"""When to look again for what a person has to do: what is not Taxon's is not watched."""


def plan(model: Model, observed: Observed, now: datetime, settings: Settings) -> Plan:
    """Return everything one look at a model decides."""
    if model.deleted is not None:
        return plan_deletion(model, observed, now, settings)
    if model.parsed is None:
        return _unreadable(model, now)
    blocker = first_blocker(model, observed, now, settings)
    records = known_records(model, observed)
    scene = Scene(model, observed, records, now, settings)
    training = _runs(scene, blocker)
    rollout = plan_rollout(
        Scene(model, observed, training.records, now, settings),
        frozen=model.spec.suspend or blocker is not None,
        blocked=_serving_blocked(model, observed, settings),
    )
    kept = plan_retention(
        model,
        observed,
        rollout.records,
        protected=_protected(model, training, rollout),
        now=now,
        settings=settings,
    )
    status = _status(scene, training, rollout, kept.records, blocker)
    unwatched = observed.foreign or not observed.accounts.issuperset(accounts(model, settings))
    look = (now + UNWATCHED_LOOK,) if unwatched else ()
    return Plan(
        writes=(*_finalizer(model), *training.writes, *rollout.writes, *kept.writes),
        status=status,
        events=events_between(model.status, status),
        look_again=_soonest((*training.due, *rollout.due, *kept.due, *look), now),
    )


def known_records(model: Model, observed: Observed) -> Records:
    """Return the records of the status and, if that is lost, those the served versions carry."""
    records = tuple(model.status.versions or ())
    for server in observed.servers:
        carried = server.record
        if carried is not None and find(records, carried.version) is None:
            records = with_record(records, carried)
    return newest_first(records)


def _runs(scene: Scene, blocker: Finding | None) -> RunPlan:
    model = scene.model
    if blocker is not None and blocker.reason == "InvalidSchedule":
        model = model.without_schedule()
    return plan_runs(
        runs.Scene(
            model=model,
            observed=scene.observed,
            held=_held(model, scene.observed, blocker, scene.settings),
            champion=_champion(scene),
            now=scene.now,
            settings=scene.settings,
        ),
        scene.records,
    )


def _held(
    model: Model, observed: Observed, blocker: Finding | None, settings: Settings
) -> Finding | None:
    """Return why no run may begin."""
    if model.spec.suspend:
        return Finding("Suspended", "spec.suspend stops runs")
    if blocker is not None:
        return blocker
    if observed.run_refused:
        return Finding("WriteRefused", f"the training Job is refused: {observed.run_refused}")
    return _account_missing(model, observed, trainer_account(model, settings))


def _serving_blocked(model: Model, observed: Observed, settings: Settings) -> Finding | None:
    """Return why no version can be served."""
    if observed.kserve == "Missing":
        return Finding(
            "KServeMissing", "the kind InferenceService of KServe is missing: install KServe"
        )
    if observed.serving_refused:
        return Finding("WriteRefused", f"what serves is refused: {observed.serving_refused}")
    return _account_missing(model, observed, server_account(model, settings))


def _account_missing(model: Model, observed: Observed, account: str) -> Finding | None:
    if account in observed.accounts:
        return None
    return Finding(
        "CredentialsMissing",
        f"namespace {model.namespace} has no ServiceAccount {account}: list the namespace in the"
        " chart's modelNamespaces, or make it",
    )


def _champion(scene: Scene) -> Champion | None:
    record = find(scene.records, live_version(scene))
    if record is None or not record.bundle_uri or not record.manifest_digest:
        return None
    return Champion(
        version=record.version,
        bundle_uri=record.bundle_uri,
        manifest_digest=record.manifest_digest,
    )


def _protected(model: Model, training: RunPlan, rollout: RolloutPlan) -> frozenset[str]:
    """Return the versions that are kept whatever their age."""
    places = (rollout.live, rollout.candidate, rollout.previous)
    asked = model.version(model.retrain)
    in_use = {place.version for place in places if place is not None}
    in_use |= {training.run.version} if training.run else set()
    return frozenset(in_use | {asked, rollout.target or asked, model.spec.pinned_version or asked})


def _status(
    scene: Scene,
    training: RunPlan,
    rollout: RolloutPlan,
    records: Records,
    blocker: Finding | None,
) -> Status:
    model, settings = scene.model, scene.settings
    live = rollout.live is not None
    inside, outside = inside_url(model), scene.observed.url
    statements = conditions.describe(
        model,
        training,
        rollout,
        blocker=blocker,
        where=outside or inside,
        gateway_missing=settings.gateway is not None and not scene.observed.gateway,
    )
    return Status(
        observed_generation=model.generation,
        conditions=conditions.dated(model, statements, scene.now),
        url=outside if live else None,
        address=Address(url=inside) if live else None,
        run=training.run,
        live=rollout.live,
        candidate=rollout.candidate,
        previous=rollout.previous,
        versions=records or None,
    )


def _finalizer(model: Model) -> tuple[Write, ...]:
    """Put the finalizer on before anything is made outside the cluster."""
    there = names.FINALIZER in model.finalizers
    wanted = wants_finalizer(model)
    return () if there == wanted else (Finalize(wanted=wanted),)


def _unreadable(model: Model, now: datetime) -> Plan:
    """Return the plan for a spec that cannot be read: say so, and leave all as it is."""
    message = f"{model.spec_error}: correct the field"
    statements = conditions.stalled("InvalidSpec", message)
    status = model.status.model_copy(
        update={
            "observed_generation": model.generation,
            "conditions": conditions.dated(model, statements, now),
        }
    )
    return Plan((), status, events_between(model.status, status), None)


def _soonest(due: Iterable[datetime], now: datetime) -> datetime | None:
    return min((max(time, now) for time in due), default=None)
