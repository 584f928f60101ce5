"""Decisions about a model's runs.

A run is *settled* when its outcome is in the records. Other runs are continued, or superseded if
the spec has changed.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from taxon_contracts.search import describe_search
from taxon_contracts.status import Run, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.actions import Create, Delete, Finding, Write
from taxon_controller.domain.history import Records, find, with_record
from taxon_controller.objects.training_job import training_job
from taxon_controller.observe.observed import Attempt
from taxon_controller.plan.blockers import RUN_BLOCKERS, first
from taxon_controller.plan.outcomes import (
    Attempts,
    failed,
    pause,
    record_of,
    stopped,
    unknown,
    why_failed,
)
from taxon_controller.plan.pending import CANNOT_START, cannot_start, is_outdated
from taxon_controller.plan.scene import Scene
from taxon_controller.plan.target import champion
from taxon_controller.plan.triggers import Going, Wanted, next_slot, wanted_run
from taxon_kube.api import JOB, POD

GIVEN_UP = ("Superseded", "Suspended")
POD_LOOK = timedelta(seconds=20)
"""Pause between two checks of a running attempt's pod: pods are not watched."""


@dataclass(frozen=True)
class RunPlan:
    """What becomes of runs."""

    records: Records
    run: Run | None = None
    phase: Finding | None = None
    writes: tuple[Write, ...] = ()
    due: tuple[datetime, ...] = ()


def plan_runs(scene: Scene) -> RunPlan:
    """Decide about runs; while Jobs or their pods cannot be read, every run stays as it is."""
    unread = scene.observed.unread_of(JOB, POD)
    if unread is not None:
        return RunPlan(scene.records, scene.model.status.run, unread, due=next_slot(scene))
    attempts, written = scene.observed.attempts, scene.records
    unsettled = _unsettled(attempts, written)
    settled = written
    for version, tries in unsettled.items():
        record = record_of(tries, find(written, version), scene.settings)
        settled = with_record(settled, record) if record is not None else settled
    going = {v: tries for v, tries in unsettled.items() if not _is_settled(tries[-1], settled)}
    wanted = wanted_run(scene, going, settled)
    kept = wanted.version if isinstance(wanted, Wanted) else None
    settled, superseded = _supersede(scene, going, None if scene.suspended else kept, settled)
    plan = _plan_wanted(scene, wanted, going)
    return replace(
        plan,
        records=settled,
        writes=(*superseded, *_swept(attempts, settled, kept), *plan.writes),
        due=(*next_slot(scene), *plan.due),
    )


def _plan_wanted(scene: Scene, wanted: Wanted | Finding | None, going: Going) -> RunPlan:
    match wanted:
        case Wanted():
            return _continue(scene, wanted, going.get(wanted.version, ()))
        case Finding():
            return RunPlan((), phase=first(RUN_BLOCKERS, scene) or wanted)
        case None:
            return RunPlan(())


def _is_settled(attempt: Attempt, records: Records) -> bool:
    record = find(records, attempt.version)
    if record is None or attempt.finished is None:
        return False
    return attempt.finished <= clock.parse(record.completion_time)


def _unsettled(attempts: Attempts, records: Records) -> Going:
    """Return the attempts of every run that is not settled, first to last."""
    found: Going = {}
    for attempt in sorted(attempts, key=lambda one: one.number):
        if not attempt.deleting and not _is_settled(attempt, records):
            found[attempt.version] = (*found.get(attempt.version, ()), attempt)
    return found


def _supersede(
    scene: Scene, going: Going, kept: str | None, records: Records
) -> tuple[Records, tuple[Write, ...]]:
    """Cancel the runs that are no longer desired.

    A run whose result is lost is not recorded as failed: it may have trained a version.
    Each is recorded first, and its Jobs are deleted once that is in the status: everything it has
    written to object storage is then removed with its record.
    """
    writes: tuple[Write, ...] = ()
    for version, attempts in going.items():
        if version == kept:
            continue
        before = find(scene.records, version)
        if before is not None and (before.manifest_digest or before.reason in GIVEN_UP):
            writes = (*writes, *(Delete(JOB, one.body) for one in attempts))
            continue
        if attempts[-1].lost:
            records = with_record(records, unknown(attempts, scene.bundle_uri(version)))
            continue
        records = with_record(records, _given_up(scene, attempts, before))
    return records, writes


