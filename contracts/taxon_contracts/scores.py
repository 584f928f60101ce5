"""The metrics of a classifier, and whether higher or lower is better."""

from typing import Literal, get_args

ScoreName = Literal[
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "log_loss",
    "brier",
    "ece",
]
"""Binary precision, recall and F1 are those of the positive class; beyond two classes the macro
mean. ROC-AUC beyond two classes is one against the rest, macro."""

SearchScoreName = Literal[
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"
]
"""Metrics a search may optimise: all but the calibration error, which binning makes unstable."""

SCORE_NAMES: tuple[ScoreName, ...] = get_args(ScoreName)
LOWER_IS_BETTER: frozenset[ScoreName] = frozenset({"log_loss", "brier", "ece"})


def gain(name: ScoreName, value: float, reference: float) -> float:
    """Return by how much ``value`` is better than ``reference``; negative when it is worse."""
    difference = value - reference
    return -difference if name in LOWER_IS_BETTER else difference
