"""Live accuracy: which labels count for which answers, and the interval."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest
from sqlalchemy import Engine, text
from support.databases import execute
from support.logged import NOON, id_at, observe, predict
from support.plans import partitions, scanned, scanned_whole

from taxon_datastore.accuracy import LiveAccuracy, accuracy_by_day, accuracy_of_days
from taxon_datastore.database import engine, transaction
from taxon_datastore.schema import migrate


@pytest.fixture
def database(empty_database: str) -> Engine:
    """Return an engine over a migrated database of the test's own."""
    migrate(empty_database)
    return engine(empty_database)


def figures(database: Engine) -> list[tuple[int, int, int]]:
    """Return predictions, labelled and correct of each version of the last days."""
    found = accuracy_of_days(database, days=30)
    return [(one.predictions, one.labelled, one.correct) for one in found]


def test_every_query_of_the_page_runs(database: Engine) -> None:
    """What docs/labels.md shows is SQL that finds a label."""
    page = (Path(__file__).parents[2] / "docs" / "labels.md").read_text()
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    answer = predict(database, model="breast-cancer")
    observe(database, "benign", prediction_id=answer, model="breast-cancer")

    with transaction(database) as connection:
        found = [connection.exec_driver_sql(query).all() for query in queries]

    assert [len(rows) for rows in found] == [1, 1, 1]


def test_labels_are_counted_against_the_answers(database: Engine) -> None:
    """Of three answers two have a label, and one of these was right."""
    right, wrong = predict(database, "benign"), predict(database, "benign")
    predict(database, "malignant")
    observe(database, "benign", prediction_id=right)
    observe(database, "malignant", prediction_id=wrong)

    [found] = accuracy_of_days(database, days=2)

    low, high = binomtest(1, 2).proportion_ci(method="wilson")
    assert (found.namespace, found.model, found.version) == ("default", "tumours", "v0123456789")
    assert (found.predictions, found.labelled, found.correct) == (3, 2, 1)
    assert (found.share_labelled, found.accuracy) == (2 / 3, 0.5)
    assert [found.low, found.high] == pytest.approx([low, high])


def test_without_labels_there_is_no_accuracy(database: Engine) -> None:
    """The share is zero, and the rest is absent."""
    predict(database)

    [found] = accuracy_of_days(database, days=2)

    assert found == LiveAccuracy("default", "tumours", "v0123456789", 1, 0, 0, None, None)
    assert (found.share_labelled, found.accuracy) == (0, None)


@pytest.mark.parametrize(
    ("correct", "labelled"), [(0, 1), (1, 1), (0, 50), (50, 50), (9, 10), (912, 1000), (1, 10**6)]
)
def test_the_interval_is_wilsons(database: Engine, correct: int, labelled: int) -> None:
    """It equals scipy's, and never leaves 0 to 1."""
    with transaction(database) as connection:
        [found] = connection.execute(
            text("SELECT wilson_bound(:k, :n, -1), wilson_bound(:k, :n, 1)"),
            {"k": correct, "n": labelled},
        )

    wanted = binomtest(correct, labelled).proportion_ci(method="wilson")
    assert list(found) == pytest.approx([wanted.low, wanted.high], abs=1e-12)
    assert 0 <= found[0] <= found[1] <= 1


def test_the_newest_observation_counts(database: Engine) -> None:
    """Two corrections that arrive out of order: the one that was seen last decides."""
    answer = predict(database, "benign")
    for label, hours in (("malignant", 2), ("benign", 3), ("malignant", 1)):
        seen = NOON + timedelta(hours=hours)
        observe(database, label, prediction_id=answer, observed_at=seen)

    assert figures(database) == [(1, 1, 1)]


def test_of_observations_of_one_moment_the_last_received_counts(database: Engine) -> None:
    """Who corrects a label without a time of observation is understood all the same."""
    answer = predict(database, "benign")
    for label, hours in (("benign", 5), ("malignant", 4)):
        received = NOON + timedelta(hours=hours)
        observe(database, label, prediction_id=answer, received_at=received)

    assert figures(database) == [(1, 1, 1)]


def test_a_label_may_come_before_its_answer(database: Engine) -> None:
    """A label that waited for its answer counts once the answer is stored."""
    late = id_at(NOON)
    observe(database, "benign", prediction_id=late)
    assert figures(database) == []

    predict(database, "benign", id=late)

    assert figures(database) == [(1, 1, 1)]


def test_a_label_may_come_weeks_later(database: Engine) -> None:
    """It counts for the day of its answer."""
    day = NOON - timedelta(days=20)
    answer = predict(database, "benign", time=day)
    observe(database, "malignant", prediction_id=answer, received_at=datetime.now(UTC))

    [(found, one)] = accuracy_by_day(database, namespace="default", model="tumours", days=30)

    assert found == day.date()
    assert (one.labelled, one.correct) == (1, 0)


@pytest.mark.parametrize("other", [{"model": "birds"}, {"namespace": "fraud"}])
def test_a_label_of_another_model_does_not_count(database: Engine, other: dict[str, str]) -> None:
    """A label is of one model and namespace, whatever id it names."""
    answer = predict(database, "benign", request_id="r1")
    observe(database, "benign", prediction_id=answer, **other)
    observe(database, "benign", request_id="r1", **other)

    assert figures(database) == [(1, 0, 0)]


