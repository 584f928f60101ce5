"""Every metric is scikit-learn's own, under every weighting of the rows."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from taxon_contracts.scores import SCORE_NAMES, ScoreName
from taxon_training_job.judge.evaluation import confusion_matrix, evaluate, interval, resamples
from taxon_training_job.measure import Answers, measure


def answers(classes: int, rows: int = 300, *, seed: int = 0, ties: bool = False) -> Answers:
    """Return plausible answers, wrong in part; with ties, many probabilities are equal."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, classes, rows)
    logits = generator.normal(size=(rows, classes)) + 1.2 * np.eye(classes)[target]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        probabilities = np.round(probabilities[:, :1] * 4) / 4
        probabilities = np.concatenate([probabilities, 1 - probabilities], axis=1)
    labels = probabilities.argmax(axis=1)
    return Answers(target, labels, probabilities, 1 if classes == 2 else None)


def naive_calibration_error(given: Answers) -> float:
    """Return Naeini's expected calibration error, bin by bin."""
    confidence = given.probabilities[np.arange(len(given.labels)), given.labels]
    correct = given.labels == given.target
    error = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence >= low) & (confidence < low + 0.1)
        if low == 0.9:
            inside |= confidence == 1
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return error


def reference(name: ScoreName, given: Answers, weights: NDArray[np.float64] | None) -> float:
    """Return scikit-learn's figure."""
    binary = given.positive is not None
    target, labels, probabilities = given.target, given.labels, given.probabilities
    kind = {"average": "binary" if binary else "macro", "zero_division": 0.0}
    match name:
        case "accuracy":
            value = metrics.accuracy_score(target, labels, sample_weight=weights)
        case "balanced_accuracy":
            value = metrics.balanced_accuracy_score(target, labels, sample_weight=weights)
        case "precision":
            value = metrics.precision_score(target, labels, sample_weight=weights, **kind)
        case "recall":
            value = metrics.recall_score(target, labels, sample_weight=weights, **kind)
        case "f1":
            value = metrics.f1_score(target, labels, sample_weight=weights, **kind)
        case "log_loss":
            value = metrics.log_loss(target, probabilities, sample_weight=weights)
        case "brier":
            scores = probabilities[:, 1] if binary else probabilities
            value = metrics.brier_score_loss(target, scores, sample_weight=weights)
        case "roc_auc":
            scores = probabilities[:, 1] if binary else probabilities
            value = metrics.roc_auc_score(
                target, scores, multi_class="ovr", average="macro", sample_weight=weights
            )
        case _:
            value = naive_calibration_error(given)
    return float(value)


CASES = {
    "binary": answers(2),
    "binary with ties": answers(2, ties=True),
    "three classes": answers(3),
    "seven classes": answers(7, 500),
}


@pytest.mark.parametrize("name", SCORE_NAMES)
@pytest.mark.parametrize("case", CASES)
def test_a_metric_is_scikit_learns(case: str, name: ScoreName) -> None:
    """To the rounding of a sum."""
    given = CASES[case]
    value = measure(name, given, np.ones((1, len(given.target))))[0]

    assert value == pytest.approx(reference(name, given, None), abs=1e-12)


@pytest.mark.parametrize("name", [name for name in SCORE_NAMES if name != "ece"])
@pytest.mark.parametrize("case", ["binary", "three classes"])
def test_a_weighted_metric_is_scikit_learns(case: str, name: ScoreName) -> None:
    """Counts of a resample weigh rows as scikit-learn's sample_weight does."""
    given = CASES[case]
    weights = next(resamples(len(given.target), seed=7))[:3]

    expected = [reference(name, given, row) for row in weights]
    assert measure(name, given, weights) == pytest.approx(expected, abs=1e-12)


def test_a_weighted_calibration_error_is_that_of_the_repeated_rows() -> None:
    """Repeating a row or weighing it is the same."""
    given = CASES["binary"]
    weights = next(resamples(len(given.target), seed=7))[:1]
    repeated = given.only(np.repeat(np.arange(len(given.target)), weights[0].astype(int)))

    expected = naive_calibration_error(repeated)
    assert measure("ece", given, weights)[0] == pytest.approx(expected, abs=1e-12)


def test_precision_is_that_of_the_positive_class() -> None:
    """Naming the first class turns the figures round."""
    given = Answers(*vars(CASES["binary"]).values())
    first = Answers(given.target, given.labels, given.probabilities, 0)

    value = measure("precision", first, np.ones((1, 300)))[0]
    expected = metrics.precision_score(given.target, given.labels, pos_label=0)
    assert value == pytest.approx(expected, abs=1e-12)


def test_the_confusion_matrix_is_scikit_learns() -> None:
    """Rows are what is, columns what was answered; classes never answered are there too."""
    given = CASES["three classes"]
    expected = metrics.confusion_matrix(given.target, given.labels, labels=[0, 1, 2])

    assert confusion_matrix(given) == expected.tolist()


@pytest.mark.parametrize("case", CASES)
def test_an_interval_holds_its_value(case: str) -> None:
    """And has some width, within the metric's range."""
    for metric in evaluate(CASES[case], seed=3):
        if metric.name != "ece":  # noise only adds to it, so its interval sits higher
            assert metric.low <= metric.value <= metric.high
        assert 0 < metric.high - metric.low < 1.1


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 100 samples of a classifier that is right 80 % of the time, about 95 cover 0.8."""
    covered = 0
    for seed in range(100):
        right = np.random.default_rng(seed).random(80) < 0.8
        weights = next(resamples(80, seed))
        low, high = interval(weights @ right / 80)
        covered += low <= 0.8 <= high
    assert covered >= 86


def test_more_rows_narrow_an_interval() -> None:
    """By about the square root of their number."""
    few, many = (evaluate(answers(2, rows), seed=0)[0] for rows in (100, 1600))

    assert 2.5 < (few.high - few.low) / (many.high - many.low) < 6


def test_resamples_repeat() -> None:
    """The same seed draws the same rows."""
    first, again = resamples(50, 1), resamples(50, 1)

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_large_tables_get_fewer_resamples_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never fewer than 200, and never more at once than fits in memory."""
    monkeypatch.setattr("taxon_training_job.judge.evaluation.CELLS", 20_000)
    monkeypatch.setattr("taxon_training_job.judge.evaluation.CHUNK", 2_000)

    assert [len(chunk) for chunk in resamples(200, 1)] == [10] * 20
    assert sum(len(chunk) for chunk in resamples(50, 1)) == 400


def test_an_undefined_metric_has_no_interval_of_its_own() -> None:
    """No resample can define what one class leaves undefined."""
    low, high = interval(np.array([np.nan, np.nan]))

    assert np.isnan(low)
    assert np.isnan(high)
