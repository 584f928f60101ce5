"""Plain requests and responses: features by name to rows, and answers to JSON objects."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic_core import from_json, to_json

from taxon_bundle.classifier import BadRow
from taxon_model_server.errors import InvalidFields, Problem, TooLarge
from taxon_model_server.exchange import Answer, Asked
from taxon_model_server.loader import Model

BINARY = 2
MOST_PROBLEMS = 100
ROWS = "rows"
NUMBERS = {int, float}
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class RowCall:
    """A request with one object of features; its response is one JSON object."""

    name: str
    body: bytes

    def read(self, model: Model) -> Asked:
        """Return the row."""
        return Asked(np.array([_values(_parsed(self.body), model.features, ())]))

    def write(self, answer: Answer) -> bytes:
        """Return the response's body."""
        [prediction] = _predictions(answer)
        return to_json(prediction | _origin(answer, self.name))

    def refuse(self, bad: BadRow) -> InvalidFields:
        """Return the error for a bad value."""
        return _invalid((bad.feature,), f"it {bad.reason}", "finite_number")


@dataclass
class BatchCall:
    """A request with several rows: a list of objects, or an object with that list as ``rows``.

    A list is answered with a list whose items are like the response to one row; an object with one
    object that holds them.
    """

    name: str
    body: bytes
    max_rows: int
    _path: Path = field(default=(), init=False)

    def read(self, model: Model) -> Asked:
        """Return the rows."""
        document = _parsed(self.body)
        if isinstance(document, dict):
            self._path = (ROWS,)
            document = document.get(ROWS)
        if not isinstance(document, list) or not document:
            raise _invalid(
                self._path, "send a list of at least one object of features", "list_type"
            )
        if len(document) > self.max_rows:
            raise TooLarge(f"the request has {len(document)} rows: send at most {self.max_rows}")
        return Asked(
            np.array(
                [
                    _values(row, model.features, (*self._path, place))
                    for place, row in enumerate(document)
                ]
            )
        )

    def write(self, answer: Answer) -> bytes:
        """Return the response's body."""
        origin = _origin(answer, self.name)
        if self._path:
            return to_json({"predictions": list(_predictions(answer)), **origin})
        return to_json([prediction | origin for prediction in _predictions(answer)])

    def refuse(self, bad: BadRow) -> InvalidFields:
        """Return the error for a bad value, with its place in the request."""
        path = (*self._path, bad.row, bad.feature)
        return _invalid(path, f"it {bad.reason}", "finite_number")


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


def _predictions(answer: Answer) -> Iterator[dict[str, Any]]:
    """Return each row's prediction as a JSON object."""
    classes = [str(label) for label in answer.model.classifier.classes]
    for row, probabilities in enumerate(answer.probabilities.tolist()):
        prediction: dict[str, Any] = {
            "prediction": answer.labels[row],
            "confidence": answer.confidence[row],
        }
        if len(classes) == BINARY:
            prediction["probability_class_0"], prediction["probability_class_1"] = probabilities
        prediction["probabilities"] = dict(zip(classes, probabilities, strict=True))
        if answer.ids:
            prediction["prediction_id"] = str(answer.ids[row])
        yield prediction


def _origin(answer: Answer, model: str) -> dict[str, Any]:
    """Return who answered, and when."""
    return {
        "model": model,
        "version": answer.model.version,
        "timestamp": datetime.now(UTC).isoformat(),
    }
