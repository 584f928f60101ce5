"""Whatever a version answers to whatever it was sent, the database has it, value by value."""

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from model_server.kept_log import CODEC, VERSION, batch, logged_version
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from taxon_bundle.codec import Codec, Value
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.database import engine, transaction
from taxon_datastore.intake import store_rows
from taxon_datastore.predictions import recent_predictions
from taxon_model_server.prediction_log.batches import Batch, LoggedVersion
from taxon_model_server.prediction_log.ids import id_texts
from taxon_model_server.prediction_log.rows import RowEncoder

EXAMPLES = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # to shrink takes minutes of transactions
)
ODD = ("", "\0", "a\0b", "\ud800", "\udfff!", 'a"b', "\\", "\\N", "\\x00", "{NULL}", "NULL", "null")
TEXT = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=()), max_size=8)
VALID = st.text(st.characters(codec="utf-8"), max_size=8)
EXTREME = (0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308)
NUMBER = st.sampled_from((*EXTREME, -EXTREME[-1])) | st.floats(
    allow_nan=False, allow_infinity=False
)
NUMBER_OR_GAP = NUMBER | st.just(float("nan"))
STATEMENT = text("SELECT * FROM predictions WHERE model = :model")


@dataclass(frozen=True)
class Stored:
    """What the database has of some batches, in their order."""

    rows: Sequence[dict[str, Any]]
    events: Sequence[PredictionEvent]


@pytest.fixture(scope="module")
def database(database_url: str) -> Engine:
    """Return a database with today's schema."""
    return engine(database_url)


def stored(database: Engine, *batches: Batch) -> Stored:
    """Store batches of one version; return them as SQL and as the product read them."""
    model = f"m{uuid4().hex}"
    rows = RowEncoder("default", model, batches[0].of).encode(batches)
    store_rows(database, rows)
    with transaction(database) as connection:
        found = connection.execute(STATEMENT, {"model": model}).mappings().all()
    events = recent_predictions(database, namespace="default", model=model, limit=10_000)
    assert len(found) == len(events) == rows.count
    by_id = {UUID(str(row["id"])): dict(row) for row in found}
    event_by_id = {event.id: event for event in events}
    ids = [UUID(one) for answered in batches for one in id_texts(answered.ids)]
    return Stored([by_id[one] for one in ids], [event_by_id[one] for one in ids])


def answers(rows: int = 1, **changes: Any) -> Batch:
    """Return answers of today."""
    return batch(rows, time=time.time(), **changes)


def failure(of: LoggedVersion, request_id: str | None) -> Batch:
    """Return a request of today that got no answer."""
    return answers(of=of, request_id=request_id, inputs=None, chosen=None, probabilities=None)


def kept(value: Any) -> Any:
    """Return a value as PostgreSQL can store it."""
    if not isinstance(value, str):
        return value
    return "".join(
        "?" if "\ud800" <= character <= "\udfff" else character
        for character in value
        if character != "\0"
    )


def bits(values: Sequence[Any] | NDArray[np.float64]) -> list[bytes | None]:
    """Return numbers so that only the same ones are equal; None for a gap."""
    return [None if one is None or isnan(one) else struct.pack(">d", one) for one in values]


def numeric(count: int) -> Codec:
    """Return the codec of so many numbers with gaps."""
    return Codec([SignatureFeature(name=f"n{place}", gaps=True) for place in range(count)])


def mixed(categories: Sequence[str], others: Sequence[str] = ("x",)) -> Codec:
    """Return the codec of a number, a boolean and two categories."""
    return Codec(
        (
            SignatureFeature(name="port", type="Categorical", gaps=True, categories=categories),
            SignatureFeature(name="age", gaps=True),
            SignatureFeature(name="member", type="Boolean", gaps=True),
            SignatureFeature(name="deck", type="Categorical", gaps=True, categories=others),
        )
    )


CATEGORIES = st.lists(VALID, max_size=4, unique=True)


