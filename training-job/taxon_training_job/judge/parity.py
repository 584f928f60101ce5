"""The proof that a serving graph answers as scikit-learn does, before a bundle is sealed."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from taxon_bundle.bundle import BundleError
from taxon_bundle.classifier import Classifier, check_golden
from taxon_training_job.classifiers.registry import family_of
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.encoding import encoding_of
from taxon_training_job.fit.pipeline import fits_float32, preprocessor
from taxon_training_job.fit.training import Training
from taxon_training_job.judge.beside import ROWS_PER_SPLIT, Beside
from taxon_training_job.judge.odd import odd_rows

SINGLE_ROWS = 16
CELLS = 250_000
"""Values of preprocessed rows that are compared at a time, on each core."""
VISITS = 100_000_000
"""Rows times trees at most, about half a minute; beyond, a sample of the splits is proven."""
MOST_ROWS = 5000
"""Fitted rows among which rows that reach each split are looked for."""


class ParityError(Exception):
    """The serving graph and scikit-learn disagree."""


def prove(
    classifier: Classifier, training: Training, rows: NDArray[np.float64], golden: bytes
) -> float:
    """Return the largest difference between the serving classifier and the fitted pipeline.

    Args:
        classifier: the serving file as a server loads it.
        training: the pipeline it was made of.
        rows: the golden rows, shape [n, all features].
        golden: scikit-learn's answers to them, as the bundle holds them.

    Raises:
        RunFailed: an answer differs by more than the family tolerates.
    """
    examples = training.examples
    try:
        worst = check_parity(
            training.pipeline,
            classifier,
            rows,
            fitted=training.encoded[training.split.train],
            kept=examples.kept,
        )
        check_golden(classifier, golden)
    except (ParityError, BundleError) as error:
        raise RunFailed("ParityFailed", str(error)) from error
    return worst


def check_parity(
    pipeline: Pipeline,
    classifier: Classifier,
    rows: NDArray[np.float64],
    *,
    fitted: NDArray[np.float64],
    kept: Sequence[int],
) -> float:
    """Compare both on ``rows``, at once and one by one, on odd values, and beside every threshold.

    Args:
        pipeline: the fitted pipeline, over the kept features.
        classifier: its serving graph, over all features.
        rows: sample input, shape [rows, all features].
        fitted: the rows the pipeline was fitted on, shape [n, all features].
        kept: positions of the features the pipeline was fitted on.

    Returns:
        The largest difference of a probability.

    Raises:
        ParityError: a probability differs by more than its family tolerates.
    """
    allowed = family_of(pipeline.steps[-1][1]).tolerance
    odd = odd_rows(classifier.codec, rows)
    if len(odd):
        odd = odd[fits_float32(preprocessor(pipeline), odd[:, list(kept)])]
    singles = np.concatenate([rows[:SINGLE_ROWS], odd[:SINGLE_ROWS]])
    whole = [batch for batch in (rows, *_chunks(odd, pipeline)) if len(batch)]
    near = threshold_rows(pipeline, fitted, kept=kept)
    batches = chain(whole, singles[:, None, :], near)
    with ThreadPoolExecutor(1) as other:
        return max(
            _difference(
                pipeline, batch, other.submit(classifier.probabilities, batch), kept, allowed
            )
            for batch in batches
        )


def _chunks(rows: NDArray[np.float64], pipeline: Pipeline) -> list[NDArray[np.float64]]:
    return np.array_split(rows, 1 + len(rows) * pipeline[-1].n_features_in_ // CELLS)


def _difference(
    pipeline: Pipeline,
    rows: NDArray[np.float64],
    served: Future[NDArray[np.float64]],
    kept: Sequence[int],
    allowed: float,
) -> float:
    """Return how far the answers that a second core is at are from scikit-learn's."""
    expected = pipeline.predict_proba(rows[:, list(kept)])
    worst = float(np.abs(served.result() - expected).max())
    if not worst <= allowed:
        raise ParityError(
            f"the serving graph differs from scikit-learn by {worst:.3g}: report this with the run"
            " request"
        )
    return worst


def threshold_rows(
    pipeline: Pipeline, rows: NDArray[np.float64], *, kept: Sequence[int]
) -> Iterator[NDArray[np.float64]]:
    """Yield batches of rows whose preprocessed values lie on and just beside the splits.

    Each takes one of ``rows`` that reaches the split and changes one input so that the split's
    column meets its threshold: as exactly as rounding allows, and one step of float64 and of
    float32 beside. A column of a category or a gap is switched on and off instead. Rows that would
    overflow are left out; the classifier refuses such. Each batch has shape [at least 1, all
    features]. Beyond ``VISITS`` it is a seeded sample of the splits.
    """
    classifier, fitted = pipeline.steps[-1][1], preprocessor(pipeline)
    rows = rows[:: 1 + len(rows) // MOST_ROWS]
    values = fitted.transform(rows[:, list(kept)])
    found = family_of(classifier).splits(classifier, values)
    splits, most = found.points, VISITS // (ROWS_PER_SPLIT * found.visits)
    if not len(splits):
        return
    if len(splits) > most:
        splits = np.random.default_rng(0).choice(splits, most, replace=False)
    beside = Beside(encoding_of(fitted, len(kept)), np.array(kept, np.intp))
    cells = ROWS_PER_SPLIT * len(splits) * max(values.shape[1], len(classifier.classes_))
    for chunk in np.array_split(splits, 1 + cells // CELLS):
        near = beside.rows(chunk, rows)
        if len(near):
            near = near[fits_float32(fitted, near[:, list(kept)])]
        if len(near):
            yield near
