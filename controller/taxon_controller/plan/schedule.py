"""When a schedule starts a run."""

from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

from taxon_contracts.resource import cron
from taxon_controller import clock

PARTS = ("minute", "hour", "day-of-month", "month", "day-of-week")
"""cronsim's names of the fields."""


class InvalidSchedule(ValueError):  # noqa: N818 - a state, not a fault
    """The text is not a cron schedule."""


def due_slot(schedule: str, since: datetime, now: datetime) -> datetime | None:
    """Return the newest slot after ``since`` and not after ``now``: missed ones run once.

    Raises:
        InvalidSchedule: the text is not a cron schedule.
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
        InvalidSchedule: the text is not a cron schedule.
    """
    try:
        return next(CronSim(schedule, now), None)
    except CronSimError as error:
        raise InvalidSchedule(str(error)) from error


def fault(text: str, now: datetime) -> str | None:
    """Return what is wrong with a schedule and how to write it; None if it is valid."""
    known = cron.wrong_shape(text) or cron.out_of_range(text)
    if known is not None:
        return known
    try:
        next_slot(text, now)
    except InvalidSchedule as error:
        part = str(error).removeprefix("Bad ")
        if part not in PARTS:
            return f"it is not a cron schedule ({error}): write it as {cron.EXAMPLE}"
        field = text.split(" ")[PARTS.index(part)]
        return f'{part.replace("-", " ")} "{field}" is not valid: write it as in "{cron.EXAMPLE}"'
    return None


def token(slot: datetime) -> str:
    """Return what a slot adds to the id of its version."""
    return f"schedule:{clock.text(slot)}"
