"""Plain requests and responses: features by name to rows, and answers to JSON objects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from taxon_bundle.codec import BadRow, Codec, Encoded, joined
from taxon_model_server.errors import InvalidFields, Problem, TooLarge
from taxon_model_server.exchange import Answer, Asked
from taxon_model_server.loader import Model
from taxon_model_server.protocol.json_text import Content, parse_json
from taxon_model_server.rest.json_rows import LONGEST_ROW, ROWS, NoRows, read_rows
from taxon_model_server.rest.plain_values import Path, encode_rows, problems_of
from taxon_model_server.unseen import Warned

BINARY = 2
ROWS_AT_ONCE = 1000
"""Rows whose objects exist at the same time while a response is written."""


@dataclass
class RowCall:
    """A request with one object of features; its response is one JSON object."""

    name: str
    body: Content
    _read: "Read" = field(init=False)

    def read(self, model: Model) -> Asked:
        """Return the row."""
        if len(self.body) > LONGEST_ROW:
            raise TooLarge(f"the row has {len(self.body)} bytes: send at most {LONGEST_ROW}")
        try:
            document = parse_json(self.body)
        except ValueError as error:
            raise _not_json(error) from error
        self._read = Read(model.codec, encode_rows([document], model.codec, lambda _: ()))
        return Asked(self._read.encoded)

    def write(self, answer: Answer) -> list[bytes]:
        """Return the response's body."""
        [prediction] = _predictions(answer, 0, 1)
        return [orjson.dumps(prediction | _origin(answer, self.name))]

    def refuse(self, bad: BadRow) -> InvalidFields:
        """Return the error for a bad value."""
        return self._read.refusal(bad, ())


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
    _read: "Read" = field(init=False)

    def read(self, model: Model) -> Asked:
        """Return the rows."""
        try:
            rows = read_rows(self.body)
            self._path = (ROWS,) if rows.in_object else ()
            read = list(self._read_pieces(rows.pieces, model.codec))
        except NoRows as error:
            self._path = (ROWS,) if error.in_object else ()
            raise self._no_rows() from error
        except ValueError as error:
            raise _not_json(error) from error
        if not read:
            raise self._no_rows()
        self._read = Read(model.codec, joined(read))
        return Asked(self._read.encoded)

    def _read_pieces(self, pieces: Iterator[list[Any]], codec: Codec) -> Iterator[Encoded]:
        done = 0
        for piece in pieces:
            if done + len(piece) > self.max_rows:
                raise TooLarge(
                    f"the request has more than {self.max_rows} rows: send fewer at a time"
                )
            if piece:
                yield encode_rows(piece, codec, partial(self._path_of, done))
            done += len(piece)

    def _path_of(self, first: int, place: int) -> Path:
        return (*self._path, first + place)

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
        return self._read.refusal(bad, (*self._path, bad.row))


@dataclass(frozen=True)
class Read:
    """The rows of a request, for the sentences about one that the classifier refuses."""

    codec: Codec
    encoded: Encoded

    def refusal(self, bad: BadRow, path: Path) -> InvalidFields:
        """Return the error for a bad value: every one of its row, if they show before it ends."""
        found = problems_of(self.encoded.rows[bad.row].tolist(), self.codec, path)
        return InvalidFields(found or [Problem((*path, bad.feature), f"it {bad.reason}", bad.kind)])


def _not_json(error: ValueError) -> InvalidFields:
    return _invalid((), f"it is not JSON: {error}", "json_invalid")


def _invalid(path: Path, message: str, kind: str) -> InvalidFields:
    return InvalidFields([Problem(path, message, kind)])


def _predictions(answer: Answer, start: int, stop: int) -> Iterator[dict[str, Any]]:
    """Return the predictions of some rows as JSON objects."""
    classes = [str(label) for label in answer.model.classifier.classes]
    said = _warnings_by_row(answer.warnings)
    for row, probabilities in enumerate(answer.probabilities[start:stop].tolist(), start):
        prediction: dict[str, Any] = {
            "prediction": answer.labels[row],
            "confidence": answer.confidence[row],
        }
        if len(classes) == BINARY:
            prediction["probability_class_0"], prediction["probability_class_1"] = probabilities
        prediction["probabilities"] = dict(zip(classes, probabilities, strict=True))
        if answer.ids:
            prediction["prediction_id"] = answer.ids[row]
        if row in said:
            prediction["warnings"] = said[row]
        yield prediction


def _warnings_by_row(warnings: Sequence[Warned]) -> dict[int, list[str]]:
    said: dict[int, list[str]] = {}
    for row, sentence in warnings:
        said.setdefault(row, []).append(sentence)
    return said


def _origin(answer: Answer, model: str) -> dict[str, Any]:
    """Return who answered, and when."""
    return {
        "model": model,
        "version": answer.model.version,
        "timestamp": datetime.now(UTC).isoformat(),
    }