def _given_up(scene: Scene, attempts: Attempts, before: VersionRecord | None) -> VersionRecord:
    now = clock.text(scene.now)
    if scene.suspended:
        return stopped(attempts, now, scene.bundle_uri(attempts[-1].version))
    why = Finding("Superseded", "the run was cancelled: the spec changed")
    return failed(attempts, why, now, before)


def _swept(attempts: Attempts, records: Records, kept: str | None) -> tuple[Write, ...]:
    """Delete the Jobs of settled runs but the newest of each version."""
    newest = {one.version: one.number for one in sorted(attempts, key=lambda one: one.number)}
    return tuple(
        Delete(JOB, one.body)
        for one in attempts
        if not one.deleting
        and one.number < newest[one.version]
        and _is_settled(one, records)
        and one.version != kept
    )


def _continue(scene: Scene, wanted: Wanted, attempts: Attempts) -> RunPlan:
    """Start the run's next attempt, or wait for the current one or for the pause."""
    last = attempts[-1] if attempts else None
    if last is not None and last.finished is None and not scene.suspended:
        return _wait_for_end(scene, wanted, attempts)
    held = first(RUN_BLOCKERS, scene)
    if held is not None:
        return RunPlan((), phase=held)
    if last is not None and last.finished is not None:
        again = last.finished + pause(len(attempts), scene.settings)
        if scene.now < again:
            return _wait_for_retry(scene, wanted, attempts, again)
    return _begin(scene, wanted, attempts)


def _wait_for_end(scene: Scene, wanted: Wanted, attempts: Attempts) -> RunPlan:
    last = attempts[-1]
    run = _run(scene, wanted, last.number, attempts[0].created)
    due = (scene.now + POD_LOOK,)
    if cannot_start(last):
        return _wait_for_start(scene, wanted, attempts, RunPlan((), run, due=due))
    message = _running(scene, wanted, len(attempts))
    if last.trouble:
        message = f"{message}, but {last.trouble.reason}: {last.trouble.message}"
    return RunPlan((), run, Finding("Training", message), due=due)


def _wait_for_start(scene: Scene, wanted: Wanted, attempts: Attempts, waiting: RunPlan) -> RunPlan:
    """Report a pod that cannot start; replace it once spec.training differs."""
    last = attempts[-1]
    assert last.trouble is not None  # noqa: S101 - that is what its pod waits for
    assert waiting.run is not None  # noqa: S101 - the caller put it there
    attempt = f"attempt {len(attempts)} of {wanted.version}"
    if is_outdated(scene, last, waiting.run):
        said = f"{attempt} could not start and is replaced: spec.training was edited"
        replaced = Finding("Training", said)
        return replace(waiting, phase=replaced, writes=(Delete(JOB, last.body),))
    reason = last.trouble.reason
    said = f"{attempt} cannot start: {last.trouble.message}; {CANNOT_START[reason]}"
    return replace(waiting, phase=Finding(reason, said))


def _wait_for_retry(scene: Scene, wanted: Wanted, attempts: Attempts, again: datetime) -> RunPlan:
    last = attempts[-1]
    why = why_failed(last)
    phase = Finding(
        "RetryPending",
        f"attempt {len(attempts)} of {wanted.version} failed ({why.reason}: {why.message}); the"
        f" next starts at {clock.text(again)}",
    )
    return RunPlan((), _run(scene, wanted, last.number, attempts[0].created), phase, due=(again,))


def _begin(scene: Scene, wanted: Wanted, attempts: Attempts) -> RunPlan:
    numbers = (one.number for one in scene.observed.attempts if one.version == wanted.version)
    begun = attempts[0].created if attempts else scene.now
    run = _run(scene, wanted, max(numbers, default=0) + 1, begun)
    try:
        job = training_job(scene.model, run, champion=champion(scene), settings=scene.settings)
    except ValueError as error:
        return RunPlan((), phase=Finding("RequestTooLarge", str(error)))
    phase = Finding("Training", _running(scene, wanted, len(attempts) + 1))
    return RunPlan((), run, phase, (Create(job),), (scene.now + POD_LOOK,))


def _running(scene: Scene, wanted: Wanted, attempt: int) -> str:
    size = describe_search(scene.model.spec.identity())
    return f"attempt {attempt} of {wanted.version} is running: {size}"


def _run(scene: Scene, wanted: Wanted, attempt: int, begun: datetime) -> Run:
    return Run(
        version=wanted.version,
        trigger=wanted.trigger,
        token=wanted.token or None,
        dataset=scene.model.dataset(wanted.token),
        attempt=attempt,
        start_time=clock.text(begun),
    )
