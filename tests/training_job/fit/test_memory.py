"""What memory cannot hold is refused before the search, with the memory it needs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from support.training import numeric_pipeline, small_identity

from taxon_contracts.resource import Search
from taxon_training_job.classifiers import forest as trees
from taxon_training_job.classifiers.family import Grid
from taxon_training_job.classifiers.registry import FAMILIES, family_of
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit import memory
from taxon_training_job.fit.memory import (
    COPIES,
    available_bytes,
    largest_footprint,
    resident_bytes,
    within_memory,
)
from taxon_training_job.fit.search import Problem, Scorer

GIB = 2**30
ROWS = 2000


def problem(grid: Grid, *, classes: int = 40, kind: str = "RandomForest") -> Problem:
    """Return a search over noisy rows of some classes."""
    generator = np.random.default_rng(0)
    labels = np.arange(ROWS) % classes
    identity = small_identity(pipeline={"classifier": {"type": kind}})
    return Problem(
        Search(strategy="Grid", folds=2),
        numeric_pipeline(identity.pipeline, features=5, seed=0),
        grid,
        generator.normal(size=(ROWS, 5)) + 0.1 * labels[:, None],
        labels,
        Scorer("log_loss", None, 0.5),
        seed=0,
    )


def with_memory(monkeypatch: pytest.MonkeyPatch, available: float, resident: float) -> None:
    """Let the process have and use so much memory."""
    monkeypatch.setattr(memory, "available_bytes", lambda: int(available))
    monkeypatch.setattr(memory, "resident_bytes", lambda: int(resident))


def taken(asked: Problem) -> int:
    """Return the bytes a fitted forest's trees take."""
    fitted = clone(asked.pipeline).fit(asked.rows, asked.labels)
    return sum(
        tree.tree_.value.nbytes + tree.tree_.node_count * trees.NODE_BYTES
        for tree in fitted[-1].estimators_
    )


@pytest.mark.parametrize("grid", [{}, {"max_depth": [6]}, {"min_samples_leaf": [4]}])
def test_a_footprint_is_what_the_largest_forest_takes(grid: Grid) -> None:
    """Within a fifth, by one tree of it; the bound without a fit is never below."""
    asked = problem({"n_estimators": [20], **grid})
    found = largest_footprint(asked, room=0)
    asked.pipeline.set_params(
        **{f"classifier__{name}": values[0] for name, values in asked.grid.items()}
    )
    family = family_of(asked.pipeline[-1])

    assert found.fitted == pytest.approx(taken(asked), rel=0.2)
    bound = family.bound(asked.pipeline[-1], asked.rows, asked.labels)
    assert bound.fitted >= found.fitted
    assert bound.graph >= found.graph


def test_the_largest_of_a_grid_grows_most() -> None:
    """Many trees, as deep as allowed, small leaves; other parameters decide no size."""
    grid: Grid = {
        "n_estimators": [5, 50, 20],
        "max_depth": [3, None, 10],
        "min_samples_leaf": [4, 1, 2],
        "max_leaf_nodes": [10, 90],
        "criterion": ["entropy", "gini"],
    }

    assert FAMILIES["RandomForest"].largest(grid) == {
        "n_estimators": 50,
        "max_depth": None,
        "min_samples_leaf": 1,
        "max_leaf_nodes": 90,
        "criterion": "entropy",
    }


def test_what_cannot_be_held_is_refused_with_the_needed_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the search; the message has a limit that is enough."""
    with_memory(monkeypatch, available=GIB, resident=0.3 * GIB)
    asked = problem({"n_estimators": [10, 3000]})

    with pytest.raises(RunFailed) as refused:
        within_memory(asked)
    needed = 0.3 * GIB + COPIES * largest_footprint(asked, room=0).fitted
    message = refused.value.message
    assert refused.value.reason == "ModelTooLarge"
    assert message.startswith("a forest of 3000 trees over 40 classes needs about ")
    assert f"{needed / GIB:.1f} GiB of memory, the trainer has 1.0" in message
    limit = int(message.split("training.resources.limits.memory to ")[1].split("Gi")[0])
    with_memory(monkeypatch, available=limit * GIB, resident=0.3 * GIB)
    assert within_memory(asked).grid == asked.grid


def test_rows_that_cannot_be_held_are_refused_with_what_makes_them_wide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2,000 rows of 5 features have 55 columns of degree 3, a megabyte with the trees' copy."""
    with_memory(monkeypatch, available=2**20, resident=0)
    asked = problem({"n_estimators": [1]})
    spec = small_identity(pipeline={"polynomialDegree": 3}).pipeline
    wide = replace(asked, pipeline=numeric_pipeline(spec, features=5))

    with pytest.raises(RunFailed, match="2000 rows of 55 columns, encoded and multiplied") as no:
        within_memory(wide)
    assert no.value.reason == "ModelTooLarge"
    assert no.value.message.endswith("or lower polynomialDegree or encoder.maxCategories")


def test_a_serving_file_no_server_could_load_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph has at most 2 GiB."""
    with_memory(monkeypatch, available=10_000 * GIB, resident=0)

    with pytest.raises(RunFailed, match=r"makes a serving file of about .* GiB, more than the 2"):
        within_memory(problem({"n_estimators": [100_000]}))


@pytest.mark.parametrize(("room", "processes"), [(100, 4), (2.5, 2), (0.5, 1)])
def test_as_many_processes_search_as_there_is_memory_for(
    monkeypatch: pytest.MonkeyPatch, room: float, processes: int
) -> None:
    """Each takes what this one takes, and a classifier."""
    with_memory(monkeypatch, available=(1 + room) * GIB, resident=GIB)
    monkeypatch.setattr("joblib.cpu_count", lambda: 4)

    assert within_memory(problem({"n_estimators": [5]})).processes == processes


@pytest.mark.parametrize("kind", FAMILIES)
def test_an_ordinary_model_costs_no_fit(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The default grid on thousands of rows fits by any measure."""
    with_memory(monkeypatch, available=GIB, resident=0.3 * GIB)
    asked = problem(FAMILIES[kind].default_grid, classes=3, kind=kind)
    monkeypatch.setattr(type(asked.pipeline[-1]), "fit", None)

    assert within_memory(asked).processes >= 1


def test_a_first_fit_that_fails_names_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a fit of the search would."""

    def refuses(*_: object) -> None:
        raise ValueError("max_samples is too large")

    with_memory(monkeypatch, available=2**20, resident=0)
    monkeypatch.setattr("sklearn.ensemble.RandomForestClassifier.fit", refuses)
    with pytest.raises(RunFailed, match="a first fit failed: max_samples is too large: correct"):
        within_memory(problem({"max_samples": [10**7]}))


@pytest.mark.parametrize(("limit", "expected"), [("5000000\n", 5_000_000), ("max\n", None)])
def test_memory_is_the_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, expected: int | None
) -> None:
    """Its limit where it has one, else what the machine has."""
    file = tmp_path / "memory.max"
    file.write_text(limit)
    monkeypatch.setattr(memory, "LIMITS", (tmp_path / "missing", file))

    assert 0 < resident_bytes() < 64 * GIB
    assert available_bytes() == expected if expected else available_bytes() > resident_bytes()
