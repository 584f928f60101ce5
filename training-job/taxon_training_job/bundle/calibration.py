"""How far confidence can be trusted, by the out-of-fold predictions.

Confidence is the probability of the answered label. Its bins hold equal numbers of rows; how many
of a bin's answers were right estimates how many later answers of that confidence are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taxon_contracts.reference import Confidence
from taxon_training_job.bundle.bins import counted, share_edges
from taxon_training_job.measure import Answers

ROWS_PER_BIN = 50
FEWEST_BINS, MOST_BINS = 3, 20
PRIOR_ROWS = 2
"""Rows of the mean share that each bin's share starts from."""
FURTHEST = 3.0
QUANTILE = 0.9
MEAN_OF_ABSOLUTE = np.sqrt(2 / np.pi)
"""Of a normal variable, in standard deviations."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Each row's confidence and whether the answer was right, shape [n], by the bins' edges."""

    confidence: Values
    right: NDArray[np.bool_]
    edges: Values

    @classmethod
    def of(cls, answers: Answers) -> "Calibration":
        """Return the calibration of answers; there is at least one."""
        confidence = answers.probabilities[np.arange(len(answers.labels)), answers.labels]
        bins = int(np.clip(len(confidence) // ROWS_PER_BIN, FEWEST_BINS, MOST_BINS))
        right = answers.labels == answers.target
        return cls(confidence, right, share_edges(np.sort(confidence), bins))

    @property
    def bins(self) -> Confidence:
        """Return the rows and the right answers of each bin."""
        return Confidence(
            edges=tuple(self.edges.tolist()),
            rows=tuple(counted(np.sort(self.confidence), self.edges)),
            right=tuple(counted(np.sort(self.confidence[self.right]), self.edges)),
        )

    def shift_error(self, rows: Values) -> float:
        """Return how far the estimate of accuracy was off under a shift of one feature.

        The rows are weighted by exp(z) and by exp(-z) of each feature, z within 3: the estimate
        from confidence is compared with the share that was right, less what chance explains. The
        result is the 90 % quantile over features and directions.

        Args:
            rows: shape [n, columns]: numbers, NaN where a value is missing.
        """
        bins = self.bins
        counts, right = np.array(bins.rows), np.array(bins.right)
        by_bin = (right + PRIOR_ROWS * self.right.mean()) / (counts + PRIOR_ROWS)
        expected = by_bin[np.searchsorted(self.edges, self.confidence, side="right")]
        noise, gaps = expected * (1 - expected), expected - self.right
        errors = [
            _error(np.exp(sign * column), gaps, noise)
            for column in map(_standardised, rows.T)
            if column.any()
            for sign in (1, -1)
        ]
        return float(np.quantile(errors, QUANTILE)) if errors else 0.0


def _standardised(column: Values) -> Values:
    """Return the column in standard deviations from its mean, 0 where a value is missing."""
    present = ~np.isnan(column)
    result = np.zeros(len(column))
    spread = column[present].std() if present.any() else 0.0
    if spread > 0:
        result[present] = (column[present] - column[present].mean()) / spread
    return np.clip(result, -FURTHEST, FURTHEST)


def _error(weights: Values, gaps: Values, noise: Values) -> float:
    """Return a weighted mean of the gaps, less the mean size it has by chance alone."""
    total = weights.sum()
    found = abs((weights * gaps).sum()) / total
    chance = MEAN_OF_ABSOLUTE * np.sqrt((weights**2 * noise).sum()) / total
    return float(max(0.0, found - chance))
