"""Which run a model needs: the spec's, the annotation's, the schedule's or the data set's."""

from dataclasses import dataclass
from datetime import datetime

from taxon_contracts.status import Trigger, VersionRecord
from taxon_controller import clock
from taxon_controller.domain import tokens
from taxon_controller.domain.actions import Finding
from taxon_controller.domain.history import Records, carried_out, has_result, latest_of_spec
from taxon_controller.domain.model import Model
from taxon_controller.plan import schedule
from taxon_controller.plan.blockers import invalid_schedule
from taxon_controller.plan.followed import newest_version
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


def wanted_run(scene: Scene, going: Going, records: Records) -> Wanted | Finding | None:
    """Return the run to continue or to start, or why the one to start is not known yet.

    A run keeps its version of the data set; a newer one counts when the run has ended.

    Args:
        scene: the model and its surroundings.
        going: runs that have not ended.
        records: runs that have ended.
    """
    model = scene.model
    manual = _manual(scene, records)
    for version, attempts in going.items():
        last = attempts[-1]
        if model.version(last.token) != version:
            continue
        waits = last.finished is not None and isinstance(manual, Wanted)
        if not waits or model.cause(last.token) == model.retrain:
            return Wanted(version, last.trigger, last.token)
    if latest_of_spec(model, records) is None:
        return _caused(scene, "Spec", model.retrain)
    return manual or _scheduled(scene, records) or _of_newer_dataset(scene, records)


def next_slot(scene: Scene) -> tuple[datetime, ...]:
    """Return when the schedule starts the next run, if it does."""
    text = _schedule(scene)
    slot = schedule.next_slot(text, scene.now) if text else None
    return (slot,) if slot else ()


def _caused(scene: Scene, trigger: Trigger, cause: str) -> Wanted | Finding:
    """Return the run with a cause, on the newest version of a data set the model follows."""
    followed = scene.model.follows
    if followed is None:
        return Wanted(scene.model.version(cause), trigger, cause)
    newest = newest_version(scene, followed)
    if isinstance(newest, Finding):
        return newest
    token = tokens.fixed_to(cause, newest)
    return Wanted(scene.model.version(token), trigger, token)


def _manual(scene: Scene, records: Records) -> Wanted | Finding | None:
    """Return the run of the retrain annotation, unless it has ended already."""
    model = scene.model
    if not model.retrain or carried_out(model, records) is not None:
        return None
    return _caused(scene, "Manual", model.retrain)


def _of_newer_dataset(scene: Scene, records: Records) -> Wanted | Finding | None:
    """Return the run of a version that is newer than all this spec was trained on.

    Older ones do not count: the newest may have been deleted, or the answer may be outdated.
    """
    model, newest = scene.model, scene.observed.dataset
    if model.follows is None or newest is None or newest.version is None:
        return None
    if any(_reaches(one, newest.version, model) for one in records):
        return None
    return _caused(scene, "NewDataset", model.retrain)


def _reaches(record: VersionRecord, version: int, model: Model) -> bool:
    """Return whether a run of this spec used this version of the data set, or a newer one."""
    used = tokens.dataset_version_of(record.token or "") or 0
    return used >= version and has_result(record) and model.asks_for(record)


def _scheduled(scene: Scene, records: Records) -> Wanted | Finding | None:
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
    return _caused(scene, "Schedule", schedule.token(slot))


def _has_begun(record: VersionRecord) -> bool:
    """Return whether a run has used up its slot: one that was suspended has not."""
    return record.outcome != "Unknown"


def _schedule(scene: Scene) -> str | None:
    """Return the schedule, unless it is invalid, which a blocker reports."""
    return None if invalid_schedule(scene) else scene.model.spec.retrain.schedule
