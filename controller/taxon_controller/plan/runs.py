"""Which run a model needs, what its attempts came to, and when the next one begins.

A run is *settled* when its outcome stands in the records. What is not settled is continued, or
superseded when the spec asks for something else meanwhile.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import get_args

from taxon_contracts.run import Champion, FinalReason
from taxon_contracts.status import Run, Trigger, VersionMetric, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.actions import Create, Delete, Finding, Write
from taxon_controller.domain.history import Records, find, latest_of_spec, with_record
from taxon_controller.domain.model import Model
from taxon_controller.objects.training_job import training_job
from taxon_controller.observe.observed import Attempt, Observed
from taxon_controller.plan import schedule
from taxon_controller.settings import Settings
from taxon_kube.api import JOB

POD_LOOK = timedelta(seconds=20)
"""How often a running attempt's pod is looked at: pods are not watched."""
LONGEST_PAUSE = timedelta(minutes=30)
MESSAGE_CHARACTERS = 1024
OUT_OF_MEMORY_TIMES = 2

OpenRuns = dict[str, tuple[Attempt, ...]]


@dataclass(frozen=True)
class RunPlan:
    """What becomes of runs."""

    records: Records
    run: Run | None = None
    phase: Finding | None = None
    writes: tuple[Write, ...] = ()
    due: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A run that is asked for."""

    version: str
    trigger: Trigger
    token: str


@dataclass(frozen=True)
class Scene:
    """What every decision about a run looks at.

    ``held`` is why no run may begin, if none may; what has ended is settled all the same.
    ``champion`` is the live version.
    """

    model: Model
    observed: Observed
    held: Finding | None
    champion: Champion | None
    now: datetime
    settings: Settings

    @property
    def suspended(self) -> bool:
        """Tell whether what goes on has to stop as well."""
        return self.held is not None and self.held.reason == "Suspended"


def plan_runs(scene: Scene, records: Records) -> RunPlan:
    """Decide about runs; ``records`` are the runs that are settled."""
    model, attempts = scene.model, scene.observed.attempts
    open_runs = _open_runs(attempts, records)
    settled = records
    for version, tries in open_runs.items():
        record = _outcome(tries, find(records, version), scene.settings)
        settled = with_record(settled, record) if record is not None else settled
    going = {v: tries for v, tries in open_runs.items() if not _is_settled(tries[-1], settled)}
    wanted = _wanted(model, going, settled, scene.now)
    kept = None if wanted is None or scene.suspended else wanted.version
    settled, given_up = _supersede(going, kept, records, settled, scene.now)
    plan = RunPlan(settled)
    if wanted is not None:
        plan = _continue(scene, wanted, going.get(wanted.version, ()))
    return replace(
        plan,
        records=settled,
        writes=(*given_up, *_swept(attempts, settled, wanted), *plan.writes),
        due=(*_next_slot(model, scene.now), *plan.due),
    )


def _is_settled(attempt: Attempt, records: Records) -> bool:
    record = find(records, attempt.version)
    if record is None or attempt.finished is None:
        return False
    return attempt.finished <= clock.parse(record.completion_time)


def _open_runs(attempts: tuple[Attempt, ...], records: Records) -> OpenRuns:
    """Return the attempts of every run that is not settled, first to last."""
    found: OpenRuns = {}
    for attempt in sorted(attempts, key=lambda one: one.number):
        if not attempt.deleting and not _is_settled(attempt, records):
            found[attempt.version] = (*found.get(attempt.version, ()), attempt)
    return found


def _outcome(
    attempts: tuple[Attempt, ...], before: VersionRecord | None, settings: Settings
) -> VersionRecord | None:
    """Return the record of a run that has ended for good."""
    last = attempts[-1]
    if last.finished is None:
        return None
    result = last.result
    if result is not None and result.outcome != "Failed" and result.manifest_digest:
        return VersionRecord(
            version=last.version,
            trigger=last.trigger,
            token=last.token or None,
            outcome=result.outcome,
            reason=result.reason,
            message=result.message[:MESSAGE_CHARACTERS],
            bundle_uri=result.bundle_uri,
            manifest_digest=result.manifest_digest,
            metrics=tuple(
                VersionMetric(
                    name=one.name,
                    value=f"{one.value:.4f}",
                    low=f"{one.low:.4f}",
                    high=f"{one.high:.4f}",
                )
                for one in result.metrics
            ),
            start_time=clock.text(attempts[0].created),
            completion_time=clock.text(last.finished),
        )
    final = _final(attempts, settings)
    if final is None:
        return None
    return _failed(attempts, final.reason, final.message, clock.text(last.finished), before)


def _failed(
    attempts: tuple[Attempt, ...],
    reason: str,
    message: str,
    time: str,
    before: VersionRecord | None,
) -> VersionRecord:
    """Return the record of a failed run; a bundle an earlier run of it made is not forgotten."""
    last = attempts[-1]
    return VersionRecord(
        version=last.version,
        trigger=last.trigger,
        token=last.token or None,
        outcome="Failed",
        reason=reason,
        message=message[:MESSAGE_CHARACTERS],
        bundle_uri=before.bundle_uri if before else None,
        manifest_digest=before.manifest_digest if before else None,
        metrics=before.metrics if before else None,
        start_time=clock.text(attempts[0].created),
        completion_time=time,
    )


def _why(attempt: Attempt) -> Finding:
    """Return why an attempt failed."""
    if attempt.result is not None and attempt.result.outcome == "Failed":
        return Finding(attempt.result.reason, attempt.result.message)
    return attempt.failure or Finding("PodLost", "the pod gave no usable result")


def _final(attempts: tuple[Attempt, ...], settings: Settings) -> Finding | None:
    """Return why a run has failed for good, or None when another attempt may succeed."""
    why = _why(attempts[-1])
    if why.reason in get_args(FinalReason) or why.reason == "DeadlineExceeded":
        return why
    memory = [one for one in attempts if _why(one).reason == "OutOfMemory"]
    if len(memory) >= OUT_OF_MEMORY_TIMES:
        return why
    if len(attempts) >= settings.attempts:
        return Finding(
            "AttemptsExhausted", f"{len(attempts)} attempts failed, the last: {why.message}"
        )
    return None


def _wanted(
    model: Model,
    going: OpenRuns,
    records: Records,
    now: datetime,
) -> Wanted | None:
    """Return the run that is to go on or to begin."""
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
    return manual or _scheduled(model, records, now)


def _manual(model: Model, records: Records) -> Wanted | None:
    """Return the run the retrain annotation asks for, unless it was given."""
    if not model.retrain:
        return None
    version = model.version(model.retrain)
    record = find(records, version)
    if record is not None and record.reason != "Superseded":
        return None
    return Wanted(version, "Manual", model.retrain)


def _scheduled(model: Model, records: Records, now: datetime) -> Wanted | None:
    """Return the run of the newest slot since the last run began: missed slots run once."""
    if not model.spec.retrain.schedule:
        return None
    begun = [clock.parse(one.start_time or one.completion_time) for one in records]
    slot = schedule.due_slot(model.spec.retrain.schedule, max(begun, default=model.created), now)
    if slot is None:
        return None
    token = schedule.token(slot)
    return Wanted(model.version(token), "Schedule", token)


def _next_slot(model: Model, now: datetime) -> tuple[datetime, ...]:
    if not model.spec.retrain.schedule:
        return ()
    slot = schedule.next_slot(model.spec.retrain.schedule, now)
    return (slot,) if slot else ()


def _supersede(
    going: OpenRuns, kept: str | None, written: Records, records: Records, now: datetime
) -> tuple[Records, tuple[Write, ...]]:
    """Give up the runs nobody asks for any more.

    Each is recorded first and its Jobs are deleted once that stands in the status: whatever it has
    put into object storage is then removed with its record.
    """
    writes: tuple[Write, ...] = ()
    for version, attempts in going.items():
        if version == kept:
            continue
        before = find(written, version)
        if before is not None and (before.manifest_digest or before.reason == "Superseded"):
            writes = (*writes, *(Delete(JOB, one.body) for one in attempts))
            continue
        message = "the run was given up: the spec changed or was suspended"
        records = with_record(
            records, _failed(attempts, "Superseded", message, clock.text(now), before)
        )
    return records, writes


def _swept(
    attempts: tuple[Attempt, ...], records: Records, wanted: Wanted | None
) -> tuple[Write, ...]:
    """Delete the Jobs of settled runs but the newest of each version."""
    newest = {one.version: one.number for one in sorted(attempts, key=lambda one: one.number)}
    return tuple(
        Delete(JOB, one.body)
        for one in attempts
        if not one.deleting
        and one.number < newest[one.version]
        and _is_settled(one, records)
        and (wanted is None or one.version != wanted.version)
    )


def _continue(scene: Scene, wanted: Wanted, attempts: tuple[Attempt, ...]) -> RunPlan:
    """Begin the run's next attempt, wait for the one that goes on, or for its time."""
    held = scene.held
    last = attempts[-1] if attempts else None
    if last is not None and last.finished is None and not scene.suspended:
        return _wait_for_end(scene, wanted, attempts)
    if held is not None:
        return RunPlan((), phase=held)
    if last is not None and last.finished is not None:
        again = last.finished + _pause(len(attempts), scene.settings)
        if scene.now < again:
            return _wait_for_retry(wanted, attempts, again)
    return _begin(scene, wanted, attempts)


