"""What every JSON document between the parts is made of, and how another release's are read.

Whoever writes a document is strict: a field that does not exist is an error. Whoever reads one may
meet an older or a newer release's, so reading ignores the fields it does not know (``read``), and
where a document is a set of records, gives up what it cannot read and keeps the rest (``salvage``).

A field added later needs a default, and may be ignored by the releases before it. Where ignoring it
would change what the other fields mean, the document needs a new format version instead.
"""

import copy
import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WrapValidator,
)
from pydantic_core import ErrorDetails

from taxon_contracts import names

Version = Annotated[str, StringConstraints(pattern=names.VERSION_PATTERN)]
Digest = Annotated[str, StringConstraints(pattern=names.DIGEST_PATTERN, max_length=71)]

AnyModel = TypeVar("AnyModel", bound=BaseModel)
UNKNOWN = "Unknown"
Place = tuple[str | int | slice, ...]
_SALVAGING = "salvaging"


class Document(BaseModel):
    """A frozen JSON document with no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(kind: type[AnyModel], content: str | bytes) -> AnyModel:
    """Return the document some JSON holds; fields this release does not know are ignored.

    Raises:
        pydantic.ValidationError: it is not JSON, or a field this release knows cannot be read.
    """
    return kind.model_validate_json(content, extra="ignore")


def salvage(kind: type[AnyModel], written: Any) -> AnyModel:
    """Return as much of a document as this release can read.

    What cannot be read costs itself: an optional field is as if it were absent, a record in a list
    is left out, and only a required field takes what it belongs to with it. A list of numbers or
    texts is given up as one, because its items have their places; a list that is too long loses
    its end.

    Args:
        kind: the type of the document.
        written: the document as plain JSON values, or as JSON text.

    Raises:
        pydantic.ValidationError: nothing is left: the document itself lacks a required field.
    """
    if isinstance(written, (str, bytes)):
        try:
            return kind.model_validate_json(written, extra="ignore", context=_SALVAGING)
        except ValidationError:
            try:
                written = json.loads(written)
            except ValueError:
                written = None
    document = copy.deepcopy(written)
    while True:
        try:
            return kind.model_validate(document, extra="ignore", context=_SALVAGING)
        except ValidationError as error:
            place = _place(document, error.errors()[0])
            if not place:
                raise
            _take_out(document, place)


def _unknown_when_salvaging(
    value: Any, validate: Callable[[Any], Any], info: ValidationInfo
) -> Any:
    try:
        return validate(value)
    except ValidationError:
        if info.context == _SALVAGING and isinstance(value, str):
            return UNKNOWN
        raise


def cut_when_salvaging(longest: int) -> WrapValidator:
    """Return what lets a reader take a text of another release that may be longer."""

    def cut(value: Any, validate: Callable[[Any], Any], info: ValidationInfo) -> Any:
        if info.context == _SALVAGING and isinstance(value, str):
            value = value[:longest]
        return validate(value)

    return WrapValidator(cut)


UNKNOWN_WHEN_SALVAGING = WrapValidator(_unknown_when_salvaging)
"""For a choice that holds ``Unknown``: a reader takes a word of another release as that."""


def _place(document: Any, error: ErrorDetails) -> Place:
    """Return the path to the smallest part of a document without which this error is gone."""
    node, path = document, list[str | int | slice]()
    for part in error["loc"]:
        known = isinstance(node, dict) and part in node
        record = isinstance(node, list) and isinstance(part, int) and isinstance(node[part], dict)
        if not known and not record:  # missing, a mark of pydantic's own, or one of many numbers
            break
        node = node[part]
        path.append(part)
    if error["type"] == "too_long" and isinstance(node, list):
        path.append(slice(error["ctx"]["max_length"], None))
    return tuple(path)


def _take_out(document: Any, place: Place) -> None:
    *path, last = place
    for part in path:
        document = document[part]
    del document[last]