@st.composite
def tables(draw: st.DrawFn, max_rows: int = 12) -> tuple[Codec, list[list[Value]]]:
    """Draw a codec and rows of it, their categories known, unseen and missing."""
    codec = mixed(draw(CATEGORIES), draw(CATEGORIES))
    port, _, _, deck = (
        st.none() | TEXT.map(lambda one: one.replace("\0", "")) | st.sampled_from(("a", *known))
        for known in (feature.categories for feature in codec.features)
    )
    row = st.tuples(port, st.none() | NUMBER, st.none() | st.booleans(), deck).map(list)
    rows: list[list[Value]] = draw(st.lists(row, min_size=1, max_size=max_rows))
    return codec, rows


def expected(codec: Codec, rows: Sequence[Sequence[Value]]) -> list[tuple[Value, ...]]:
    """Return rows as they are read from the database."""
    return [tuple(map(kept, row)) for row in codec.decode(codec.encode_rows(rows))]


@EXAMPLES
@given(
    classes=st.lists(TEXT, min_size=1, max_size=20, unique=True)
    | st.lists(st.integers(-(2**63), 2**63), min_size=1, max_size=20, unique=True)
)
def test_every_label_arrives(database: Engine, classes: list[str] | list[int]) -> None:
    """Text without NUL and halves of surrogate pairs, and integers, are what they were."""
    count = len(classes)
    of = LoggedVersion(VERSION, CODEC, tuple(classes))  # type: ignore[arg-type]  # all of one type
    found = stored(
        database, answers(count, of=of, chosen=np.arange(count), probabilities=np.eye(count))
    )

    assert [row["label"] for row in found.rows] == [*map(kept, classes)]
    assert [event.label for event in found.events] == [*map(kept, classes)]


@pytest.mark.parametrize("width", [1, 3, 1000])
@settings(EXAMPLES, max_examples=15)
@given(data=st.data())
def test_every_number_and_gap_arrives(database: Engine, width: int, data: st.DataObject) -> None:
    """Each finite number is there bit for bit; NULL is where a value was missing."""
    codec = numeric(width)
    shapes = st.tuples(st.integers(1, 6), st.just(width))
    values = data.draw(arrays(np.float64, shapes, elements=NUMBER_OR_GAP, fill=NUMBER_OR_GAP))
    inputs = codec.encode_rows(values.tolist())
    found = stored(database, answers(len(values), of=logged_version(codec), inputs=inputs))

    assert [bits(row["features"]) for row in found.rows] == [*map(bits, values)]
    assert [bits(event.features or ()) for event in found.events] == [*map(bits, values)]
    assert {row["categories"] for row in found.rows} == {None}


@EXAMPLES
@given(
    probabilities=arrays(
        np.float64, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=NUMBER
    ),
    latency=NUMBER,
    data=st.data(),
)
def test_every_number_of_an_answer_arrives(
    database: Engine, probabilities: NDArray[np.float64], latency: float, data: st.DataObject
) -> None:
    """Probabilities, the confidence among them and the latency are there bit for bit."""
    rows, count = probabilities.shape
    chosen = data.draw(arrays(np.intp, rows, elements=st.integers(0, count - 1)))
    of = logged_version(CODEC, tuple(range(count)))
    found = stored(
        database,
        answers(rows, of=of, chosen=chosen, probabilities=probabilities, latency_seconds=latency),
    )

    assert [bits(row["probabilities"]) for row in found.rows] == [*map(bits, probabilities)]
    confidences = probabilities[np.arange(rows), chosen]
    assert bits([row["confidence"] for row in found.rows]) == bits(confidences)
    assert bits([row["latency_seconds"] for row in found.rows]) == rows * bits([latency])


@EXAMPLES
@given(table=tables())
def test_every_value_of_a_mixed_table_arrives(
    database: Engine, table: tuple[Codec, list[list[Value]]]
) -> None:
    """Booleans, and categories that are known, unseen or missing, have their types and texts."""
    codec, rows = table
    inputs = codec.encode_rows(rows)
    found = stored(database, answers(len(rows), of=logged_version(codec), inputs=inputs))

    wanted = expected(codec, rows)
    assert [event.features for event in found.events] == wanted
    assert [row["categories"] for row in found.rows] == [[row[0], row[3]] for row in wanted]
    numbers = [[None, row[1], row[2], None] for row in wanted]
    assert [bits(row["features"]) for row in found.rows] == [*map(bits, numbers)]


