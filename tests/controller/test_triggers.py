"""Which run is started, for every combination of what asks for one: small tables."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from support.stored import stored
from support.world import SETTINGS, START

from taxon_contracts import names
from taxon_contracts.status import Outcome, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.actions import Finding
from taxon_controller.domain.model import Model
from taxon_controller.observe.observed import Attempt, Newest, Observed
from taxon_controller.plan.scene import Scene
from taxon_controller.plan.triggers import Going, Wanted, wanted_run

SLOT = "schedule:2026-11-02T13:00:00Z"
AWAY = Newest(None, "the monitor does not answer (ConnectionRefusedError)")


@dataclass(frozen=True)
class Case:
    """A model that follows a data set, what has become of its runs, and what the monitor knows.

    ``ended``: the tokens of the runs that have ended, oldest first. ``running`` and ``failing``:
    of those with an attempt that runs, or that has failed and will be repeated. ``other``: ended
    runs of another spec. ``undone``: runs without a result, by token and reason.
    """

    newest: int | Newest | None
    ended: tuple[str, ...] = ()
    annotation: str = ""
    slot: bool = False
    running: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    undone: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """Return the model."""
        retrain = {"retrain": {"schedule": "0 13 * * *"}} if self.slot else {}
        annotations = {names.ANNOTATION_RETRAIN: self.annotation} if self.annotation else {}
        table = {"table": {"name": "wine"}, "target": "cultivar"}
        return stored(annotations=annotations, dataset=table, **retrain)

    @property
    def scene(self) -> Scene:
        """Return the scene: the slot has come since the runs."""
        newest = Newest(self.newest) if isinstance(self.newest, int) else self.newest
        return Scene(
            model=self.model,
            observed=Observed(dataset=newest),
            records=(),
            now=START + timedelta(hours=2),
            settings=SETTINGS.model_copy(update=self.settings),
        )

    @property
    def records(self) -> tuple[VersionRecord, ...]:
        """Return the records, newest first."""
        others = stored(dataset={"table": {"name": "wine"}, "target": "cultivar"}, seed=7)
        found = [
            *(record(self.model, token) for token in self.ended),
            *(record(others, token) for token in self.other),
            *(record(self.model, token, "Unknown" if reason == "Suspended" else "Failed", reason)
              for token, reason in self.undone.items()),
        ]  # fmt: skip
        return tuple(reversed(found))

    @property
    def going(self) -> Going:
        """Return the runs that have not ended."""
        tries = dict.fromkeys(self.running, False) | dict.fromkeys(self.failing, True)
        return {
            self.model.version(token): (attempt(self.model, token, finished=finished),)
            for token, finished in tries.items()
        }


def record(
    model: Model, token: str, outcome: Outcome = "Accepted", reason: str = "LimitsMet"
) -> VersionRecord:
    """Return the record of a run that began and ended before the slot."""
    return VersionRecord(
        version=model.version(token), trigger="Spec", token=token or None, outcome=outcome,
        reason=reason, message="as it is", start_time=clock.text(START),
        completion_time=clock.text(START),
    )  # fmt: skip


def attempt(model: Model, token: str, *, finished: bool) -> Attempt:
    """Return a run's first attempt."""
    return Attempt(
        version=model.version(token), number=1, trigger="Unknown", token=token, dataset=None,
        created=START, finished=START if finished else None, deleting=False, succeeded=False,
        lost=False, record=None, result=None, failure=None, trouble=None, body={},
    )  # fmt: skip


