"""Which run a model needs: the spec's, the annotation's or the schedule's."""

from dataclasses import dataclass
from datetime import datetime

from taxon_contracts.status import Trigger, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.history import Records, find, has_result, latest_of_spec
from taxon_controller.domain.model import Model
from taxon_controller.plan import schedule
from taxon_controller.plan.blockers import invalid_schedule
from taxon_controller.plan.outcomes import Attempts
from taxon_controller.plan.scene import Scene

Going = dict[str, Attempts]
"""The attempts of every run that has not ended, by version."""


@dataclass(frozen=True)
class Wanted:
    """A desired run."""

    version: str
    trigger: Trigger
    token: str


def wanted_run(scene: Scene, going: Going, records: Records) -> Wanted | None:
    """Return the run to continue or to start.

    Args:
        scene: the model and its surroundings.
        going: runs that have not ended.
        records: runs that have ended.
    """
    model = scene.model
    manual = _manual(model, records)
    for version, attempts in going.items():
        last = attempts[-1]
        if model.version(last.token) != version:
            continue
        waits = last.finished is not None
        if not (waits and manual is not None and manual.version != version):
            return Wanted(version, last.trigger, last.token)
    if latest_of_spec(model, records) is None:
        return Wanted(model.version(model.retrain), "Spec", model.retrain)
    return manual or _scheduled(scene, records)


def next_slot(scene: Scene) -> tuple[datetime, ...]:
    """Return when the schedule starts the next run, if it does."""
    text = _schedule(scene)
    slot = schedule.next_slot(text, scene.now) if text else None
    return (slot,) if slot else ()


def _manual(model: Model, records: Records) -> Wanted | None:
    """Return the run of the retrain annotation, unless it has ended already."""
    if not model.retrain:
        return None
    version = model.version(model.retrain)
    record = find(records, version)
    if record is not None and has_result(record):
        return None
    return Wanted(version, "Manual", model.retrain)


def _scheduled(scene: Scene, records: Records) -> Wanted | None:
    """Return the run of the newest slot since the last run started: missed slots run once."""
    text = _schedule(scene)
    if text is None:
        return None
    begun = [
        clock.parse(one.start_time or one.completion_time) for one in records if _has_begun(one)
    ]
    slot = schedule.due_slot(text, max(begun, default=scene.model.created), scene.now)
    if slot is None:
        return None
    token = schedule.token(slot)
    return Wanted(scene.model.version(token), "Schedule", token)


def _has_begun(record: VersionRecord) -> bool:
    """Return whether a run has used up its slot: one that was suspended has not."""
    return record.outcome != "Unknown"


def _schedule(scene: Scene) -> str | None:
    """Return the schedule, unless it is invalid, which a blocker reports."""
    return None if invalid_schedule(scene) else scene.model.spec.retrain.schedule
