"""The base of every JSON document between the parts, and how documents of other releases are read.

Writing a document is strict: an unknown field is an error. A document that is read may be an older
or a newer release's, so ``read`` ignores unknown fields, and ``salvage``, for documents that are
sets of records, also drops what it cannot read and keeps the rest.

A field added later needs a default, and earlier releases may ignore it. If ignoring it would change
the meaning of other fields, the document needs a new format version instead.
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
    """Return the document in some JSON; ignore unknown fields.

    Raises:
        pydantic.ValidationError: it is not JSON, or a known field cannot be read.
    """
    return kind.model_validate_json(content, extra="ignore")


def salvage(kind: type[AnyModel], written: Any) -> AnyModel:
    """Return as much of a document as this release can read.

    An optional field that cannot be read counts as absent, a record in a list is dropped, and a
    required field that cannot be read drops the object it belongs to. A list of numbers or texts
    is dropped as a whole, because the position of its items matters; a list that is too long is
    cut.

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
    """Return the validator that accepts a longer text of another release."""

    def cut(value: Any, validate: Callable[[Any], Any], info: ValidationInfo) -> Any:
        if info.context == _SALVAGING and isinstance(value, str):
            value = value[:longest]
        return validate(value)

    return WrapValidator(cut)


UNKNOWN_WHEN_SALVAGING = WrapValidator(_unknown_when_salvaging)
"""For an enumeration with ``Unknown``: a value of another release is read as that."""


def _place(document: Any, error: ErrorDetails) -> Place:
    """Return the path to the smallest part of a document whose removal removes this error."""
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
