"""A model of a data set on the real cluster, from the command line to the answer at its URL.

The tests are one story in this order: each goes on from where the one before has left the model.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.data_sets import load
from support.kubectl import kubectl, prometheus_value, wait_for
from support.lifecycle import Life, living, serving, small_spec
from support.release import SYSTEM

from hack.cluster import layout
from taxon_contracts.datasets import DatasetVersions

WINE = layout.ROOT / "manifests" / "samples" / "wine.csv"
CONTROLLER, MONITOR = "deployment/taxon-controller", "deployment/taxon-monitor"
MONITOR_PODS = "--selector=app.kubernetes.io/component=monitor"
NEW_DATASET_SECONDS = 150.0
"""The controller asks the monitor twice a minute; then there are a run and a rollout."""


@pytest.fixture(scope="module")
def name() -> str:
    """Return the name of a data set nobody loaded before."""
    return f"wine-{uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def life(release: str, name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Yield a model of the first version of a data set, which is in the database already."""
    assert release
    load(name, rows(tmp_path_factory.mktemp("first"), 120))
    with living(Life("on-data-set"), spec(name)) as life:
        yield life


def rows(folder: Path, count: int) -> Path:
    """Return a file with rows of every class."""
    header, *lines = WINE.read_text().splitlines(keepends=True)
    step = len(lines) / count
    file = folder / "wine.csv"
    file.write_text(header + "".join(lines[int(place * step)] for place in range(count)))
    return file


def spec(name: str, **more: Any) -> dict[str, Any]:
    """Return a spec that follows a data set."""
    table = {"dataset": {"table": {"name": name}, "target": "cultivar"}}
    return small_spec(seed=1) | table | {"serving": serving()} | more


@contextmanager
def without_monitor() -> Iterator[None]:
    """Have no monitor meanwhile."""
    kubectl("scale", MONITOR, "-n", SYSTEM, "--replicas=0")
    kubectl("wait", "pod", "-n", SYSTEM, MONITOR_PODS, "--for=delete", "--timeout=60s")
    try:
        yield
    finally:
        kubectl("scale", MONITOR, "-n", SYSTEM, "--replicas=1")
        wait_for("condition=Available", MONITOR, SYSTEM, seconds=60)


@pytest.mark.usefixtures("life")
def test_the_monitor_lists_what_was_loaded(name: str) -> None:
    """Its answer is the contract's document."""
    service = f"/api/v1/namespaces/{SYSTEM}/services/taxon-monitor:8082/proxy"
    text = kubectl("get", "--raw", f"{service}/v1/namespaces/default/datasets/{name}")
    [version] = DatasetVersions.model_validate_json(text).versions
    assert (version.version, version.rows) == (1, 120)


def test_a_model_without_a_version_trains_on_the_newest(life: Life, name: str) -> None:
    """It becomes Ready, and its record says which version of the data set it has seen."""
    life.become_ready()
    record = life.record(life.live)
    assert record["dataset"] == {"name": name, "version": 1}
    assert life.answering() == life.live


def test_a_newer_version_starts_a_run_whose_version_becomes_live(
    life: Life, name: str, tmp_path: Path
) -> None:
    """Nobody edits the model, and every request meanwhile is answered."""
    before = life.live
    with life.unharmed():
        load(name, rows(tmp_path, 170))
        life.wait(lambda: life.live != before, seconds=NEW_DATASET_SECONDS)
    record = life.record(life.live)
    assert record["trigger"] == "NewDataset"
    assert record["dataset"] == {"name": name, "version": 2}
    assert life.condition("Ready")["status"] == "True"
    newest = f'max(dataset_version{{namespace="default",dataset="{name}"}}) == 2'
    assert prometheus_value(newest, seconds=90) == 2


def test_a_named_version_is_trained_on_whatever_is_newer(life: Life, name: str) -> None:
    """The version in the spec is part of what the model is."""
    table = {"table": {"name": name, "version": 1}, "target": "cultivar"}
    fixed = small_spec(seed=1) | {"dataset": table, "serving": serving()}
    with living(Life("on-first-data-set"), fixed) as model:
        model.become_ready()
        assert model.record(model.live)["dataset"] == {"name": name, "version": 1}
    assert life.condition("Ready")["status"] == "True"


def test_a_model_stays_ready_while_the_monitor_is_away(
    life: Life, name: str, tmp_path: Path
) -> None:
    """Not even a controller that has just begun changes it; what was loaded is trained on later."""
    before = life.live
    with life.unharmed():
        with without_monitor():
            load(name, rows(tmp_path, 150))
            kubectl("rollout", "restart", CONTROLLER, "-n", SYSTEM)
            kubectl("rollout", "status", CONTROLLER, "-n", SYSTEM, "--timeout=90s")
            life.apply(spec(name, serving=serving() | {"minReplicas": 1, "maxReplicas": 2}))
            assert life.become_ready() == before
        life.wait(lambda: life.live != before, seconds=NEW_DATASET_SECONDS)
    assert life.record(life.live)["dataset"] == {"name": name, "version": 3}
