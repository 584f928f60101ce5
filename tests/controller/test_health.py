"""Probes, metrics and logs report the state of the controller."""

import logging
import threading
import time

import pytest
from support.story import Story, served
from support.world import World

from taxon_contracts.metrics import CONTROLLER_METRICS
from taxon_controller.domain.model import read_model
from taxon_controller.loop.health import Health
from taxon_controller.loop.pages import page
from taxon_controller.loop.threads import Threads
from taxon_controller.telemetry import Telemetry


def test_a_heartbeat_that_comes_back_is_alive() -> None:
    """Written, then seen through the watch."""
    health = Health(limit=180, monotonic=lambda: 101.0)
    health.wrote(100.0)
    health.saw()
    health.wrote(150.0)

    assert health.alive()
    assert health.age() == 49.0


def test_a_deaf_watch_is_not_alive() -> None:
    """Heartbeats are written and none comes back."""
    health = Health(limit=180, monotonic=lambda: 101.0)
    health.wrote(100.0)
    health.saw()
    health.wrote(300.0)

    assert not health.alive()
    assert page("/healthz", health, Telemetry())[0] == "503 Service Unavailable"


def test_an_absent_api_server_is_nothing_to_restart_for() -> None:
    """Nothing is written, so nothing has to come back."""
    health = Health(limit=180)

    assert health.alive()
    assert health.age() == 0.0


def test_every_metric_of_the_contracts_is_exposed() -> None:
    """Dashboards and alerts are held to the same list."""
    exposed = {family.name for family in Telemetry().registry.collect()}

    assert {one.name.removesuffix("_total") for one in CONTROLLER_METRICS} <= exposed


def test_a_models_conditions_and_figures_are_shown_until_it_is_gone() -> None:
    """And those of versions that are gone are withdrawn."""
    story, telemetry = served(), Telemetry()
    model = read_model(story.world.model())
    labels = {"namespace": "default", "model": "wine"}
    telemetry.show(model, model.status)

    def condition(status: str) -> float | None:
        return telemetry.registry.get_sample_value(
            "model_condition", {**labels, "type": "Ready", "status": status}
        )

    assert condition("True") == 1
    assert telemetry.registry.get_sample_value(
        "model_metric", {**labels, "version": story.live, "metric": "roc_auc"}
    ) == pytest.approx(0.99)

    telemetry.show(model, model.status.model_copy(update={"conditions": None, "versions": None}))
    assert condition("True") is None
    telemetry.forget("default", "wine")


def test_a_run_is_counted_when_its_outcome_is_new() -> None:
    """Once, with how long it took and how accurate it is."""
    story, telemetry = served(), Telemetry()
    after = read_model(story.world.model())
    before = read_model(story.world.model() | {"status": {}})
    telemetry.count_runs(before, after.status)
    telemetry.count_runs(after, after.status)

    value = telemetry.registry.get_sample_value
    assert value("taxon_run_seconds_count", {"outcome": "Accepted"}) == 1
    assert value("model_accuracy_count", {"namespace": "default", "model": "wine"}) == 1


def test_a_write_is_logged_with_model_and_run(caplog: pytest.LogCaptureFixture) -> None:
    """A line can be found by its model, its run and its object."""
    caplog.set_level(logging.INFO)
    story = Story(World())
    story.submit()
    story.run()
    [created] = [one for one in caplog.records if vars(one).get("kind") == "InferenceService"]

    assert (created.name, created.getMessage()) == ("taxon_controller.loop.reconcile", "Creating")
    fields = {name: vars(created)[name] for name in ("model", "run", "object")}
    assert fields == {"model": "default/wine", "run": story.live, "object": f"wine-{story.live}"}


def test_when_one_thread_ends_all_are_stopped() -> None:
    """And its error comes out."""
    threads = Threads(threading.Event())

    def wait() -> None:
        threads.stop.wait(10)

    def fail() -> None:
        raise ValueError("why")

    threads.start("patient", wait)
    threads.start("hasty", fail)
    with pytest.raises(ValueError, match="why"):
        threads.join()


def test_threads_that_hang_are_waited_for_once_and_not_each() -> None:
    """Several stuck workers must not hold the Lease past the pod's grace."""
    stuck, threads = threading.Event(), Threads(threading.Event(), seconds=0.2)

    def hang() -> None:
        stuck.wait(60)

    for number in range(20):
        threads.start(f"stuck {number}", hang)
    threads.stop.set()
    began = time.monotonic()
    threads.join()
    waited = time.monotonic() - began
    stuck.set()

    assert waited < 20 * 0.2
