"""A candidate against the live version, on held-out rows neither has been fitted on."""

import json

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taxon_bundle.bundle import Bundle, BundleError, open_bundle
from taxon_bundle.classifier import BadRow, Classifier
from taxon_contracts.gate import ChampionComparison
from taxon_contracts.manifest import METRICS_NAME
from taxon_contracts.run import Champion
from taxon_contracts.scores import ScoreName, gain
from taxon_training_job.data.examples import numeric_rows
from taxon_training_job.data.split import row_draws
from taxon_training_job.failure import RunFailed
from taxon_training_job.judge.evaluation import interval, resamples
from taxon_training_job.measure import Answers, measure

FEWEST_ROWS = 20
"""Unseen rows a comparison needs where the live version has seen others of today's."""


class NotComparable(Exception):  # noqa: N818 - a finding, not a fault
    """The champion cannot answer for today's rows; the message says why."""


def compare(
    candidate: Answers,
    champion: Champion,
    frame: pd.DataFrame,
    classes: tuple[str, ...] | tuple[int, ...],
    *,
    metric: ScoreName,
    seed: int,
) -> tuple[ChampionComparison, int]:
    """Judge both on the held-out rows under the same resamples (a paired bootstrap).

    A version of another seed, test fraction or features was fitted on some of today's held-out
    rows; those are left out.

    Args:
        candidate: the candidate's answers on the held-out rows.
        champion: where the live version's bundle is.
        frame: the held-out rows of the table, since the champion may read other columns.
        classes: today's classes.
        metric: what they are compared by.
        seed: of the resamples.

    Returns:
        The comparison, and on how many rows it was made.

    Raises:
        NotComparable: the champion's bundle, columns or classes do not fit today's table.
        StorageError: storage did not answer.
    """
    live, unseen = _answers(champion, frame, classes, candidate)
    if not unseen.all():
        present = np.unique(candidate.target[unseen])
        if unseen.sum() < FEWEST_ROWS or len(present) < len(classes):
            raise NotComparable(
                f"live {champion.version} was fitted on {int((~unseen).sum())} of the"
                f" {len(unseen)} held-out rows"
            )
        candidate, live = candidate.only(unseen), live.only(unseen)
    rows = len(candidate.target)
    once = np.ones((1, rows))
    own, other = (float(measure(metric, answers, once)[0]) for answers in (candidate, live))
    gains = [
        gain(metric, float(ours), float(theirs))
        for weights in resamples(rows, seed)
        for ours, theirs in zip(
            measure(metric, candidate, weights), measure(metric, live, weights), strict=True
        )
    ]
    low, high = interval(np.array(gains))
    comparison = ChampionComparison(
        version=champion.version,
        metric=metric,
        candidate=own,
        champion=other,
        gain=gain(metric, own, other),
        low=low,
        high=high,
    )
    return comparison, rows


def _answers(
    champion: Champion,
    frame: pd.DataFrame,
    classes: tuple[str, ...] | tuple[int, ...],
    candidate: Answers,
) -> tuple[Answers, NDArray[np.bool_]]:
    """Return the champion's answers, and which of the rows it was not fitted on."""
    try:
        bundle = open_bundle(champion.bundle_uri, champion.manifest_digest)
        classifier = Classifier.load(bundle)
        if classifier.classes != classes:
            raise NotComparable(f"live {champion.version} tells other classes apart")
        rows = numeric_rows(frame, classifier.features)
        probabilities = classifier.probabilities(rows)
        unseen = _unseen(bundle, classifier, rows, candidate.target)
    except BundleError as error:
        raise NotComparable(f"live {champion.version} cannot be read ({error})") from error
    except (RunFailed, BadRow) as error:
        raise NotComparable(
            f"live {champion.version} cannot answer for today's table ({error})"
        ) from error
    labels = classifier.labels(probabilities)
    return Answers(candidate.target, labels, probabilities, candidate.positive), unseen


def _unseen(
    bundle: Bundle, classifier: Classifier, rows: NDArray[np.float64], target: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Tell which rows the champion's own split holds out, by what its bundle says of it."""
    split = json.loads(bundle.read(METRICS_NAME))["split"]
    below = np.array(split["below"])
    unseen: NDArray[np.bool_] = row_draws(rows, classifier.features, split["seed"]) < below[target]
    return unseen