def _wait_for_end(scene: Scene, wanted: Wanted, attempts: tuple[Attempt, ...]) -> RunPlan:
    last = attempts[-1]
    message = f"attempt {len(attempts)} of {wanted.version} is going on"
    if last.trouble:
        message = f"{message}, but {last.trouble.reason}: {last.trouble.message}"
    run = _run(wanted, last.number, attempts[0].created)
    return RunPlan((), run, Finding("Training", message), due=(scene.now + POD_LOOK,))


def _wait_for_retry(wanted: Wanted, attempts: tuple[Attempt, ...], again: datetime) -> RunPlan:
    last = attempts[-1]
    why = _why(last)
    phase = Finding(
        "RetryPending",
        f"attempt {len(attempts)} of {wanted.version} failed ({why.reason}: {why.message}); the"
        f" next begins at {clock.text(again)}",
    )
    return RunPlan((), _run(wanted, last.number, attempts[0].created), phase, due=(again,))


def _begin(scene: Scene, wanted: Wanted, attempts: tuple[Attempt, ...]) -> RunPlan:
    numbers = (one.number for one in scene.observed.attempts if one.version == wanted.version)
    begun = attempts[0].created if attempts else scene.now
    run = _run(wanted, max(numbers, default=0) + 1, begun)
    try:
        job = training_job(scene.model, run, champion=scene.champion, settings=scene.settings)
    except ValueError as error:
        return RunPlan((), phase=Finding("RequestTooLarge", str(error)))
    phase = Finding("Training", f"attempt {len(attempts) + 1} of {wanted.version} is going on")
    return RunPlan((), run, phase, (Create(job),), (scene.now + POD_LOOK,))


def _run(wanted: Wanted, attempt: int, begun: datetime) -> Run:
    return Run(
        version=wanted.version,
        trigger=wanted.trigger,
        token=wanted.token or None,
        attempt=attempt,
        start_time=clock.text(begun),
    )


def _pause(attempts: int, settings: Settings) -> timedelta:
    seconds = settings.retry_seconds * 2 ** (attempts - 1)
    return min(timedelta(seconds=seconds), LONGEST_PAUSE)
