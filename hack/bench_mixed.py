"""Measure tables of numbers and categories with gaps: one row, and a training of many rows."""

import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hack.measured import Trained, figure, measured, microseconds, trained
from hack.mixed_reference import FOLDS, GRID
from taxon_bundle.classifier import Classifier
from taxon_bundle.codec import Value
from taxon_contracts.manifest import GOLDEN_NAME

ROWS = 100_000
FEW_ROWS = 5_000
ROUNDS = 30
NUMBERS = 10
CATEGORIES = 10
LEVELS = 8
GAPS = 0.1
TELLING = 4
"""Columns of each kind that tell something of the label."""
MEBIBYTE = 2**20
FOREST = {"n_estimators": [100], "max_depth": [10]}


def main() -> None:
    """Print the figures of such tables only."""
    with tempfile.TemporaryDirectory(prefix="taxon-bench-") as folder:
        print_row(Path(folder))
        print_training(Path(folder))


def table(rows: int, *, categories: int = CATEGORIES, gaps: float = GAPS) -> pd.DataFrame:
    """Return numbers and categories, some of which tell something of the label."""
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, rows)
    columns: dict[str, Any] = {}
    for place in range(NUMBERS):
        values = np.round(generator.normal(size=rows) * 10 + 4 * label * (place < TELLING), 4)
        columns[f"n{place}"] = np.where(generator.random(rows) < gaps, np.nan, values)
    texts = np.array([f"level {level}" for level in range(LEVELS)], dtype=object)
    for place in range(categories):
        levels = (generator.integers(0, LEVELS, rows) + label * (place < TELLING)) % LEVELS
        columns[f"c{place}"] = np.where(generator.random(rows) < gaps, None, texts[levels])
    return pd.DataFrame(columns | {"label": np.array(["no", "yes"])[label]})


def identity(grid: dict[str, list[int]], strategy: str) -> dict[str, Any]:
    """Return what to fit such a table with."""
    parameters = [{"name": name, "values": [*map(str, values)]} for name, values in grid.items()]
    return {
        "dataset": {"uri": "s3://bench/mixed.csv", "target": "label"},
        "pipeline": {"classifier": {"parameters": parameters}},
        "search": {"strategy": strategy, "folds": FOLDS},
    }


def print_row(folder: Path) -> None:
    """Print the time of one row, as a client writes it, of a numeric table and of a mixed one.

    Both are measured in turn: a processor's speed changes within seconds.
    """
    frames = {
        f"{NUMBERS} numbers": table(FEW_ROWS, categories=0, gaps=0.0),
        f"{NUMBERS} numbers, {CATEGORIES} categories": table(FEW_ROWS),
    }
    calls = [_one_row(folder / f"row{place}", one) for place, one in enumerate(frames.values())]
    times = np.array([[microseconds(call, 100) for call in calls] for _ in range(ROUNDS)])
    ratios = np.median(times / times[:, :1], axis=0)
    for what, own, ratio in zip(frames, np.median(times, axis=0), ratios, strict=True):
        line = figure(f"mixed       one row of {what}, in process", own, "us")
        print(f"{line}   {ratio:.2f} times the numeric one")


def _one_row(folder: Path, frame: pd.DataFrame) -> Callable[[], None]:
    path = folder.with_suffix(".csv")
    frame.to_csv(path, index=False)
    bundle = trained(folder, path, identity(FOREST, "None")).bundle
    rows: list[list[Value]] = json.loads(bundle.read(GOLDEN_NAME))["rows"]
    return partial(_answer, Classifier.load(bundle), rows[:1])


def _answer(classifier: Classifier, rows: list[list[Value]]) -> None:
    classifier.probabilities(classifier.codec.encode_rows(rows).rows)


def print_training(folder: Path) -> None:
    """Print the time of a training and its memory, beside scikit-learn's own pipeline."""
    path = folder / "mixed.csv"
    table(ROWS).to_csv(path, index=False)
    fitted = trained(folder / "fit", path, identity(FOREST, "None"))
    _print_ratio("no search", fitted, path, "fit")
    _print_memory(fitted, path)
    searched = trained(folder / "search", path, identity(GRID, "Grid"))
    _print_ratio(f"4 combinations x {FOLDS} folds", searched, path, "search")
    print()


def _print_ratio(what: str, ours: Trained, path: Path, mode: str) -> None:
    theirs, _ = measured([sys.executable, "-m", "hack.mixed_reference", str(path), mode])
    line = figure(f"mixed       training {ROWS:,} rows, {what}", ours.seconds, "s")
    print(f"{line}   scikit-learn {theirs:9.2f} s, {ours.seconds / theirs:.2f} times as long")


def _print_memory(ours: Trained, path: Path) -> None:
    """Print the peak over what the trainer's imports take, and how large the table is."""
    idle = "import taxon_training_job.run, time; time.sleep(0.5)"
    _, resting = measured([sys.executable, "-c", idle])
    peak = ours.peak_mb - resting
    frame = pd.read_csv(path).memory_usage(deep=True).sum() / MEBIBYTE
    matrix = 8 * ROWS * (NUMBERS + CATEGORIES * (LEVELS + 1)) / MEBIBYTE
    line = figure(f"mixed       peak memory of it over idle ({resting:.0f} MB)", peak, "MB")
    print(
        f"{line}   {peak / matrix:.1f} times the table as numbers for scikit-learn"
        f" ({matrix:.0f} MB), {peak / frame:.1f} times the pandas frame ({frame:.0f} MB)"
    )


if __name__ == "__main__":
    main()
