"""Parts of the monitor under databases that misbehave in ways a real one seldom does."""

import threading

import httpx
import pytest
from prometheus_client import generate_latest
from support.waiting import wait_until

from taxon_contracts.datasets import DatasetVersions
from taxon_contracts.metrics import DATASET_VERSION, LOG_BYTES
from taxon_monitor import app
from taxon_monitor.readings import Watch
from taxon_monitor.settings import Settings
from taxon_monitor.telemetry import Figures, LastFigures, Telemetry

ENOUGH = 3


def samples(telemetry: Telemetry) -> str:
    """Return what is scraped."""
    return generate_latest(telemetry.registry).decode()


@pytest.mark.asyncio
async def test_it_is_unready_once_the_database_has_been_silent_for_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before that it is ready, also when it has just started; the process lives either way."""
    telemetry = Telemetry([])
    settings = Settings(database_url="postgresql://a@b/c")
    one = app.create_app(settings, lambda _, __: DatasetVersions(), telemetry)
    transport = httpx.ASGITransport(one)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
        before = await client.get("/readyz")
        monkeypatch.setattr(app, "SILENT_SECONDS", -1)
        after = await client.get("/readyz")
        alive = await client.get("/healthz")

    assert (before.status_code, after.status_code, alive.status_code) == (200, 503, 200)
    assert after.text.startswith("the database has not answered for ")


def test_a_reading_with_a_fault_does_not_end_the_others() -> None:
    """It is counted every time, and the next one is taken."""
    telemetry = Telemetry(["faulty", "sound"])
    taken: list[int] = []

    def faulty() -> Figures:
        raise ZeroDivisionError

    def sound() -> Figures:
        taken.append(1)
        if len(taken) > ENOUGH:
            threading.Event().wait()  # the thread has nothing more to do for this test
        return {LOG_BYTES: {(): len(taken)}}

    Watch({"faulty": faulty, "sound": sound}, telemetry, 0.01).start()
    wait_until(lambda: len(taken) >= ENOUGH)

    assert 'taxon_monitor_errors_total{query="sound"} 0.0' in samples(telemetry)
    assert 'taxon_monitor_errors_total{query="faulty"} 0.0' not in samples(telemetry)


def test_a_series_goes_with_what_it_was_about() -> None:
    """A data set that was deleted is not shown for ever; other gauges stay."""
    figures = LastFigures()
    figures.replace({DATASET_VERSION: {("a", "flowers"): 1, ("a", "wine"): 2}})
    figures.replace({LOG_BYTES: {(): 5}})
    figures.replace({DATASET_VERSION: {("a", "wine"): 3}})

    found = {one.name: [(s.labels, s.value) for s in one.samples] for one in figures.collect()}
    assert found == {
        "dataset_version": [({"namespace": "a", "dataset": "wine"}, 3)],
        "prediction_log_bytes": [({}, 5)],
    }
