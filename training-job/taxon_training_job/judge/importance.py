"""Permutation importance of the features on held-out rows."""

from dataclasses import replace

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray

from taxon_bundle.classifier import Classifier
from taxon_bundle.codec import Rows
from taxon_contracts.scores import ScoreName, gain
from taxon_training_job.measure import Answers, measure

REPEATS = 5
MAX_ROWS = 2000


def permutation_importance(
    classifier: Classifier,
    rows: Rows,
    answers: Answers,
    *,
    metric: ScoreName,
    seed: int,
) -> dict[str, float]:
    """Return how much the metric worsens, on average, when a feature's values are shuffled.

    Source: Breiman 2001. Dropped features are 0 by construction. At most ``MAX_ROWS`` rows, chosen
    by the seed, keep the cost of wide tables bounded.

    Args:
        classifier: the serving classifier.
        rows: held-out rows, shape [n, features].
        answers: what it answered on them.
        metric: what worsens.
        seed: of the shuffles.
    """
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(len(rows))[:MAX_ROWS]
    rows, known = rows[chosen], answers.only(chosen)
    once = np.ones((1, len(rows)))

    def score(probabilities: NDArray[np.float64]) -> float:
        labels = classifier.labels(probabilities)
        now = replace(known, labels=labels, probabilities=probabilities)
        return float(measure(metric, now, once)[0])

    def fall(shuffled: Rows) -> float:
        return gain(metric, base, score(classifier.probabilities(shuffled)))

    base = score(known.probabilities)
    features = classifier.manifest.features
    kept = [place for place, feature in enumerate(features) if not feature.dropped]
    shuffles = (_shuffled(rows, place, generator) for place in kept for _ in range(REPEATS))
    falls = Parallel(cpu_count(), backend="threading", pre_dispatch="n_jobs", batch_size=1)(
        delayed(fall)(shuffled) for shuffled in shuffles
    )
    means = np.zeros(len(features))
    means[kept] = np.reshape(falls, (len(kept), REPEATS)).mean(axis=1)
    return dict(zip((feature.name for feature in features), means.tolist(), strict=True))


def _shuffled(rows: Rows, place: int, generator: np.random.Generator) -> Rows:
    shuffled = rows.copy()
    shuffled[:, place] = generator.permutation(rows[:, place])
    return shuffled
