"""The Kubernetes Events for a change of status.

Conditions report on the desired version. A run in the background (schedule, annotation, newer data
set) changes none of them while it runs, so its start and its end are Events.
"""

from taxon_contracts.search import describe_search
from taxon_contracts.status import Condition, Run, Status, VersionRecord
from taxon_controller.domain.actions import Event, Finding
from taxon_controller.domain.history import find
from taxon_controller.domain.model import Model

NO_EVENT = ("NotRun", "NotJudged", "NoVersion")
REPORTED = ("Ready", "Trained", "GatePassed", "Serving")
NOT_ANSWERING = ("ServersNotReady", "URLNotAnswering")


def events_between(before: Status, after: Status, model: Model | None = None) -> tuple[Event, ...]:
    """Return one Event per transition, each reason once.

    Args:
        before: the status that was read.
        after: the status that will be written.
        model: the model, if its spec can be read.
    """
    known = {one.type: one for one in before.conditions or ()}
    events: dict[str, Event] = {}
    for one in after.conditions or ():
        if one.type in REPORTED and _changed(known.get(one.type), one):
            events.setdefault(
                one.reason, Event(Finding(one.reason, one.message), _is_warning(after, one))
            )
    for record in _new_in_background(before, after):
        events.pop(record.reason, None)
        event = _ended(record)
        events[f"{event.finding.reason} {record.version}"] = event
    if model is not None and after.run is not None and _begins(before, after.run):
        events["RunStarted"] = _begun(after.run, model)
    if after.live is not None and (
        before.live is None or before.live.version != after.live.version
    ):
        message = f"{after.live.version} has the traffic"
        events["TrafficSwitched"] = Event(Finding("TrafficSwitched", message))
    return tuple(events.values())


def _changed(before: Condition | None, after: Condition) -> bool:
    if before is None:
        return after.reason not in NO_EVENT
    return (before.status, before.reason) != (after.status, after.reason)


def _is_warning(status: Status, condition: Condition) -> bool:
    """Return whether a person should act: Taxon cannot continue, or clients get no answer."""
    stalled = any(
        one.type == "Stalled" and one.reason == condition.reason for one in status.conditions or ()
    )
    alarming = stalled or condition.type == "GatePassed" or condition.reason in NOT_ANSWERING
    return condition.status == "False" and alarming


def _begins(before: Status, run: Run) -> bool:
    """Return whether a run in the background starts now."""
    known = before.run is not None and before.run.version == run.version
    return run.trigger != "Spec" and not known


def _begun(run: Run, model: Model) -> Event:
    size = describe_search(model.spec.identity())
    dataset = f" on version {run.dataset.version} of {run.dataset.name}" if run.dataset else ""
    message = f"{run.version} is trained in the background{dataset} ({run.trigger}): {size}"
    return Event(Finding("RunStarted", message))


def _new_in_background(before: Status, after: Status) -> tuple[VersionRecord, ...]:
    """Return the records of runs in the background that are new, or have another outcome now."""
    if before.observed_generation is None:  # it was lost, and with it what was reported
        return ()
    known = before.versions or ()
    return tuple(
        record
        for record in after.versions or ()
        if record.trigger != "Spec" and _outcome(find(known, record.version)) != _outcome(record)
    )


def _outcome(record: VersionRecord | None) -> tuple[str, str] | None:
    return (record.outcome, record.completion_time) if record is not None else None


def _ended(record: VersionRecord) -> Event:
    said = f"{record.version} ({record.trigger}): {record.message}"
    match record.outcome:
        case "Accepted":
            return Event(Finding("RunSucceeded", said))
        case "Refused":
            return Event(Finding("RunRefused", said), warning=True)
        case "Abandoned":
            return Event(Finding("VersionAbandoned", said), warning=True)
        case "Failed" if record.reason != "Superseded":
            return Event(Finding("RunFailed", f"{said} ({record.reason})"), warning=True)
        case _:
            return Event(Finding("RunEnded", said))
