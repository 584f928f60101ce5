"""The view that shows logged values under the names of their features."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from support import copied
from support.plans import partitions, scanned

from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.database import engine, transaction
from taxon_datastore.intake import store_rows
from taxon_datastore.predictions import store_predictions
from taxon_datastore.rows import SignatureColumn
from taxon_datastore.schema import migrate

OTHERS = (2.5, "Cork", True)


@pytest.fixture
def database(empty_database: str) -> Engine:
    """Return an engine over a migrated database."""
    migrate(empty_database)
    return engine(empty_database)


def values(database: Engine) -> list[tuple[Any, ...]]:
    """Return feature, type, number and text of every value there is."""
    query = "SELECT feature, type, number, text FROM prediction_values ORDER BY time, feature"
    with transaction(database) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def earlier(*features: Any, version: str = "v0123456789") -> PredictionEvent:
    """Return an event of an earlier release, a minute ago."""
    return PredictionEvent(
        id=uuid4(), namespace="fraud", model="iris", version=version, features=features,
        time=datetime.now(UTC) - timedelta(minutes=1), latency_seconds=0.1, outcome="Answered",
    )  # fmt: skip


def test_each_value_has_its_name_and_its_type(database: Engine) -> None:
    """Categories are text, a boolean is 0 or 1, and a gap is neither."""
    names = (
        *copied.SIGNATURE.features,
        SignatureColumn("street", "Categorical"),
        SignatureColumn("zip", "Numeric"),
    )
    store_rows(
        database,
        copied.predictions(
            {"features": [1.5, None, 0.0, None, None], "categories": [None, "Main"]},
            signatures=[replace(copied.SIGNATURE, features=names)],
        ),
    )

    assert values(database) == [
        ("city", "Categorical", None, None),
        ("is new", "Boolean", 0.0, None),
        ("street", "Categorical", None, "Main"),
        ("width", "Numeric", 1.5, None),
        ("zip", "Numeric", None, None),
    ]


def test_rows_of_an_earlier_release_have_names_too(database: Engine) -> None:
    """Their version's signature comes with the first rows of this release."""
    store_predictions(database, [earlier(*OTHERS)])
    store_rows(database, copied.predictions())

    assert values(database) == [
        ("city", "Categorical", None, "Cork"),
        ("is new", "Boolean", 1.0, None),
        ("width", "Numeric", 2.5, None),
    ]


def test_rows_of_a_version_without_a_signature_have_values(database: Engine) -> None:
    """What a version that served an earlier release only called its features is not known."""
    store_predictions(database, [earlier(2.5, None), earlier(*OTHERS[1:], None)])

    assert sorted(values(database), key=str) == sorted(
        [
            (None, "Numeric", 2.5, None),
            (None, "Numeric", None, None),
            (None, "Categorical", None, "Cork"),
            (None, "Boolean", 1.0, None),
            (None, None, None, None),
        ],
        key=str,
    )


def test_rows_without_features_have_no_values(database: Engine) -> None:
    """As a log without features, or a failed request."""
    store_rows(database, copied.predictions({"features": None, "categories": None}))

    assert values(database) == []


def test_a_time_chooses_the_partitions(database: Engine) -> None:
    """A client that asks for one day reads one day."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    store_rows(database, copied.predictions({}, {"time": tomorrow}))

    read = scanned(
        database,
        "SELECT * FROM prediction_values WHERE namespace = 'fraud' AND model = 'iris'"
        " AND time >= :since AND time < :until",
        since=tomorrow.date(),
        until=tomorrow.date() + timedelta(days=1),
    )

    assert read == {partitions(database)[1]}
