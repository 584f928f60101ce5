"""What a run's token says: its cause, and the version of the data set it is fixed to.

A token is the cause (a schedule slot, the value of the retrain annotation, or nothing for the
spec) and, where the model follows the newest version of a data set, that version: ``dataset:3``
or ``retrain:again dataset:3``.
"""

import re

FIXED = re.compile(r"(?:(?P<cause>.*) )?dataset:(?P<version>[1-9][0-9]{0,6})", re.DOTALL)


def fixed_to(cause: str, version: int) -> str:
    """Return the token of a run with this cause on this version of the data set."""
    return f"{cause} dataset:{version}".strip()


def cause_of(token: str) -> str:
    """Return the cause in the token of a run that follows a data set."""
    found = FIXED.fullmatch(token)
    return (found["cause"] or "") if found else token


def dataset_version_of(token: str) -> int | None:
    """Return the version of the data set in the token of a run that follows one."""
    found = FIXED.fullmatch(token)
    return int(found["version"]) if found else None
