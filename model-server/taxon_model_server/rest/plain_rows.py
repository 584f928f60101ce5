"""Plain requests and answers: features by name to rows, and answers to JSON objects."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic_core import from_json

from taxon_bundle.classifier import Rows
from taxon_model_server.errors import InvalidFields, Problem, TooLarge
from taxon_model_server.exchange import Answer

BINARY = 2
MOST_PROBLEMS = 100
ROWS = "rows"
NUMBERS = {int, float}
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Form:
    """How one endpoint reads its rows, names a place in them, and writes their answer.

    ``read`` takes the body, the features in order and the most rows, and gives float64
    [rows, features]; it raises InvalidFields and TooLarge. ``path`` takes a row and a feature.
    """

    read: Callable[[bytes, Sequence[str], int], Rows]
    path: Callable[[int, str], Path]
    write: Callable[[Answer, str], dict[str, Any]]


def _read_one(body: bytes, features: Sequence[str], _: int) -> Rows:
    return np.array([_values(_parsed(body), features, ())])


def _read_many(body: bytes, features: Sequence[str], max_rows: int) -> Rows:
    document = _parsed(body)
    rows = document.get(ROWS) if isinstance(document, dict) else None
    if not isinstance(rows, list) or not rows:
        raise _invalid((ROWS,), "send a list of at least one object of features", "list_type")
    if len(rows) > max_rows:
        raise TooLarge(f"the request has {len(rows)} rows: send at most {max_rows}")
    return np.array([_values(row, features, (ROWS, place)) for place, row in enumerate(rows)])


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError as error:
        raise _invalid((), f"it is not JSON: {error}", "json_invalid") from error


def _values(document: Any, features: Sequence[str], path: Path) -> list[float]:
    """Return a row's values in the order of the features."""
    if not isinstance(document, dict):
        raise _invalid(path, "send an object with one number per feature", "dict_type")
    if len(document) == len(features):
        values = [document.get(name) for name in features]
        if set(map(type, values)) <= NUMBERS:
            try:
                return list(map(float, values))  # type: ignore[arg-type] # the line above says so
            except OverflowError:
                pass  # reported below, by its name
    raise InvalidFields(_problems(document, features, path))


def _problems(document: Mapping[str, Any], features: Sequence[str], path: Path) -> list[Problem]:
    """Return everything that is wrong with a row, up to a sensible number."""
    found = [
        Problem((*path, name), "it is missing: send a number", "missing")
        for name in features
        if name not in document
    ]
    known = set(features)
    for name, value in document.items():
        place = (*path, name[:MOST_PROBLEMS])
        if name not in known:
            found.append(Problem(place, "the model has no such feature", "extra_forbidden"))
        elif type(value) not in NUMBERS:
            found.append(Problem(place, "it is not a number: send one", "float_type"))
        elif not _is_finite(value):
            found.append(Problem(place, "it is not a finite number", "finite_number"))
    return found[:MOST_PROBLEMS]


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _invalid(path: Path, message: str, kind: str) -> InvalidFields:
    return InvalidFields([Problem(path, message, kind)])


def _write_one(answer: Answer, model: str) -> dict[str, Any]:
    return {**next(_answered(answer)), **_origin(answer, model)}


def _write_many(answer: Answer, model: str) -> dict[str, Any]:
    return {"predictions": list(_answered(answer)), **_origin(answer, model)}


def _answered(answer: Answer) -> Iterator[dict[str, Any]]:
    classes = [str(label) for label in answer.model.classifier.classes]
    for row, probabilities in enumerate(answer.probabilities.tolist()):
        answered: dict[str, Any] = {
            "prediction": answer.labels[row],
            "confidence": answer.confidence[row],
        }
        if len(classes) == BINARY:
            answered["probability_class_0"], answered["probability_class_1"] = probabilities
        answered["probabilities"] = dict(zip(classes, probabilities, strict=True))
        if answer.ids:
            answered["prediction_id"] = str(answer.ids[row])
        yield answered


def _origin(answer: Answer, model: str) -> dict[str, Any]:
    return {
        "model": model,
        "version": answer.model.version,
        "timestamp": datetime.now(UTC).isoformat(),
    }


ONE_ROW = Form(_read_one, lambda _, feature: (feature,), _write_one)
MANY_ROWS = Form(_read_many, lambda row, feature: (ROWS, row, feature), _write_many)