def test_versions_and_models_are_counted_apart(database: Engine) -> None:
    """Each version of each model has figures of its own."""
    for model, version in (("birds", "v1111111111"), ("birds", "v2222222222"), ("fish", "v1")):
        answer = predict(database, 10, model=model, version=version)
        observe(database, 10 if version != "v2222222222" else 20, prediction_id=answer, model=model)

    assert [
        (one.model, one.version, one.correct) for one in accuracy_of_days(database, days=2)
    ] == [("birds", "v1111111111", 1), ("birds", "v2222222222", 0), ("fish", "v1", 1)]


def test_an_integer_is_another_label_than_its_text(database: Engine) -> None:
    """Labels are compared with their type; the server stores them as the model's classes are."""
    answer = predict(database, 10)
    observe(database, "10", prediction_id=answer)

    assert figures(database) == [(1, 1, 0)]


@pytest.mark.parametrize("change", [{"mirrored": True}, {"outcome": "Failed", "label": None}])
def test_what_nobody_was_answered_does_not_count(database: Engine, change: dict[str, Any]) -> None:
    """Mirrored copies and failed requests are in no figure."""
    observe(database, "benign", prediction_id=predict(database, **change))

    assert figures(database) == []


def test_a_label_by_request_id_finds_its_answer(database: Engine) -> None:
    """The request's one answer gets it; the mirrored copy and a failed try do not disturb."""
    predict(database, "benign", request_id="r1")
    predict(database, "malignant", request_id="r1", mirrored=True)
    predict(database, "benign", request_id="r1", outcome="Failed")
    observe(database, "benign", request_id="r1")

    assert figures(database) == [(1, 1, 1)]


def test_a_label_by_the_id_of_two_answers_counts_for_neither(database: Engine) -> None:
    """Which of them it means is unknown."""
    predict(database, "benign", request_id="r1")
    predict(database, "benign", request_id="r1")
    observe(database, "benign", request_id="r1")

    assert figures(database) == [(2, 0, 0)]


def test_a_request_id_that_is_used_again_is_another_request(database: Engine) -> None:
    """A label is of an answer that was made before it."""
    predict(database, "benign", request_id="r1", time=NOON - timedelta(days=2))
    predict(database, "benign", request_id="r1", time=NOON)
    observe(database, "benign", request_id="r1", received_at=NOON - timedelta(days=1))

    found = accuracy_by_day(database, namespace="default", model="tumours", days=30)

    assert [one.labelled for _, one in found] == [0, 1]


def test_both_names_of_an_answer_are_one_label(database: Engine) -> None:
    """Labels by prediction id and by request id are observations of the same answer."""
    answer = predict(database, "benign", request_id="r1")
    observe(database, "malignant", request_id="r1")
    observe(database, "benign", prediction_id=answer, observed_at=NOON + timedelta(hours=2))

    assert figures(database) == [(1, 1, 1)]


def test_the_view_shows_the_same_by_day(database: Engine) -> None:
    """It has the figures of each day, partitions and other days alike."""
    for days in (0, 1, 40):
        answer = predict(database, "benign", time=NOON - timedelta(days=days))
        if days:
            observe(database, "benign", prediction_id=answer)

    with transaction(database) as connection:
        rows = connection.execute(
            text("SELECT day, predictions, labelled, share_labelled, accuracy FROM live_accuracy")
        )
        found = {row.day: tuple(row)[1:] for row in rows}

    today = NOON.date()
    assert found == {
        today: (1, 0, 0, None),
        today - timedelta(days=1): (1, 1, 1, 1),
        today - timedelta(days=40): (1, 1, 1, 1),
    }


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM live_accuracy WHERE day = '{day}'",
        "SELECT * FROM live_accuracy WHERE day >= '{day}' AND day <= '{day}' AND model = 'tumours'",
        "SELECT * FROM live_accuracy_between('{day} 00:00Z', '{day} 24:00Z')",
    ],
)
def test_a_day_reads_its_partition_only(database: Engine, query: str) -> None:
    """The plan of one day scans no other day's partition."""
    [_, chosen, *_] = partitions(database)
    day = datetime.strptime(chosen[-8:], "%Y%m%d").replace(tzinfo=UTC)
    answer = predict(database, "benign", time=day)
    observe(database, "benign", prediction_id=answer, received_at=day)

    assert scanned(database, query.format(day=day.date())) == {chosen}


MANY = """
    INSERT INTO predictions (
        id, namespace, model, version, time, features, label, latency_seconds, outcome
    )
    SELECT gen_random_uuid(), 'default', 'model ' || mod(row, 10), 'v1',
        CAST(:since AS timestamptz) + row * interval '10 seconds',
        array_fill(1.5, ARRAY[30]), '"benign"', 0, 'Answered'
    FROM generate_series(0, 40000) AS row
"""


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM live_accuracy WHERE day = '{day}' AND {which}",
        "SELECT * FROM live_accuracy_between('{day} 00:00Z', '{day} 24:00Z') WHERE {which}",
    ],
)
def test_a_models_figures_come_by_the_index(database: Engine, query: str) -> None:
    """Among many rows none of another model is read."""
    [_, first, chosen, *_] = partitions(database)
    since = datetime.strptime(first[-8:], "%Y%m%d").replace(tzinfo=UTC)
    with transaction(database) as connection:
        connection.execute(text(MANY), {"since": since})
    execute(database, "ANALYZE predictions")
    day = datetime.strptime(chosen[-8:], "%Y%m%d").replace(tzinfo=UTC).date()
    asked = query.format(day=day, which="namespace = 'default' AND model = 'model 3'")

    assert scanned(database, asked) == {chosen}
    assert scanned_whole(database, asked) == set()
