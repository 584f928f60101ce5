"""What a person has to remove before anything new can happen, most basic first."""

from collections.abc import Callable
from datetime import datetime

from taxon_controller.domain.actions import Finding
from taxon_controller.domain.hosts import outside_host
from taxon_controller.domain.model import Model
from taxon_controller.observe.observed import Observed
from taxon_controller.plan import schedule
from taxon_controller.settings import Settings

HOST_CHARACTERS = 253
LABEL_CHARACTERS = 63

Check = Callable[[Model, Observed, datetime, Settings], Finding | None]


def name_too_long(model: Model, _: Observed, __: datetime, settings: Settings) -> Finding | None:
    """The host name would not be one."""
    name = outside_host(model, settings)
    if len(name) <= HOST_CHARACTERS and all(len(p) <= LABEL_CHARACTERS for p in name.split(".")):
        return None
    return Finding(
        "NameTooLong",
        f"the host {name} has {len(name)} characters, {HOST_CHARACTERS} are allowed: use a shorter"
        " name or namespace",
    )


def name_taken(_: Model, observed: Observed, __: datetime, ___: Settings) -> Finding | None:
    """An object Taxon needs belongs to someone else."""
    if not observed.foreign:
        return None
    taken = ", ".join(observed.foreign)
    return Finding(
        "NameTaken", f"{taken} is not Taxon's and stays as it is: remove it or rename the model"
    )


def invalid_schedule(model: Model, _: Observed, now: datetime, __: Settings) -> Finding | None:
    """The schedule is none."""
    text = model.spec.retrain.schedule
    try:
        if text:
            schedule.next_slot(text, now)
    except schedule.InvalidSchedule as error:
        return Finding(
            "InvalidSchedule", f"retrain.schedule {text!r}: {error}: use five cron fields"
        )
    return None


BLOCKERS: tuple[Check, ...] = (name_too_long, name_taken, invalid_schedule)


def first_blocker(
    model: Model, observed: Observed, now: datetime, settings: Settings
) -> Finding | None:
    """Return the first blocker, if there is any."""
    found = (check(model, observed, now, settings) for check in BLOCKERS)
    return next(filter(None, found), None)
