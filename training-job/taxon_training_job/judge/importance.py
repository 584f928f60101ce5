"""Permutation importance of the features on held-out rows."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from taxon_bundle.classifier import Classifier
from taxon_contracts.scores import ScoreName, gain
from taxon_training_job.measure import Answers, measure

REPEATS = 5
MAX_ROWS = 2000


def permutation_importance(
    classifier: Classifier,
    rows: NDArray[np.float64],
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

    base = score(known.probabilities)
    falls = {}
    for index, feature in enumerate(classifier.manifest.features):
        values = []
        for _ in range(0 if feature.dropped else REPEATS):
            shuffled = rows.copy()
            shuffled[:, index] = generator.permutation(rows[:, index])
            values.append(gain(metric, base, score(classifier.probabilities(shuffled))))
        falls[feature.name] = float(np.mean(values)) if values else 0.0
    return falls
