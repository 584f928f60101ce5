"""Valid schedules, and the sentence for an invalid one."""

import re

EXAMPLE = "0 3 * * 1"
SHAPE = r"^[0-9A-Za-z*/,#-]+( [0-9A-Za-z*/,#-]+){4}$"
SHAPE_MESSAGE = (
    "a schedule is five cron fields with one space between them (minute, hour, day of the month,"
    f' month, day of the week), as "{EXAMPLE}"'
)
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
RANGES = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)


def wrong_shape(text: str) -> str | None:
    """Return why a text is not five cron fields; None if it is. Ranges are not checked."""
    if text.startswith("@"):
        return f'"{text}" is not five cron fields; use "{NICKNAMES.get(text, EXAMPLE)}"'
    return None if re.fullmatch(SHAPE.strip("^$"), text) else SHAPE_MESSAGE


def out_of_range(text: str) -> str | None:
    """Return which number of five cron fields is out of range, if one is."""
    for (name, low, high), field in zip(RANGES, text.split(" "), strict=True):
        for part in field.split(","):
            for number in re.split("[/#]", part)[0].split("-"):
                if number.isdigit() and not low <= int(number) <= high:
                    return f"{name} {number} is out of range {low}-{high}"
    return None


def cel_nickname_message() -> str:
    """Return the CEL expression of the message for a nickname such as ``@daily``."""
    choice = "".join(f"self == '{name}' ? '{fields}' : " for name, fields in NICKNAMES.items())
    return f"'\"' + self + '\" is not five cron fields; use \"' + ({choice}'{EXAMPLE}') + '\"'"
