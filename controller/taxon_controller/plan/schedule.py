"""When a schedule asks for a run."""

from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

from taxon_controller import clock


class InvalidSchedule(ValueError):  # noqa: N818 - a state, not a fault
    """The text is no schedule."""


def due_slot(schedule: str, since: datetime, now: datetime) -> datetime | None:
    """Return the newest slot after ``since`` and not after ``now``: missed ones run once.

    Raises:
        InvalidSchedule: the text is no schedule.
    """
    second_after = now.replace(microsecond=0) + timedelta(seconds=1)
    try:
        slot = next(CronSim(schedule, second_after, reverse=True), None)
    except CronSimError as error:
        raise InvalidSchedule(str(error)) from error
    return slot if slot is not None and slot > since else None


def next_slot(schedule: str, now: datetime) -> datetime | None:
    """Return the first slot after ``now``.

    Raises:
        InvalidSchedule: the text is no schedule.
    """
    try:
        return next(CronSim(schedule, now), None)
    except CronSimError as error:
        raise InvalidSchedule(str(error)) from error


def token(slot: datetime) -> str:
    """Return what a slot adds to the id of its version."""
    return f"schedule:{clock.text(slot)}"
