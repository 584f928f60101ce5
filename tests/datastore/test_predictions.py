from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from support.databases import execute

from taxon_contracts.prediction import FeatureValue, PredictionEvent
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine, transaction
from taxon_datastore.predictions import recent_predictions, store_predictions
from taxon_datastore.schema import migrate


@pytest.fixture
def database(database_url: str) -> Engine:
    """Return an engine over a migrated database without predictions."""
    emptied = engine(database_url)
    execute(emptied, "TRUNCATE predictions")
    return emptied


def event(**changes: Any) -> PredictionEvent:
    """Return an answered prediction of now."""
    document = {
        "id": uuid4(),
        "namespace": "default",
        "model": "iris",
        "version": "v0123456789",
        "time": datetime.now(UTC),
        "request_id": "r1",
        "features": (1.5, -2.0),
        "label": "setosa",
        "confidence": 0.75,
        "probabilities": (0.75, 0.25),
        "latency_seconds": 0.001,
        "outcome": "Answered",
    }
    return PredictionEvent.model_validate(document | changes)


def stored(database: Engine, *, limit: int = 100) -> list[PredictionEvent]:
    """Return the model's events, newest first."""
    return recent_predictions(database, namespace="default", model="iris", limit=limit)


def test_an_event_comes_back_as_it_was_stored(database: Engine) -> None:
    """Every field of an event survives the database."""
    original = event()

    store_predictions(database, [original])

    assert stored(database) == [original]


@pytest.mark.parametrize(
    "features",
    [
        (1.5, None),
        (None, None),
        (1.5, True, "Cork"),
        (True, False),
        (None, False, None, "Åbo"),
        ("tab\there \\N \\. \" ' {} \n\r 日本語 🦠", 5e-324),
        (-0.0, 1.7976931348623157e308, 0.1, "x"),
        ("2", 2.0),
    ],
    ids=str,
)
def test_a_row_comes_back_with_its_types(
    database: Engine, features: tuple[FeatureValue, ...]
) -> None:
    """Numbers, booleans, text and missing values, alone and beside rows of numbers."""
    plain, mixed = event(), event(features=features)

    store_predictions(database, [plain, mixed])

    found = {one.id: one.features for one in stored(database)}
    assert found == {plain.id: plain.features, mixed.id: features}
    assert [*map(type, found[mixed.id] or ())] == [*map(type, features)]


def test_rows_of_numbers_stay_numbers_in_the_table(database: Engine) -> None:
    """Missing ones are NULL in the array; other rows are JSON in a column of their own."""
    store_predictions(
        database,
        [
            event(features=(1.5, None), request_id="a"),
            event().model_copy(update={"features": (float("nan"), 2.0), "request_id": "b"}),
            event(features=(1.5, None, True, "x"), request_id="c"),
            event(features=None, request_id="d"),
        ],
    )

    with transaction(database) as connection:
        query = text("SELECT features, inputs FROM predictions ORDER BY request_id")
        assert connection.execute(query).all() == [
            ([1.5, None], None),
            ([None, 2.0], None),
            (None, [1.5, None, True, "x"]),
            (None, None),
        ]


def test_a_failed_request_comes_back_with_its_gaps(database: Engine) -> None:
    """A failed request keeps what it does not have as missing."""
    failed = event(
        outcome="Failed", request_id=None, features=None, label=None, confidence=None,
        probabilities=None,
    )  # fmt: skip

    store_predictions(database, [failed])

    assert stored(database) == [failed]


@pytest.mark.parametrize("label", [3, -1, "3", "null", ""])
def test_a_label_keeps_its_type(database: Engine, label: str | int) -> None:
    """An integer label stays an integer and the same digits as text stay text."""
    store_predictions(database, [event(label=label)])

    [found] = stored(database)
    assert found.label == label
    assert type(found.label) is type(label)


@pytest.mark.parametrize(
    "odd",
    [
        "tab\there",
        "line\nfeed\r",
        "back\\slash \\N \\.",
        "quote \" ' {}",
        "日本語 🦠",
        "\\N",
        "a,b",
    ],
)
def test_odd_text_survives_in_labels_and_request_ids(database: Engine, odd: str) -> None:
    """Characters that mean something to COPY, JSON or SQL are kept as they are."""
    store_predictions(database, [event(label=odd, request_id=odd)])

    [found] = stored(database)
    assert (found.label, found.request_id) == (odd, odd)


def test_text_postgresql_cannot_hold_is_replaced(database: Engine) -> None:
    """A NUL goes and half a surrogate pair becomes a question mark, instead of losing the batch."""
    odd = "a\0b\ud800c"
    broken = event().model_copy(update={"label": odd, "request_id": odd, "features": (odd, 1.0)})

    store_predictions(database, [broken])

    [found] = stored(database)
    assert (found.label, found.request_id) == ("ab?c", "ab?c")
    assert found.features == ("ab?c", 1.0)


