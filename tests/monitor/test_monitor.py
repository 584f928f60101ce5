"""The monitor as a process over a real PostgreSQL."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from monitor.memory import frozen, load, predict_and_label
from monitor.watching import MonitorProcess, watching
from support.waiting import wait_until

from taxon_cli.local.ports import PortBlock
from taxon_cli.local.postgres import Postgres
from taxon_contracts.datasets import DatasetVersions
from taxon_contracts.metrics import MONITOR_METRICS
from taxon_monitor.main import EVERY_ADDRESS

PATH = "/v1/namespaces/default/datasets/flowers"
NEWEST = 'dataset_version{dataset="flowers",namespace="default"}'
FAILED = 'taxon_monitor_errors_total{query="log_size"}'


def failures(monitor: MonitorProcess) -> float:
    """Return how often a reading has failed."""
    return monitor.metric(FAILED) or 0


def test_versions_of_a_data_set_are_listed_newest_first(url: str, monitor: MonitorProcess) -> None:
    """The answer is the contract's document, with what the controller needs."""
    for version in (1, 2):
        load(url, "default", "flowers", version)
    load(url, "other", "flowers", 9)
    code, document = monitor.ask(PATH)

    assert code == 200
    found = DatasetVersions.model_validate(document).versions
    assert [one.version for one in found] == [2, 1]
    assert found[0].digest == f"sha256:{2:064x}"
    assert found[0].rows == 7


def test_a_data_set_that_does_not_exist_has_no_versions(monitor: MonitorProcess) -> None:
    """That is an answer like any other."""
    assert monitor.ask(PATH) == (200, {"versions": []})


@pytest.mark.parametrize("path", ["default/datasets/Flowers", "a_b/datasets/x", "d/datasets/%00"])
def test_names_that_cannot_be_are_refused(monitor: MonitorProcess, path: str) -> None:
    """They never reach the database."""
    assert monitor.ask(f"/v1/namespaces/{path}")[0] == 422


def test_metrics_show_the_log_and_the_newest_versions(url: str, monitor: MonitorProcess) -> None:
    """The gauges follow the database without being asked for."""
    load(url, "default", "flowers", 1)
    wait_until(lambda: monitor.metric(NEWEST) == 1)
    load(url, "default", "flowers", 2)
    wait_until(lambda: monitor.metric(NEWEST) == 2)

    assert monitor.metric("prediction_log_days_ahead") == 13
    assert (monitor.metric("prediction_log_bytes") or 0) > 0
    today = time.time() // 86400 * 86400
    assert monitor.metric("prediction_log_oldest_seconds") in (today, today - 86400)


def test_metrics_show_what_labels_say_of_a_version(url: str, monitor: MonitorProcess) -> None:
    """The share that has a label, and the share of these that were right."""
    predict_and_label(url, {"a": "a", "b": "a", "c": None, "d": None})
    labels = '{model="m",namespace="default",version="v1"}'
    wait_until(lambda: monitor.metric(f"labelled_share{labels}") == 0.5)

    assert monitor.metric(f"live_accuracy{labels}") == 0.5


def test_every_metric_of_the_contract_is_exposed(url: str, monitor: MonitorProcess) -> None:
    """Each is scraped under its own name."""
    load(url, "default", "flowers", 1)
    wait_until(lambda: monitor.metric(NEWEST) == 1)
    text = monitor.ask("/metrics")[1]
    missing = [one.name for one in MONITOR_METRICS if f"# TYPE {one.name}" not in text]
    assert missing == []


def test_a_frozen_database_is_answered_with_503_and_metrics_keep_their_values(
    url: str, monitor_url: str, ports: PortBlock, tmp_path: Path
) -> None:
    """Requests are bounded, scrapes do not wait, failures are counted, and all comes back."""
    load(url, "default", "flowers", 3)
    with watching(
        monitor_url, ports.take(), tmp_path, host=EVERY_ADDRESS, answer_seconds="1"
    ) as monitor:
        wait_until(lambda: monitor.metric(NEWEST) == 3)
        with frozen(url):
            code, document = monitor.ask(PATH)
            wait_until(lambda: failures(monitor) > 0)
            kept, alive, ready = (
                monitor.metric(NEWEST),
                monitor.ask("/healthz"),
                monitor.ask("/readyz"),
            )
        wait_until(lambda: monitor.ask(PATH)[0] == 200)

    assert code == 503
    assert document == {"error": "the database did not answer within 1 s"}
    assert kept == 3
    assert (alive[0], ready[0]) == (200, 200)


def test_a_database_that_refuses_is_answered_with_503_and_comes_back(
    url: str, monitor: MonitorProcess, postgres: Postgres
) -> None:
    """The answer says why, and the next one after the return is right."""
    load(url, "default", "flowers", 4)
    wait_until(lambda: monitor.metric(NEWEST) == 4)
    postgres.stop()
    try:
        code, document = monitor.ask(PATH)
        wait_until(lambda: failures(monitor) > 0)
        kept = monitor.metric(NEWEST)
    finally:
        postgres.start()
    wait_until(lambda: monitor.ask(PATH)[0] == 200)

    assert code == 503
    assert "Connection refused" in document["error"]
    assert kept == 4


def test_sigterm_ends_it_while_the_database_is_frozen(
    url: str, monitor_url: str, ports: PortBlock, tmp_path: Path
) -> None:
    """Nothing waits for the database: the exit code is 0, and the last line says so."""
    with watching(monitor_url, ports.take(), tmp_path) as monitor:
        wait_until(lambda: monitor.metric("prediction_log_days_ahead") is not None)
        with frozen(url):
            wait_until(lambda: failures(monitor) > 0)
            code = monitor.end()
            lines = monitor.log_lines()

    assert code == 0
    assert lines[-1]["event"] == "stopped"
    assert {line["event"] for line in lines[:-1]} <= {"reading_failed"}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "TAXON_MONITOR_DATABASE_URL: Field required"),
        (
            {"TAXON_MONITOR_DATABASE_URL": "mysql://a:secret@b/c"},
            "TAXON_MONITOR_DATABASE_URL: the database URL must be like",
        ),
        (
            {"TAXON_MONITOR_DATABASE_URL": "postgresql://a@b/c", "TAXON_MONITOR_PORT": "high"},
            "TAXON_MONITOR_PORT: Input should be a valid integer",
        ),
    ],
    ids=["no-database", "another-database", "no-port"],
)
def test_wrong_settings_are_one_sentence(variables: dict[str, str], sentence: str) -> None:
    """It names the variable and repeats no password."""
    done = subprocess.run(
        [sys.executable, "-m", "taxon_monitor.main"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"taxon-monitor: {sentence}")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr
