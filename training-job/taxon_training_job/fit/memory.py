"""Whether the classifiers of a search fit into memory, checked before hours of fits."""

import os
import warnings
from dataclasses import replace
from pathlib import Path

import joblib
from sklearn.base import clone

from taxon_training_job.classifiers.family import Footprint
from taxon_training_job.classifiers.registry import family_of
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.pipeline import fit_failed, preprocessor
from taxon_training_job.fit.search import Problem

LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
CELL_BYTES = 12
"""A value of the classifier's rows: a double, and the float that trees copy it to."""
COPIES = 3
"""How many times its own size a fitted classifier needs: to be built, proven and written."""
GRAPH_LIMIT = 2**31
"""Bytes of the largest ONNX graph there can be."""
GIB = 2**30


def within_memory(problem: Problem) -> Problem:
    """Return the problem with no more processes than memory has room for.

    Raises:
        RunFailed: not even one process has room for the rows and the largest classifier of the
            grid.
    """
    available, resident = available_bytes(), resident_bytes()
    count, columns = len(problem.rows), _columns(problem)
    table = CELL_BYTES * count * columns
    wider = columns > problem.rows.shape[1]
    _check_room(
        resident + table,
        available,
        f"{count} rows of {columns} columns, encoded and multiplied, need",
        "lower polynomialDegree or encoder.maxCategories" if wider else "list fewer features",
    )
    footprint = largest_footprint(problem, available - resident - table)
    needed = resident + table + COPIES * footprint.fitted
    _check_room(needed, available, f"{footprint.what} needs", footprint.remedy)
    if footprint.graph > GRAPH_LIMIT:
        raise RunFailed(
            "ModelTooLarge",
            f"{footprint.what} makes a serving file of about {footprint.graph / GIB:.1f} GiB, more"
            f" than the {GRAPH_LIMIT // GIB} a server can load: {footprint.remedy}",
        )
    room = (available - resident) // (resident + table + footprint.fitted)
    return replace(problem, processes=max(1, min(joblib.cpu_count(), room)))


def _check_room(needed: int, available: int, what: str, remedy: str) -> None:
    if needed > available:
        raise RunFailed(
            "ModelTooLarge",
            f"{what} about {needed / GIB:.1f} GiB of memory, the trainer has"
            f" {available / GIB:.1f}: raise training.resources.limits.memory to"
            f" {-(-needed // GIB) + 1}Gi, or {remedy}",
        )


def _columns(problem: Problem) -> int:
    """Return how many columns the classifier is fitted on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one row has gaps that more rows have not
        first = clone(preprocessor(problem.pipeline)).fit_transform(problem.rows[:1])
    columns: int = first.shape[1]
    return columns


def largest_footprint(problem: Problem, room: int) -> Footprint:
    """Return what the largest classifier of a grid takes; a bound where that has room enough."""
    classifier = clone(problem.pipeline[-1])
    family = family_of(classifier)
    classifier.set_params(**family.largest(problem.grid))
    bound = family.bound(classifier, problem.rows, problem.labels)
    if COPIES * bound.fitted <= room and bound.graph <= GRAPH_LIMIT:
        return bound
    values = clone(preprocessor(problem.pipeline)).fit_transform(problem.rows)
    try:
        return family.footprint(classifier, values, problem.labels)
    except ValueError as error:
        raise fit_failed("a first fit", error) from error


def available_bytes() -> int:
    """Return how much memory this process may use: its container's limit, or the machine's."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in LIMITS:
        try:
            found.append(int(file.read_text()))
        except (OSError, ValueError):  # another kind of container, or "max"
            continue
    return min(found)


def resident_bytes() -> int:
    """Return how much memory this process uses now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