@EXAMPLES
@given(
    requests=st.lists(
        st.tuples(st.none() | TEXT, st.none() | st.integers(1, 3)), min_size=1, max_size=12
    )
)
def test_answers_and_failures_arrive_together(
    database: Engine, requests: list[tuple[str | None, int | None]]
) -> None:
    """Each row has its own request's id, and a failed request has one row without an answer."""
    of = logged_version(CODEC)
    batches = [
        answers(rows, of=of, request_id=request_id) if rows else failure(of, request_id)
        for request_id, rows in requests
    ]
    found = stored(database, *batches)

    wanted = [
        (kept(request_id), "Answered", "benign", (1.5, 1.5))
        if rows
        else (kept(request_id), "Failed", None, None)
        for request_id, rows in requests
        for _ in range(rows or 1)
    ]
    assert [
        (one.request_id, one.outcome, one.label, one.features) for one in found.events
    ] == wanted
    assert [(row["request_id"], row["outcome"]) for row in found.rows] == [
        one[:2] for one in wanted
    ]


SENT: tuple[list[Value], ...] = (
    ["hidden Åbo", 0.123456789, True, "hidden deck"],
    ["hidden Narvik", 0.123456789, False, "hidden Ålesund"],
    [None, 0.123456789, None, None],
)


@EXAMPLES
@given(
    excluded=st.sets(st.sampled_from(("port", "age", "member", "deck"))),
    rows=st.lists(st.sampled_from(SENT), min_size=1, max_size=8),
)
def test_an_excluded_feature_is_not_written(
    database: Engine, excluded: set[str], rows: list[list[Value]]
) -> None:
    """Its values, unseen categories too, are NULL and not in the bytes; the others are there."""
    codec = mixed(("hidden Åbo",), ("hidden deck",))
    of = logged_version(codec, ("benign", "malignant"), *excluded)
    answered = answers(len(rows), of=of, inputs=codec.encode_rows(rows))
    payload = RowEncoder("default", "m", of).encode([answered]).payload
    found = stored(database, answered)

    wanted = [
        tuple(
            None if name in excluded else value
            for name, value in zip(codec.names, row, strict=True)
        )
        for row in rows
    ]
    hidden = {
        value.encode() if isinstance(value, str) else struct.pack(">d", value)
        for row in rows
        for name, value in zip(codec.names, row, strict=True)
        if name in excluded and value is not None and not isinstance(value, bool)
    }
    assert [event.features for event in found.events] == wanted
    assert [row["categories"] for row in found.rows] == [[row[0], row[3]] for row in wanted]
    assert not [value for value in hidden if value in payload]


@EXAMPLES
@given(table=tables(max_rows=40), size=st.integers(1, 15))
def test_a_batch_in_parts_is_the_whole_batch(
    database: Engine, table: tuple[Codec, list[list[Value]]], size: int
) -> None:
    """Rows of a later part have their own categories, unseen ones too."""
    codec, drawn = table
    rows = [*drawn, ["first seen here", 1.0, True, None]]
    inputs = codec.encode_rows(rows)
    parts = [*answers(len(rows), of=logged_version(codec), inputs=inputs).parts(size)]
    found = stored(database, *parts)

    assert max(part.count for part in parts) <= size
    assert [event.features for event in found.events] == expected(codec, rows)


@settings(EXAMPLES, max_examples=100)
@given(
    table=tables(),
    requests=st.lists(st.tuples(st.none() | TEXT, st.booleans()), min_size=1, max_size=12),
)
def test_batches_together_are_what_each_is_alone(
    table: tuple[Codec, list[list[Value]]], requests: list[tuple[str | None, bool]]
) -> None:
    """Encoding many small batches at once changes no byte; failures come last."""
    codec, rows = table
    of = logged_version(codec)
    encoder = RowEncoder("default", "small", of)
    answered = [
        answers(
            1,
            of=of,
            request_id=request_id,
            mirrored=mirrored,
            inputs=codec.encode_rows([rows[place % len(rows)]]),
        )
        for place, (request_id, mirrored) in enumerate(requests)
    ]
    failed = [failure(of, request_id) for request_id, mirrored in requests if mirrored]
    shuffled = [*failed[:1], *answered, *failed[1:]]

    alone = [encoder.encode([one]) for one in (*answered, *failed)]
    together = encoder.encode(shuffled)
    assert together.payload == b"".join(one.payload for one in alone)
    assert together.count == len(shuffled)
