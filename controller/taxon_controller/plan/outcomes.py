"""The outcome of a run's attempts: its record, or the pause until the next attempt."""

from datetime import timedelta
from typing import get_args

from taxon_contracts.figures import exact
from taxon_contracts.run import FinalReason, RunResult
from taxon_contracts.sentences import fitted
from taxon_contracts.status import VersionMetric, VersionParameter, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.actions import Finding
from taxon_controller.observe.observed import Attempt
from taxon_controller.settings import Settings

LONGEST_PAUSE = timedelta(minutes=30)
OUT_OF_MEMORY_TIMES = 2

Attempts = tuple[Attempt, ...]
"""The attempts of one run, first to last."""


def record_of(
    attempts: Attempts, before: VersionRecord | None, settings: Settings
) -> VersionRecord | None:
    """Return the record of a run that has ended, or None while it has not.

    Args:
        attempts: the run's attempts.
        before: the record of an earlier run of the same version.
        settings: the controller's environment.
    """
    last = attempts[-1]
    if last.finished is None:
        return None
    if last.result is not None and last.result.outcome != "Failed" and last.result.manifest_digest:
        return _judged(attempts, last.result, clock.text(last.finished))
    final = _final(attempts, settings)
    if final is None:
        return None
    return failed(attempts, final, clock.text(last.finished), before)


def failed(
    attempts: Attempts, why: Finding, time: str, before: VersionRecord | None
) -> VersionRecord:
    """Return the record of a failed run; keep the bundle of an earlier run of the same version."""
    last = attempts[-1]
    return VersionRecord(
        version=last.version,
        trigger=last.trigger,
        token=last.token or None,
        dataset=last.dataset,
        outcome="Failed",
        reason=why.reason,
        message=fitted(why.message),
        bundle_uri=before.bundle_uri if before else None,
        manifest_digest=before.manifest_digest if before else None,
        metrics=before.metrics if before else None,
        start_time=clock.text(attempts[0].created),
        completion_time=time,
    )


def stopped(attempts: Attempts, time: str, bundle_uri: str) -> VersionRecord:
    """Return the record of a suspended run: it has not failed, and starts again later."""
    record = unknown(attempts, bundle_uri)
    return record.model_copy(
        update={
            "reason": "Suspended",
            "message": "spec.suspend stopped the run; it starts again when suspend is false",
            "completion_time": time,
        }
    )


def unknown(attempts: Attempts, bundle_uri: str) -> VersionRecord:
    """Return the record of a run whose result is lost; there may be a bundle."""
    last = attempts[-1]
    return VersionRecord(
        version=last.version,
        trigger=last.trigger,
        token=last.token or None,
        dataset=last.dataset,
        outcome="Unknown",
        reason="ResultLost",
        message=f"the result is lost with its pod; if there is a bundle, it is at {bundle_uri}",
        bundle_uri=bundle_uri,
        start_time=clock.text(attempts[0].created),
        completion_time=clock.text(last.finished or last.created),
    )


def why_failed(attempt: Attempt) -> Finding:
    """Return why an attempt failed."""
    if attempt.result is not None and attempt.result.outcome == "Failed":
        return Finding(attempt.result.reason, attempt.result.message)
    return attempt.failure or Finding("PodLost", "the pod gave no usable result")


def pause(attempts: int, settings: Settings) -> timedelta:
    """Return how long to wait after so many failed attempts."""
    seconds = settings.retry_seconds * 2 ** (attempts - 1)
    return min(timedelta(seconds=seconds), LONGEST_PAUSE)


def _judged(attempts: Attempts, result: RunResult, time: str) -> VersionRecord:
    """Return the record of a run with a bundle."""
    last = attempts[-1]
    return VersionRecord(
        version=last.version,
        trigger=last.trigger,
        token=last.token or None,
        dataset=last.dataset,
        outcome=result.outcome,
        reason=result.reason,
        message=fitted(result.message),
        bundle_uri=result.bundle_uri,
        manifest_digest=result.manifest_digest,
        metrics=tuple(
            VersionMetric(
                name=one.name, value=exact(one.value), low=exact(one.low), high=exact(one.high)
            )
            for one in result.metrics
        ),
        parameters=tuple(
            VersionParameter(name=one.name, value=one.value) for one in result.parameters
        )
        or None,
        start_time=clock.text(attempts[0].created),
        completion_time=time,
    )


def _final(attempts: Attempts, settings: Settings) -> Finding | None:
    """Return why a run has failed, or None if another attempt may succeed.

    A completed attempt has not failed, even if its result is lost.
    """
    why = why_failed(attempts[-1])
    if why.reason in get_args(FinalReason) or why.reason == "DeadlineExceeded":
        return why
    memory = [one for one in attempts if why_failed(one).reason == "OutOfMemory"]
    if len(memory) >= OUT_OF_MEMORY_TIMES:
        return why
    failures = sum(not one.succeeded for one in attempts)
    if failures >= settings.attempts and not attempts[-1].succeeded:
        return Finding("AttemptsExhausted", f"{failures} attempts failed, the last: {why.message}")
    return None