STARTED: dict[str, tuple[Case, tuple[str, str]]] = {
    "the first run": (Case(3), ("Spec", "dataset:3")),
    "the first run of an annotated model": (
        Case(3, annotation="x"), ("Spec", "retrain:x dataset:3"),
    ),
    "the first run when a slot has come": (Case(3, slot=True), ("Spec", "dataset:3")),
    "a newer version": (Case(4, ("dataset:3",)), ("NewDataset", "dataset:4")),
    "the newest of those that were missed": (Case(6, ("dataset:3",)), ("NewDataset", "dataset:6")),
    "a newer version after a scheduled run": (
        Case(4, ("dataset:3", f"{SLOT} dataset:3")), ("NewDataset", "dataset:4"),
    ),
    "a newer version under the same annotation": (
        Case(4, ("retrain:x dataset:3",), "x"), ("NewDataset", "retrain:x dataset:4"),
    ),
    "a newer version after the annotation went": (
        Case(4, ("retrain:x dataset:3",)), ("NewDataset", "dataset:4"),
    ),
    "another spec and a newer version at once": (
        Case(4, other=("dataset:3",)), ("Spec", "dataset:4"),
    ),
    "another spec, a newer version and an annotation at once": (
        Case(4, other=("dataset:3",), annotation="x"), ("Spec", "retrain:x dataset:4"),
    ),
    "a spec that comes back after another": (
        Case(3, ("dataset:3",), other=("dataset:3",)), ("Spec", "dataset:3"),
    ),
    "a new annotation": (Case(3, ("dataset:3",), "x"), ("Manual", "retrain:x dataset:3")),
    "another annotation": (
        Case(3, ("retrain:x dataset:3",), "y"), ("Manual", "retrain:y dataset:3"),
    ),
    "a new annotation and a newer version at once": (
        Case(4, ("dataset:3",), "x"), ("Manual", "retrain:x dataset:4"),
    ),
    "a new annotation, a slot and a newer version at once": (
        Case(4, ("dataset:3",), "x", slot=True), ("Manual", "retrain:x dataset:4"),
    ),
    "a new annotation when the newest version was deleted": (
        Case(2, ("dataset:3",), "x"), ("Manual", "retrain:x dataset:2"),
    ),
    "an annotation that looks like a data set": (
        Case(3, ("dataset:3",), "a dataset:9"), ("Manual", "retrain:a dataset:9 dataset:3"),
    ),
    "a slot with the same version": (
        Case(3, ("dataset:3",), slot=True), ("Schedule", f"{SLOT} dataset:3"),
    ),
    "a slot and a newer version at once": (
        Case(4, ("dataset:3",), slot=True), ("Schedule", f"{SLOT} dataset:4"),
    ),
    "a newer version whose run was suspended": (
        Case(4, ("dataset:3",), undone={"dataset:4": "Suspended"}), ("NewDataset", "dataset:4"),
    ),
    "a newer version whose run was superseded": (
        Case(4, ("dataset:3",), undone={"dataset:4": "Superseded"}), ("NewDataset", "dataset:4"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STARTED)
def test_this_starts_a_run(name: str) -> None:
    """With this trigger and this token, from which the version's id follows."""
    case, (trigger, token) = STARTED[name]

    assert wanted_run(case.scene, case.going, case.records) == Wanted(
        case.model.version(token), trigger, token  # type: ignore[arg-type]
    )  # fmt: skip


IDLE: dict[str, Case] = {
    "the newest version was trained on": Case(3, ("dataset:3",)),
    "the newest version was trained on under the annotation": Case(
        3, ("retrain:x dataset:3",), "x"
    ),
    "the annotation was carried out on an older version, a slot on the newest": Case(
        4, ("retrain:x dataset:3", f"{SLOT} dataset:4"), "x"
    ),
    "a run on the newest version failed": Case(
        4, ("dataset:3",), undone={"dataset:4": "TooFewRows"}
    ),
    "the newest version was deleted": Case(2, ("dataset:2", "dataset:3")),
    "the newest version was deleted, and the one before never used": Case(2, ("dataset:3",)),
    "the whole data set was deleted": Case(Newest(None), ("dataset:3",)),
    "the monitor was not asked yet": Case(None, ("dataset:3",)),
    "the monitor is away": Case(AWAY, ("dataset:3",)),
    "there is no monitor any more": Case(
        None, ("retrain:x dataset:3",), "x", settings={"monitor_url": None}
    ),
}


@pytest.mark.parametrize("name", IDLE)
def test_this_starts_nothing(name: str) -> None:
    """And nothing is waited for."""
    case = IDLE[name]

    assert wanted_run(case.scene, case.going, case.records) is None


KEPT: dict[str, tuple[Case, str]] = {
    "its attempt runs": (Case(4, running=("dataset:3",)), "dataset:3"),
    "its attempt is repeated": (Case(4, failing=("dataset:3",)), "dataset:3"),
    "its version was deleted": (Case(2, failing=("dataset:3",)), "dataset:3"),
    "the monitor is away": (Case(AWAY, failing=("dataset:3",)), "dataset:3"),
    "the monitor was not asked yet": (Case(None, failing=("dataset:3",)), "dataset:3"),
    "there is no monitor any more": (
        Case(None, failing=("dataset:3",), settings={"monitor_url": None}), "dataset:3",
    ),
    "it carries the annotation out": (
        Case(4, failing=("retrain:x dataset:3",), annotation="x"), "retrain:x dataset:3",
    ),
    "it runs when an annotation comes": (
        Case(3, running=("dataset:3",), annotation="x"), "dataset:3",
    ),
    "an annotation comes and the monitor is away": (
        Case(AWAY, failing=("dataset:3",), annotation="x"), "dataset:3",
    ),
    "a slot comes": (Case(4, failing=("dataset:3",), slot=True), "dataset:3"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_a_run_keeps_its_version_of_the_data_set(name: str) -> None:
    """Over all its attempts, whatever becomes the newest meanwhile."""
    case, token = KEPT[name]

    assert wanted_run(case.scene, case.going, case.records) == Wanted(
        case.model.version(token), "Unknown", token
    )


def test_an_annotation_replaces_a_run_that_waits_for_its_next_attempt() -> None:
    """As with a table in object storage."""
    case = Case(4, ("dataset:2",), failing=("dataset:3",), annotation="x")

    assert wanted_run(case.scene, case.going, case.records) == Wanted(
        case.model.version("retrain:x dataset:4"), "Manual", "retrain:x dataset:4"
    )


UNKNOWN: dict[str, tuple[Case, str]] = {
    "the first run, not asked yet": (Case(None), "DatasetVersionUnknown"),
    "the first run, the monitor is away": (Case(AWAY), "DatasetVersionUnknown"),
    "another spec": (Case(AWAY, other=("dataset:3",)), "DatasetVersionUnknown"),
    "an annotation": (Case(AWAY, ("dataset:3",), "x"), "DatasetVersionUnknown"),
    "a slot": (Case(AWAY, ("dataset:3",), slot=True), "DatasetVersionUnknown"),
    "there is no data set": (Case(Newest(None)), "DatasetNotFound"),
    "there is no data set any more, and an annotation": (
        Case(Newest(None), ("dataset:3",), "x"), "DatasetNotFound",
    ),
    "there is no monitor": (Case(None, settings={"monitor_url": None}), "MonitorMissing"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_run_that_cannot_be_named_yet_is_a_finding(name: str) -> None:
    """Nothing is started for a version that nobody knows."""
    case, reason = UNKNOWN[name]
    found = wanted_run(case.scene, case.going, case.records)

    assert isinstance(found, Finding)
    assert found.reason == reason
