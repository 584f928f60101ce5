"""The Kubernetes Events a change of status is worth."""

from taxon_contracts.status import Condition, Status
from taxon_controller.domain.actions import Event, Finding

NO_EVENT = ("NotRun", "NotJudged", "NoVersion")
REPORTED = ("Ready", "Trained", "GatePassed", "Serving")


def events_between(before: Status, after: Status) -> tuple[Event, ...]:
    """Return one Event per transition, each reason once."""
    known = {one.type: one for one in before.conditions or ()}
    events: dict[str, Event] = {}
    for one in after.conditions or ():
        if one.type in REPORTED and _changed(known.get(one.type), one):
            warning = one.status == "False" and _is_stalled(after, one.reason)
            events.setdefault(one.reason, Event(Finding(one.reason, one.message), warning))
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


def _is_stalled(status: Status, reason: str) -> bool:
    return any(one.type == "Stalled" and one.reason == reason for one in status.conditions or ())
