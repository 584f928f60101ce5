"""Plain requests and responses: features by name to rows, and answers to JSON objects."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from taxon_bundle.codec import BadRow
from taxon_model_server.errors import InvalidFields, Problem, TooLarge
from taxon_model_server.exchange import Answer, Asked
from taxon_model_server.loader import Model
from taxon_model_server.protocol.json_text import Content, parse_json
from taxon_model_server.rest.json_rows import LONGEST_ROW, ROWS, NoRows, read_rows

BINARY = 2
MOST_PROBLEMS = 100
ROWS_AT_ONCE = 1000
"""Rows whose objects exist at the same time while a response is written."""
NUMBERS = {int, float}
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class RowCall:
    """A request with one object of features; its response is one JSON object."""

    name: str
    body: Content

    def read(self, model: Model) -> Asked:
        """Return the row."""
        if len(self.body) > LONGEST_ROW:
            raise TooLarge(f"the row has {len(self.body)} bytes: send at most {LONGEST_ROW}")
        try:
            document = parse_json(self.body)
        except ValueError as error:
            raise _not_json(error) from error
        return Asked(np.array([_values(document, model.features, ())]))

    def write(self, answer: Answer) -> list[bytes]:
        """Return the response's body."""
        [prediction] = _predictions(answer, 0, 1)
        return [orjson.dumps(prediction | _origin(answer, self.name))]

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
    body: Content
    max_rows: int
    _path: Path = field(default=(), init=False)

    def read(self, model: Model) -> Asked:
        """Return the rows."""
        try:
            rows = read_rows(self.body)
            self._path = (ROWS,) if rows.in_object else ()
            read = list(self._read_pieces(rows.pieces, model.features))
        except NoRows as error:
            self._path = (ROWS,) if error.in_object else ()
            raise self._no_rows() from error
        except ValueError as error:
            raise _not_json(error) from error
        if not read:
            raise self._no_rows()
        return Asked(np.concatenate(read) if len(read) > 1 else read[0])

    def _read_pieces(
        self, pieces: Iterator[list[Any]], features: Sequence[str]
    ) -> Iterator[NDArray[np.float64]]:
        done = 0
        for piece in pieces:
            if done + len(piece) > self.max_rows:
                raise TooLarge(
                    f"the request has more than {self.max_rows} rows: send fewer at a time"
                )
            if piece:
                values = [
                    _values(row, features, (*self._path, done + place))
                    for place, row in enumerate(piece)
                ]
                yield np.array(values)
            done += len(piece)

    def _no_rows(self) -> InvalidFields:
        return _invalid(self._path, "send a list of at least one object of features", "list_type")

    def write(self, answer: Answer) -> list[bytes]:
        """Return the response's body, in pieces."""
        origin = _origin(answer, self.name)
        ends = (b'{"predictions":[', b"]," + orjson.dumps(origin)[1:])
        repeated: dict[str, Any] = {}
        if not self._path:
            ends, repeated = (b"[", b"]"), origin
        pieces = [ends[0]]
        for start in range(0, len(answer.labels), ROWS_AT_ONCE):
            predictions = _predictions(answer, start, start + ROWS_AT_ONCE)
            text = orjson.dumps([prediction | repeated for prediction in predictions])
            pieces += [b"," if start else b"", text[1:-1]]
        return [*pieces, ends[1]]

    def refuse(self, bad: BadRow) -> InvalidFields:
        """Return the error for a bad value, with its place in the request."""
        path = (*self._path, bad.row, bad.feature)
        return _invalid(path, f"it {bad.reason}", "finite_number")


def _not_json(error: ValueError) -> InvalidFields:
    return _invalid((), f"it is not JSON: {error}", "json_invalid")


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


def _predictions(answer: Answer, start: int, stop: int) -> Iterator[dict[str, Any]]:
    """Return the predictions of some rows as JSON objects."""
    classes = [str(label) for label in answer.model.classifier.classes]
    for row, probabilities in enumerate(answer.probabilities[start:stop].tolist(), start):
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
