"""Do held-out figures mean what they say? Compare them with repeated stratified splits.

`python -m hack.split_figures [TABLES]` generates tables: few different rows, different rows only,
and rows of which many are equal. For each it splits as the trainer does, fits, and computes the
metrics with their intervals; then it fits on many random stratified splits of the same table, whose
mean is the figure that a single split estimates. docs/decisions/repeats-on-both-sides.md has the
outcome.
"""

import sys
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from threadpoolctl import threadpool_limits

from taxon_contracts.run import MetricValue
from taxon_contracts.scores import SCORE_NAMES, ScoreName
from taxon_training_job.data.columns import Column
from taxon_training_job.data.examples import Examples
from taxon_training_job.data.split import split
from taxon_training_job.judge.evaluation import evaluate
from taxon_training_job.judge.repeats import repeats
from taxon_training_job.measure import Answers, measure

FRACTION = 0.2
LEAST_ROWS = 10
"""Rows of each class, so that every split has some of it on both sides."""
SHOWN = 5e-5
"""Figures are shown with four decimals: what differs less is the same."""
Kind = Literal["few", "different", "mixed"]
KINDS: tuple[Kind, ...] = ("few", "different", "mixed", "few")


@dataclass(frozen=True)
class Outcome:
    """One table: its held-out share, the trainer's figures, and the mean of repeated splits."""

    kind: Kind
    share: float
    figures: tuple[MetricValue, ...]
    means: dict[ScoreName, float]

    def covered(self, name: ScoreName) -> bool:
        """Return whether a metric's interval holds the mean of repeated splits."""
        (figure,) = (one for one in self.figures if one.name == name)
        return figure.low - SHOWN <= self.means[name] <= figure.high + SHOWN

    def error(self, name: ScoreName) -> float:
        """Return how far a metric is from the mean of repeated splits."""
        (figure,) = (one for one in self.figures if one.name == name)
        return figure.value - self.means[name]

    @property
    def has_its_share(self) -> bool:
        """Return whether the held-out share is within a fifth of the fraction."""
        return abs(self.share - FRACTION) <= FRACTION / 5


def generated(kind: Kind, seed: int, *, most_rows: int = 5000) -> Examples:
    """Return a table of 200 rows or more, 2 to 4 classes, even or very uneven."""
    generator = np.random.default_rng(seed)
    rows = int(np.exp(generator.uniform(np.log(200), np.log(most_rows))))
    classes = int(generator.integers(2, 5))
    prior = generator.dirichlet(np.full(classes, generator.choice([1.0, 3.0, 20.0])))
    prior = np.maximum(prior, 0.03) / np.maximum(prior, 0.03).sum()
    values, target = (_few if kind == "few" else _different)(generator, rows, prior)
    if kind == "mixed":
        values[generator.random(rows) < generator.uniform(0.1, 0.6)] = 0.0
    if len(np.unique(values, axis=0)) == 1 or min(np.bincount(target, None, classes)) < LEAST_ROWS:
        return generated(kind, seed + 1_000_000, most_rows=most_rows)
    columns = tuple(Column(f"f{i}", "Numeric", column) for i, column in enumerate(values.T))
    kept = tuple(range(values.shape[1]))
    return Examples(columns, tuple(range(classes)), target, kept, ())


def _few(
    generator: np.random.Generator, rows: int, prior: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Draw 2 to 50 different rows, some more frequent, each with classes of its own."""
    different = int(generator.integers(2, 51))
    frequency = generator.dirichlet(np.full(different, generator.choice([0.5, 2.0, 20.0])))
    chosen = generator.choice(different, rows, p=frequency)
    firmness = len(prior) * generator.choice([0.5, 2.0, 10.0])
    chances = generator.dirichlet(prior * firmness, different)
    places = np.stack(np.divmod(np.arange(different), int(np.ceil(np.sqrt(different)))), axis=1)
    below = generator.random((rows, 1)) > np.cumsum(chances[chosen], axis=1)
    return places[chosen].astype(np.float64), below.sum(axis=1).clip(0, len(prior) - 1)


def _different(
    generator: np.random.Generator, rows: int, prior: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Draw rows of which no two are equal, their classes more or less apart."""
    target = generator.choice(len(prior), rows, p=prior)
    apart = 1.5 * generator.choice([0.5, 1.0, 2.0])
    return generator.normal(size=(rows, 3)) + apart * np.eye(len(prior), 3)[target], target


def outcome(kind: Kind, seed: int, *, repetitions: int, trees: int, most_rows: int) -> Outcome:
    """Compare the trainer's split of a generated table with repeated stratified splits."""
    table = generated(kind, seed, most_rows=most_rows)
    model = (
        RandomForestClassifier(trees, random_state=0, n_jobs=1)
        if seed % 2
        else LogisticRegression(max_iter=300)
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sides = split(
            table.contents,
            table.target,
            table.classes,
            table.features,
            fraction=FRACTION,
            folds=1,
            seed=42,
        )
        answers = _answers(model, table, sides.train, sides.test)
        figures = evaluate(answers, seed=42, repeats=repeats(table, sides, _labels))
        shuffles = StratifiedShuffleSplit(repetitions, test_size=FRACTION, random_state=1)
        others = [
            _answers(model, table, train, test)
            for train, test in shuffles.split(table.contents, table.target)
        ]
    means = {name: float(np.mean([_figure(name, one) for one in others])) for name in SCORE_NAMES}
    return Outcome(kind, len(sides.test) / len(table.contents), figures, means)


def _answers(
    model: Any, table: Examples, train: NDArray[np.intp], test: NDArray[np.intp]
) -> Answers:
    model.fit(table.contents[train], table.target[train])
    probabilities = model.predict_proba(table.contents[test])
    positive = 1 if len(table.classes) == 2 else None  # noqa: PLR2004 - two is what binary means
    return Answers(table.target[test], _labels(probabilities), probabilities, positive)


def _labels(probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
    best: NDArray[np.intp] = probabilities.argmax(axis=1)
    return best


def _figure(name: ScoreName, answers: Answers) -> float:
    return float(measure(name, answers, np.ones((1, len(answers.target))))[0])


def _outcome(seed: int) -> Outcome:
    return outcome(KINDS[seed % len(KINDS)], seed, repetitions=30, trees=25, most_rows=5000)


def report(outcomes: Iterable[Outcome]) -> list[str]:
    """Return a line per metric and kind of table."""
    known = list(outcomes)
    lines = []
    for kind in ("few", "different", "mixed"):
        these = [one for one in known if one.kind == kind]
        shares = [one.share for one in these]
        share = f"{min(shares):.3f} to {max(shares):.3f}"
        inside = f"{sum(one.has_its_share for one in these)} of {len(these)}"
        lines.append(f"{kind}: {len(these)} tables; held out {share}, within a fifth: {inside}")
    lines.append(f"{'covered':<18} {'few':>6} {'differ':>6} {'mixed':>6} {'all':>6} {'bias':>8}")
    for name in SCORE_NAMES:
        shares = [
            float(np.mean([one.covered(name) for one in known if one.kind in kinds]))
            for kinds in (("few",), ("different",), ("mixed",), KINDS)
        ]
        bias = np.mean([one.error(name) for one in known])
        lines.append(f"{name:<18} " + " ".join(f"{s:6.3f}" for s in shares) + f" {bias:+8.4f}")
    return lines


def main() -> None:
    """Run the experiment and print its outcome."""
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 240
    with ProcessPoolExecutor() as pool:
        print("\n".join(report(pool.map(_outcome, range(tables)))))


if __name__ == "__main__":
    main()
