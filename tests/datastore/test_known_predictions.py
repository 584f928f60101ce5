"""Which predictions the log knows, by their ids and by those of their requests."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from support.databases import execute
from support.logged import NOON, id_at, predict
from support.plans import partitions, scanned

from taxon_datastore.database import DatabaseUnavailable, engine, transaction
from taxon_datastore.known_predictions import BY_ID, find_predictions
from taxon_datastore.prediction_names import Answers, KnownPredictions
from taxon_datastore.schema import migrate


@pytest.fixture
def database(empty_database: str) -> Engine:
    """Return an engine over a migrated database of the test's own."""
    migrate(empty_database)
    return engine(empty_database)


def test_a_prediction_is_found_by_its_id(database: Engine) -> None:
    """With the model it is of, also beside midnight; those of other namespaces are not found."""
    midnight = NOON.replace(hour=0)
    mine = predict(database, time=midnight, id=id_at(midnight - timedelta(milliseconds=1)))
    birds = predict(database, model="birds")
    others = predict(database, namespace="fraud")

    known = find_predictions(
        database,
        namespace="default",
        model="tumours",
        ids=[mine, birds, others, id_at(NOON), mine],
        request_ids=[],
    )

    assert known == KnownPredictions({mine: "tumours", birds: "birds"})


def test_the_answers_to_a_request_are_counted(database: Engine) -> None:
    """Copies, failures and other models' answers are none of them."""
    one = predict(database, request_id="one")
    predict(database, request_id="one", mirrored=True)
    predict(database, request_id="one", outcome="Failed")
    predict(database, request_id="one", model="birds")
    predict(database, request_id="one", namespace="fraud")
    two = {predict(database, request_id="two", time=NOON - timedelta(days=n)) for n in (0, 9)}

    known = find_predictions(
        database,
        namespace="default",
        model="tumours",
        ids=[],
        request_ids=["one", "two", "none", "' OR true --"],
    )

    assert known.requests["one"] == Answers(1, one)
    assert known.requests["two"].count == 2
    assert known.requests["two"].one in two
    assert known.requests.keys() == {"one", "two"}


def test_an_id_is_looked_for_in_its_day_only(database: Engine) -> None:
    """Its time says which partition may have it."""
    [_, chosen, *_] = partitions(database)
    day = datetime.strptime(chosen[-8:], "%Y%m%d").replace(tzinfo=UTC, hour=12)
    made = predict(database, time=day)
    asked = {"ids": [str(made)], "times": [day], "namespace": "default"}

    assert scanned(database, BY_ID.text, **asked) == {chosen}


def test_an_older_schema_is_a_database_that_is_away(database: Engine) -> None:
    """A server that is newer than the schema cannot know which answers were copies."""
    execute(database, "ALTER TABLE predictions DROP COLUMN mirrored CASCADE")
    with pytest.raises(DatabaseUnavailable, match="mirrored"):
        find_predictions(
            database, namespace="default", model="tumours", ids=[], request_ids=["one"]
        )


def test_thousands_are_found_at_once(database: Engine) -> None:
    """Ten thousand ids over a month, and as many requests, in one call."""
    days = [NOON - timedelta(days=place % 30) for place in range(10_000)]
    ids = [id_at(day) for day in days]
    with transaction(database) as connection:
        connection.execute(
            text(
                "INSERT INTO predictions (id, namespace, model, version, time, request_id,"
                " latency_seconds, outcome) SELECT id, 'default', 'tumours', 'v1', time,"
                " CAST(id AS text), 0, 'Answered'"
                " FROM unnest(CAST(:ids AS uuid[]), CAST(:times AS timestamptz[])) AS t (id, time)"
            ),
            {"ids": [str(one) for one in ids], "times": days},
        )
    known = find_predictions(
        database,
        namespace="default",
        model="tumours",
        ids=ids,
        request_ids=[str(one) for one in ids],
    )

    assert set(known.models) == set(ids)
    assert known.requests == {str(one): Answers(1, one) for one in ids}