def test_a_batch_sent_twice_is_stored_once(database: Engine) -> None:
    """Sending again what was stored already adds only what is new."""
    first, second = event(), event()
    store_predictions(database, [first])

    store_predictions(database, [first, second, second])

    assert {found.id for found in stored(database)} == {first.id, second.id}
    assert len(stored(database)) == 2


def test_servers_that_store_at_once_all_succeed(database: Engine) -> None:
    """Several servers may store at the same moment, with some of the same events."""
    shared = event()
    batches = [[shared, event()] for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda batch: store_predictions(database, batch), batches))

    assert len(stored(database)) == 5


def test_nothing_to_store_needs_no_database() -> None:
    """An empty batch does not even connect."""
    nowhere = engine("postgresql://taxon:secret@127.0.0.2:1/postgres")

    store_predictions(nowhere, [])

    with pytest.raises(DatabaseUnavailable):
        store_predictions(nowhere, [event()])


def test_values_postgresql_never_takes_are_refused(database: Engine) -> None:
    """An event PostgreSQL can never take is refused, not tried for ever."""
    broken = event().model_copy(update={"latency_seconds": "soon"})

    with pytest.warns(UserWarning, match="serialized value"), pytest.raises(DatabaseRefused):
        store_predictions(database, [broken])


@pytest.mark.parametrize(
    "older",
    [
        pytest.param("DROP TABLE predictions CASCADE", id="no-table"),
        pytest.param("DROP VIEW predictions_intake", id="no-intake"),
        pytest.param("ALTER TABLE predictions DROP COLUMN outcome CASCADE", id="no-column"),
    ],
)
def test_a_schema_of_an_older_release_is_unavailable(empty_database: str, older: str) -> None:
    """Until a migration brings what this release stores into, its events are worth another try."""
    migrate(empty_database)
    execute(engine(empty_database), older)

    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        store_predictions(engine(empty_database), [event()])


def test_a_schema_of_a_newer_release_is_stored_into(empty_database: str) -> None:
    """After a rollback the older release goes on: columns it does not know get their defaults."""
    migrate(empty_database)
    execute(
        engine(empty_database),
        "ALTER TABLE predictions ADD COLUMN reviewed boolean NOT NULL DEFAULT false",
    )
    original = event()

    store_predictions(engine(empty_database), [original])

    assert stored(engine(empty_database)) == [original]


def test_the_latest_events_of_one_model_come_first(database: Engine) -> None:
    """Reading is by namespace and model, newest first, no more than asked for."""
    now = datetime.now(UTC)
    mine = [event(time=now + timedelta(seconds=second)) for second in range(4)]
    store_predictions(database, [*mine, event(model="other"), event(namespace="other")])

    assert stored(database, limit=2) == [mine[3], mine[2]]


def test_a_newer_release_s_rows_are_read(database: Engine) -> None:
    """A column this release does not know is ignored, a word it does not know is Unknown."""
    known = event()
    store_predictions(database, [known])
    with transaction(database) as connection:
        connection.execute(text("ALTER TABLE predictions ADD COLUMN explanation jsonb DEFAULT '1'"))
        connection.execute(text("UPDATE predictions SET outcome = 'Shadowed'"))
    try:
        assert stored(database) == [known.model_copy(update={"outcome": "Unknown"})]
        store_predictions(database, [event()])
    finally:
        with transaction(database) as connection:
            connection.execute(text("ALTER TABLE predictions DROP COLUMN explanation"))


def test_an_older_release_s_rows_are_read(database: Engine) -> None:
    """A column that was added since is absent from an older schema: its field is None."""
    known = event()
    store_predictions(database, [known])
    with transaction(database) as connection:
        connection.execute(text("ALTER TABLE predictions RENAME COLUMN confidence TO other"))
    try:
        assert stored(database) == [known.model_copy(update={"confidence": None})]
    finally:
        with transaction(database) as connection:
            connection.execute(text("ALTER TABLE predictions RENAME COLUMN other TO confidence"))


def test_a_value_that_cannot_be_read_costs_itself(database: Engine) -> None:
    """The row's other fields are read, and the rows beside it."""
    rows = [event(), event(), event()]
    store_predictions(database, rows)
    with transaction(database) as connection:
        connection.execute(
            text("UPDATE predictions SET inputs = '[[1]]' WHERE id = :id"), {"id": rows[1].id}
        )

    rows[1] = rows[1].model_copy(update={"features": None})
    assert {one.id: one for one in stored(database)} == {one.id: one for one in rows}
