"""How firmly repeated rows are labelled: another fit of the same table may decide otherwise.

Where a row repeats on both sides of the split, all its repeats get one label. A class that is as
frequent as another among them loses or wins all of them by a few rows of the fit; intervals of the
held-out rows alone would not show it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from taxon_training_job.data.draws import row_draws
from taxon_training_job.data.examples import Examples
from taxon_training_job.data.split import Split
from taxon_training_job.measure import Answers


@dataclass(frozen=True)
class Repeats:
    """The held-out rows by content.

    ``contents`` holds each row's content as a position, shape [n]; ``spread`` how far another split
    moves the frequency of a class that half of its rows have, twice over, shape [n], 0 for rows
    whose content is on one side; ``labels`` turns probabilities [n, classes] to labels [n].
    """

    contents: NDArray[np.intp]
    spread: NDArray[np.float64]
    labels: Callable[[NDArray[np.float64]], NDArray[np.intp]]

    def decided_again(self, answers: Answers, generator: np.random.Generator) -> Answers:
        """Return the answers with labels as a fit on another split might give them."""
        given = answers.probabilities
        shape = (int(self.contents.max()) + 1, given.shape[1])
        moved = generator.normal(size=shape)[self.contents] * self.spread[:, None]
        probabilities = np.clip(given + moved * np.sqrt(given * (1 - given)), 0, 1)
        return replace(answers, labels=self.labels(probabilities))


def repeats(
    examples: Examples,
    sides: Split,
    labels: Callable[[NDArray[np.float64]], NDArray[np.intp]],
) -> Repeats | None:
    """Return the held-out rows by content; None where no content is on both sides."""
    divided = sides.rule.divided
    if not divided:
        return None
    draws = row_draws(examples.contents, examples.features, sides.rule.seed)
    values, contents = np.unique(draws, return_inverse=True)
    fitted = np.bincount(contents[sides.train], minlength=len(values))
    counts = (fitted > 0) & (divided.every | np.isin(values, divided.contents))
    share = len(sides.test) / len(draws)
    spread = np.where(counts, np.sqrt(share / np.maximum(fitted, 1)), 0.0)
    held_out = contents[sides.test]
    return Repeats(held_out, spread[held_out], labels)
