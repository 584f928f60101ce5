"""Reading labels: the items of a request, each checked by itself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from taxon_datastore.prediction_names import time_of
from taxon_model_server.errors import InvalidInput, TooLarge
from taxon_model_server.protocol.json_text import Content, parse_json
from taxon_model_server.similar import by_folded, folded

MOST_ITEMS = 10_000
LONGEST_TEXT = 256
"""Characters of a request id, as the log keeps them, and of a submitter."""
SKEW = timedelta(minutes=5)
"""How far the clock of whoever made a time may be ahead of this one."""
KEYS = ("prediction_id", "request_id", "label", "observed_at", "submitter")
RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(?P<offset>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
PREDICTION_IDS = 7
"""Version of the UUIDs that are ids of predictions."""
LABELS_SHOWN, CHARACTERS_SHOWN = 10, 60

Label = str | int


class Unfit(ValueError):  # noqa: N818 - a state of one item; the message says what to change
    """An item cannot be a label of the model."""


@dataclass(frozen=True)
class Observation:
    """One label; exactly one of ``prediction_id`` and ``request_id`` is there.

    ``observed_at`` is in UTC, None if the client did not say it.
    """

    prediction_id: UUID | None
    request_id: str | None
    label: Label
    observed_at: datetime | None
    submitter: str | None


class Classes:
    """The classes of a model, by what clients may send for them."""

    def __init__(self, classes: Sequence[Label]) -> None:
        texts = {str(one): one for one in classes}
        self._texts: Mapping[str, Label] = texts
        self._integers = {one: one for one in classes if isinstance(one, int)}
        more = f", ... (one of {len(classes)})" if len(classes) > LABELS_SHOWN else ""
        self._shown = ", ".join(map(repr, classes[:LABELS_SHOWN])) + more

    def read(self, value: object) -> Label:
        """Return the class that a value stands for; an integer may be sent as its text.

        Raises:
            Unfit: it is no class.
        """
        if isinstance(value, str) and value in self._texts:
            return self._texts[value]
        if isinstance(value, int) and not isinstance(value, bool) and value in self._integers:
            return value
        raise Unfit(f"label {_shown(value)} is not a class of the model: {self._shown}")


def read_items(body: Content) -> list[Any]:
    """Return the items of a request.

    Raises:
        InvalidInput: it is not what a request must be.
        TooLarge: it has too many items.
    """
    try:
        document = parse_json(body)
    except ValueError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error
    items = document.get("labels") if isinstance(document, dict) else None
    if not isinstance(items, list) or not items:
        raise InvalidInput('send {"labels": [...]} with at least one label')
    if len(items) > MOST_ITEMS:
        raise TooLarge(f"the request has {len(items)} labels: send at most {MOST_ITEMS} at a time")
    return items


def read_item(item: object, classes: Classes, now: datetime) -> Observation:
    """Return an item as an observation.

    Raises:
        Unfit: it is none of the model.
    """
    if not isinstance(item, dict):
        raise Unfit("it is not an object: send prediction_id or request_id, and label")
    _check_keys(item)
    if (item.get("prediction_id") is None) == (item.get("request_id") is None):
        raise Unfit("send either prediction_id or request_id")
    if "label" not in item:
        raise Unfit("it has no label")
    given = item.get("prediction_id")
    return Observation(
        prediction_id=None if given is None else _prediction_id(given, now),
        request_id=_text(item, "request_id", longest=None),
        label=classes.read(item["label"]),
        observed_at=_moment(item["observed_at"], now) if item.get("observed_at") else None,
        submitter=_text(item, "submitter", longest=LONGEST_TEXT),
    )


def _check_keys(item: Mapping[str, Any]) -> None:
    for key in item.keys() - set(KEYS):
        meant = by_folded(KEYS).get(folded(key))
        hint = f": it may be {meant!r}" if meant else f": the keys are {', '.join(KEYS)}"
        raise Unfit(f"it has the unknown key {_shown(key)}{hint}")


def _prediction_id(value: object, now: datetime) -> UUID:
    try:
        identifier = UUID(value) if isinstance(value, str) else None
        made = time_of(identifier) if identifier else None
    except ValueError:
        identifier = made = None
    if identifier is None or made is None or identifier.version != PREDICTION_IDS:
        raise Unfit(
            f"prediction_id {_shown(value)} cannot be one: send the id an answer had, a UUID of"
            f" version {PREDICTION_IDS}"
        )
    if made > now + SKEW:
        raise Unfit(f"prediction_id {identifier} is of {made:%Y-%m-%d %H:%M} UTC, in the future")
    return identifier


def _text(item: Mapping[str, Any], key: str, *, longest: int | None) -> str | None:
    """Return a text of an item; without a longest length it is cut as the log cuts it."""
    value = item.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        raise Unfit(f"{key} {_shown(value)} is not a text with at least one character and no NUL")
    if longest is not None and len(value) > longest:
        raise Unfit(f"{key} has {len(value)} characters: send at most {longest}")
    return value[:LONGEST_TEXT]


def _moment(value: object, now: datetime) -> datetime:
    found = RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if found and not found["offset"]:
        raise Unfit(f"observed_at {_shown(value)} has no offset from UTC: add Z or one like +02:00")
    try:
        moment = datetime.fromisoformat(found[0].upper()).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise Unfit(
            f"observed_at {_shown(value)} is not a time of RFC 3339, such as 2026-05-04T12:30:00Z"
        )
    if moment > now + SKEW:
        raise Unfit(f"observed_at {_shown(value)} is in the future")
    return moment


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= CHARACTERS_SHOWN else f"{text[:CHARACTERS_SHOWN]}..."
