"""The failed writes of a plan, and how they change what the status reports.

Nothing is decided again: the status reports what was not written, and the next reconciliation
plans from the observed state.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from taxon_controller import clock
from taxon_controller.domain.actions import Finding
from taxon_controller.plan.blockers import names_taken
from taxon_controller.plan.decided import Decision
from taxon_controller.plan.rollout import RolloutPlan

LOOK = timedelta(seconds=15)
"""Pause while a person has to act: objects that are not Taxon's are not watched."""


@dataclass(frozen=True)
class Setbacks:
    """Why some of the writes were not carried out.

    ``run_refused`` and ``serving_refused`` are the API server's reasons for refusing a training
    Job, or an object of serving. ``taken`` are existing objects of someone else, and ``leaving``
    objects that are being deleted, each as ``Kind/name``. ``kserve_away``: KServe's webhook
    did not answer.
    """

    run_refused: str = ""
    serving_refused: str = ""
    taken: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    kserve_away: bool = False


def after(decision: Decision, setbacks: Setbacks) -> Decision:
    """Return the decision with everything that was not carried out in it."""
    now = decision.scene.now
    if setbacks.run_refused:
        decision = _without_run(decision, setbacks.run_refused)
    if setbacks.kserve_away:
        decision = replace(decision, rollout=_paused(decision.rollout, now))
    if setbacks.leaving:
        decision = _waiting(decision, setbacks.leaving)
    if setbacks.serving_refused:
        why = Finding("WriteRefused", f"what serves is refused: {setbacks.serving_refused}")
        decision = replace(decision, rollout=_blocked(decision.rollout, why))
    if setbacks.taken:
        why = names_taken(setbacks.taken)
        decision = replace(
            decision,
            scene=replace(decision.scene, blocker=why),
            rollout=_blocked(decision.rollout, why),
            due=(*decision.due, now + LOOK),
        )
    return decision


def _without_run(decision: Decision, why: str) -> Decision:
    phase = Finding("WriteRefused", f"the training Job is refused: {why}")
    return replace(decision, runs=replace(decision.runs, run=None, phase=phase))


def _paused(rollout: RolloutPlan, now: datetime) -> RolloutPlan:
    """Stop the clock of a version that waits for its servers."""
    candidate = rollout.candidate
    if candidate is None or candidate.weight > 0:
        return rollout
    return replace(
        rollout,
        candidate=candidate.model_copy(update={"since_time": clock.text(now)}),
        phase=Finding("KServeUnavailable", "KServe's webhook does not answer; retrying"),
    )


def _blocked(rollout: RolloutPlan, why: Finding) -> RolloutPlan:
    """Do not move the traffic: the candidate and its deadline start again later."""
    live = rollout.live
    return replace(
        rollout,
        live=live.model_copy(update={"weight": 100}) if live else None,
        candidate=None,
        phase=None,
        blocked=rollout.blocked or why,
    )


def _waiting(decision: Decision, leaving: tuple[str, ...]) -> Decision:
    """Report which objects must be deleted before they are created again."""
    why = Finding(
        "ObjectBeingDeleted",
        f"{', '.join(leaving)} is being deleted and is created again afterwards; if it stays, check"
        " its finalizers",
    )
    runs, rollout = decision.runs, decision.rollout
    if any(one.startswith("Job/") for one in leaving):
        runs = replace(runs, run=None, phase=why)
    else:
        rollout = replace(rollout, phase=why)
    return replace(
        decision, runs=runs, rollout=rollout, due=(*decision.due, decision.scene.now + LOOK)
    )
