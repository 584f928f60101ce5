"""What the maintenance job removes, and what it keeps."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text
from support.databases import execute

from taxon_datastore import partitions as partitions_module
from taxon_datastore import retention
from taxon_datastore.commands import maintain as command
from taxon_datastore.database import DatabaseUnavailable, engine, transaction
from taxon_datastore.partitions import partitions
from taxon_datastore.retention import maintain
from taxon_datastore.schema import migrate

PREDICTION = text(
    "INSERT INTO predictions (id, namespace, model, version, time, latency_seconds, outcome)"
    " VALUES (:id, 'fraud', :model, 'v', :time, 0.1, 'Answered')"
)
LABEL = text(
    "INSERT INTO labels (id, namespace, model, prediction_id, request_id, label, observed_at,"
    " received_at) VALUES (gen_random_uuid(), 'fraud', :model, :id, :request, '1', :time, :time)"
)


@pytest.fixture
def database(empty_database: str) -> Engine:
    """Return an engine over a migrated database with partitions of the last 100 days."""
    migrate(empty_database)
    made = engine(empty_database)
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in (1, 20, 40, 80, 90, 91, 95)]
    execute(
        made,
        *(
            f"CREATE TABLE predictions_{day:%Y%m%d} PARTITION OF predictions"
            f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
            for day in days
        ),
    )
    return made


def ago(days: float) -> datetime:
    """Return a time some days before now."""
    return datetime.now(UTC) - timedelta(days=days)


def id_at(time: datetime) -> UUID:
    """Return a UUID of version 7 of a time."""
    return UUID(int=int(time.timestamp() * 1000) << 80 | 7 << 76 | uuid4().int >> 70)


def predict(database: Engine, *days: float, model: str = "iris") -> None:
    """Store a prediction of each of some days ago, with a label by its id of today."""
    with transaction(database) as connection:
        for time in map(ago, days):
            made = {"id": id_at(time), "time": time, "model": model}
            connection.execute(PREDICTION, made)
            connection.execute(LABEL, made | {"time": ago(0), "request": None})


def keep(database: Engine, days: int | None, model: str = "iris") -> None:
    """Let a server state the retention of a model."""
    with transaction(database) as connection:
        connection.execute(
            text("INSERT INTO retentions (namespace, model, days) VALUES ('fraud', :model, :days)"),
            {"model": model, "days": days},
        )


def kept(database: Engine, model: str = "iris") -> list[int]:
    """Return how many days old the predictions are that are there, each of which has its label."""
    with transaction(database) as connection:
        ages = text("SELECT now() - time, id FROM predictions WHERE model = :model ORDER BY time")
        rows = connection.execute(ages, {"model": model}).all()
        ids = text("SELECT prediction_id FROM labels WHERE model = :model")
        labelled = set(connection.execute(ids, {"model": model}).scalars())
    assert labelled == {identifier for _, identifier in rows}
    return [age.days for age, _ in rows]


def test_days_beyond_the_bound_are_dropped_whole(database: Engine) -> None:
    """The partition that the bound is in is kept; labels go with their predictions."""
    predict(database, 0, 20, 80, 91.99, 95)

    maintain(database, retention_days=90)

    assert kept(database) == [80, 20, 0]
    with transaction(database) as connection:
        names = partitions(connection)
    assert names[0] == f"predictions_{ago(90):%Y%m%d}"


def test_rows_without_a_partition_of_their_own_go_too(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are deleted in batches, however many there are."""
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    predict(database, 60, *[200] * 5)

    maintain(database, retention_days=90)

    assert kept(database) == [60]


def test_a_model_may_keep_its_rows_for_less(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows of other days and its labels go, in batches; those of another model stay."""
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    predict(database, 0.5, 6.9, 7.1, *[20] * 5, 40, 60)
    predict(database, 20, 40, model="birds")
    keep(database, 7)

    maintain(database, retention_days=90)

    assert kept(database) == [6, 0]
    assert kept(database, "birds") == [40, 20]


@pytest.mark.parametrize(
    ("stated", "left"), [([7, 30], [20]), ([7, None], [40, 20]), ([365], [40, 20])]
)
def test_the_newest_retention_counts(
    database: Engine, stated: list[int | None], left: list[int]
) -> None:
    """None is the chart's bound, which also ends what a model would keep longer."""
    predict(database, 20, 40, 95)
    for days in stated:
        keep(database, days)

    maintain(database, retention_days=90)

    assert kept(database) == left


def test_labels_by_request_id_go_by_when_they_came(database: Engine) -> None:
    """Their prediction was made before that."""
    with transaction(database) as connection:
        for days in (10, 89, 92):
            named = {"id": None, "request": f"r{days}", "model": "iris", "time": ago(days)}
            connection.execute(LABEL, named)

    maintain(database, retention_days=90)

    with transaction(database) as connection:
        left = connection.execute(text("SELECT request_id FROM labels ORDER BY 1")).scalars()
        assert list(left) == ["r10", "r89"]


def test_jobs_at_once_take_turns(database: Engine) -> None:
    """What one has removed is no fault to the other."""
    predict(database, *[20] * 20, 95, 200)
    keep(database, 7)

    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(maintain, database, retention_days=90) for _ in range(4)]:
            job.result()

    assert kept(database) == []


@pytest.fixture
def reader(database: Engine) -> Iterator[None]:
    """Keep a transaction open that has read the whole log."""
    with transaction(database) as connection:
        connection.execute(text("SELECT count(*) FROM predictions"))
        yield


@pytest.mark.usefixtures("reader")
def test_a_reader_delays_the_job_and_not_the_servers(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drop that has to wait gives up, so that a server that stores meanwhile waits no longer."""
    monkeypatch.setattr(partitions_module, "LOCK_TIMEOUT", "10ms")
    predict(database, 95)

    with pytest.raises(DatabaseUnavailable, match="lock timeout"):
        maintain(database, retention_days=90)

    predict(database, 0)


def test_the_job_says_what_it_did(
    database: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each step is a line of its own, with its figures; the bound is read from the environment."""
    predict(database, 0, 20, 40, 200)
    keep(database, 10)
    monkeypatch.setenv("TAXON_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TAXON_DATABASE_RETENTION_DAYS", "30")

    command.main()

    printed = capsys.readouterr()
    lines = [json.loads(line) for line in (printed.out + printed.err).splitlines()]
    said = [
        {key: line.get(key) for key in ("event", "partition", "rows", "labels")} for line in lines
    ]
    assert [one["partition"] for one in said if one["partition"]] == [
        f"predictions_{ago(days):%Y%m%d}" for days in (95, 91, 90, 80, 40)
    ]
    assert [one["rows"] for one in said if one["rows"] is not None] == [1, 2, 1]
