"""Batches as rows of the table of predictions, in the bytes the database copies."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taxon_bundle.codec import Encoded, joined
from taxon_contracts.manifest import SignatureFeature
from taxon_datastore import copy_binary
from taxon_datastore.copy_arrays import (
    FLOAT,
    fill_arrays,
    fill_floats,
    float_array,
    float_arrays,
    split,
    text_arrays,
)
from taxon_datastore.copy_binary import NULL
from taxon_datastore.rows import PREDICTION_COLUMNS, Rows, Signature, SignatureColumn
from taxon_model_server.prediction_log.batches import Batch, LoggedVersion
from taxon_model_server.prediction_log.ids import ID_BYTES

MOMENT_BYTES = 8
UNANSWERED = 5
"""Fields a request without an answer has no value for, from its features to its probabilities."""


class RowEncoder:
    """Writes the rows of one version.

    A row is joined from pieces: numpy makes those of a fixed length for all rows at once, the
    others are made once per class, category or request.
    """

    def __init__(
        self, namespace: str, model: str, of: LoggedVersion, *, retention_days: int | None = None
    ) -> None:
        names = b"".join(map(copy_binary.text, (namespace, model, of.version)))
        self._head = np.dtype(
            [
                ("fields", ">i2"),
                ("id_length", ">i4"),
                ("id", f"V{ID_BYTES}"),
                ("names", f"V{len(names)}"),
                ("time_length", ">i4"),
                ("time", ">i8"),
            ]
        )
        self._names = np.void(names)
        self._labels = [copy_binary.json_text(label) for label in of.classes]
        self._tail = np.dtype(
            [
                ("confidence", FLOAT),
                ("probabilities", float_array(len(of.classes))),
                ("latency", FLOAT),
            ]
        )
        features = of.codec.features
        self._never = np.array(
            [one.type == "Categorical" or one.name in of.excluded for one in features], np.bool_
        )
        self._categories = {
            place: _pieces(one, hidden=one.name in of.excluded)
            for place, one in enumerate(features)
            if one.type == "Categorical"
        }
        self._hidden = {place for place, one in enumerate(features) if one.name in of.excluded}
        self.signature = Signature(
            namespace,
            model,
            of.version,
            tuple(SignatureColumn(one.name, one.type) for one in features),
            retention_days,
        )

    def encode(self, batches: Sequence[Batch]) -> Rows:
        """Return the rows of some batches; those of requests without an answer come last."""
        answered = [batch for batch in batches if batch.chosen is not None]
        failed = [batch for batch in batches if batch.chosen is None]
        pieces = (
            *self._rows(answered, self._answers, "Answered"),
            *self._rows(failed, self._no_answers, "Failed"),
        )
        count = sum([batch.count for batch in batches])
        return Rows("predictions", PREDICTION_COLUMNS, count, b"".join(pieces), (self.signature,))

    def _rows(
        self,
        batches: Sequence[Batch],
        answers: Callable[["Batches"], Iterable[Sequence[bytes]]],
        outcome: str,
    ) -> Iterable[bytes]:
        """Return the pieces of all rows in their order."""
        if not batches:
            return ()
        rows = Batches(batches)
        columns = (
            self._heads(rows),
            rows.each([copy_binary.text(batch.request_id) for batch in batches]),
            *answers(rows),
            rows.each([_end(outcome, batch.transport, batch.mirrored) for batch in batches]),
        )
        return chain.from_iterable(zip(*columns, strict=True))

    def _heads(self, rows: "Batches") -> list[bytes]:
        """Return everything up to the time."""
        heads = np.empty(rows.count, self._head)
        heads["fields"] = len(PREDICTION_COLUMNS)
        heads["id_length"] = ID_BYTES
        heads["id"] = np.frombuffer(b"".join([one.ids for one in rows.batches]), self._head["id"])
        heads["names"] = self._names
        heads["time_length"] = MOMENT_BYTES
        heads["time"] = rows.numbers([copy_binary.timestamp(one.time) for one in rows.batches])
        return split(heads)

    def _answers(self, rows: "Batches") -> Iterable[Sequence[bytes]]:
        """Return features, categories, labels, and all from the confidence to the latency."""
        chosen = _joined([one.chosen for one in rows.batches])
        probabilities = _joined([one.probabilities for one in rows.batches])
        tails = np.empty(rows.count, self._tail)
        fill_floats(tails["confidence"], probabilities[np.arange(rows.count), chosen])
        fill_arrays(tails["probabilities"], probabilities)
        fill_floats(tails["latency"], rows.latencies())
        labels = [self._labels[place] for place in chosen.tolist()]
        return *self._features(rows), labels, split(tails)

    def _no_answers(self, rows: "Batches") -> Iterable[Sequence[bytes]]:
        """Return what a request without an answer has there."""
        latencies = np.empty(rows.count, FLOAT)
        fill_floats(latencies, rows.latencies())
        return [UNANSWERED * NULL] * rows.count, split(latencies)

    def _features(self, rows: "Batches") -> Iterable[Sequence[bytes]]:
        """Return features and categories."""
        nothing = [NULL] * rows.count
        if rows.batches[0].inputs is None:
            return nothing, nothing
        inputs = [one.inputs for one in rows.batches if one.inputs is not None]
        encoded = joined(inputs)
        features = float_arrays(encoded.rows, np.isnan(encoded.rows) | self._never)
        if not self._categories:
            return features, nothing
        columns = [self._texts(encoded, place) for place in self._categories]
        return features, text_arrays(zip(*columns, strict=True), len(columns))

    def _texts(self, encoded: Encoded, place: int) -> list[bytes]:
        """Return a feature's categories, each as an element of an array."""
        known = self._categories[place]
        unseen: Mapping[int, str] = encoded.unseen.get(place, {})
        codes = encoded.rows[:, place]
        missing = np.isnan(codes)
        texts = [
            known[code] for code in np.where(missing, len(known) - 1, codes).astype(int).tolist()
        ]
        if place not in self._hidden:
            for row, text in unseen.items():
                texts[row] = copy_binary.text(text)
        return texts


class Batches:
    """Batches whose rows are written together."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches
        self._counts = [batch.count for batch in batches]
        self.count = sum(self._counts)

    def each(self, values: list[bytes]) -> list[bytes]:
        """Return the value of each row's batch, given one per batch."""
        if self.count == len(values):
            return values
        return [*chain.from_iterable(map(repeat, values, self._counts))]

    def numbers(self, values: list[float] | list[int]) -> NDArray[Any]:
        """Return the number of each row's batch, given one per batch."""
        return np.repeat(values, self._counts)

    def latencies(self) -> NDArray[np.float64]:
        """Return the seconds each row's request took."""
        return self.numbers([batch.latency_seconds for batch in self.batches])


def _pieces(feature: SignatureFeature, *, hidden: bool) -> list[bytes]:
    """Return a feature's categories by code; the last is what stands for a missing value."""
    if hidden:
        return [NULL] * (len(feature.categories) + 1)
    return [*map(copy_binary.text, feature.categories), NULL]


def _joined(arrays: Sequence[NDArray[Any] | None]) -> NDArray[Any]:
    return np.concatenate([array for array in arrays if array is not None])


@cache
def _end(outcome: str, transport: str, mirrored: bool) -> bytes:  # noqa: FBT001 - a field of its own
    return copy_binary.text(outcome) + copy_binary.text(transport) + copy_binary.boolean(mirrored)
