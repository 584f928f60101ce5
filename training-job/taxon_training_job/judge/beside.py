"""Rows on and just beside the places where a classifier's answer changes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taxon_training_job.fit.encoding import Encoding

ROWS_PER_SPLIT = 5


@dataclass(frozen=True)
class Beside:
    """Changes rows so that a column of an encoding meets a threshold.

    ``kept`` are the positions, among all features, of those the encoding is of.
    """

    encoding: Encoding
    kept: NDArray[np.intp]

    def rows(self, splits: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return at most ``ROWS_PER_SPLIT`` rows for each (column, threshold, row) of ``splits``.

        A product is solved for its last number, its other factors are made other than zero; a
        product without a number is switched on and off.
        """
        columns, thresholds = splits[:, 0].astype(np.intp), splits[:, 1]
        base = rows[splits[:, 2].astype(np.intp)]
        numbers = len(self.encoding.numbers)
        powers, flags = np.split(self.encoding.powers(columns), [numbers], axis=1)
        self._switch(base, *np.nonzero(flags), on=True)
        numeric = powers.any(axis=1)
        solved = self._solved(powers[numeric], thresholds[numeric], base[numeric])
        if numeric.all():
            return solved
        off = base[~numeric]
        self._switch(off, np.arange(len(off)), flags[~numeric].argmax(axis=1), on=False)
        return np.concatenate([solved, base[~numeric], off])

    def _switch(
        self,
        rows: NDArray[np.float64],
        which: NDArray[np.intp],
        columns: NDArray[np.intp],
        *,
        on: bool,
    ) -> None:
        """Give each of ``which`` rows the input that makes a one-hot column or indicator 1 or 0."""
        inputs = self.encoding.switches[0 if on else 1]
        sources = self.encoding.sources[len(self.encoding.numbers) :]
        rows[which, self.kept[sources[columns]]] = inputs[columns]

    def _solved(
        self,
        powers: NDArray[np.int64],
        thresholds: NDArray[np.float64],
        base: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return rows in which a product of numbers meets its threshold; those that overflow not.

        Args:
            powers: of each number in the product, shape [products, numbers].
            thresholds: of each product.
            base: the rows to change, one per product.
        """
        if not len(powers):
            return base
        numbers = self.kept[self.encoding.numbers]
        mean, scale = self.encoding.mean, self.encoding.scale
        mean = np.zeros(len(numbers)) if mean is None else mean
        scale = np.ones(len(numbers)) if scale is None else scale
        index = np.arange(len(powers))
        changed = powers.shape[1] - 1 - np.argmax(powers[:, ::-1] > 0, axis=1)
        exponent = powers[index, changed]
        others = powers.copy()
        others[index, changed] = 0
        scaled = self.encoding.scaled(base[:, self.kept])
        scaled[(others > 0) & (scaled == 0)] = (
            1.0  # a factor of zero would keep the product at zero
        )
        with np.errstate(all="ignore"):
            needed = thresholds / np.prod(scaled**others, axis=1)
            squared = (exponent == 2) & (needed < 0)  # noqa: PLR2004 - an even power has no sign of its own
            scaled[(others == 1) & squared[:, None]] *= -1
            base[:, numbers] = np.where(others > 0, scaled * scale + mean, base[:, numbers])
            needed = thresholds / np.prod(scaled**others, axis=1)
            root = np.sign(needed) * np.abs(needed) ** (1 / exponent)
            single = root.astype(np.float32)
            value = root * scale[changed] + mean[changed]
            around = [
                value,
                np.nextafter(value, -np.inf),
                np.nextafter(value, np.inf),
                np.nextafter(single, np.float32(-np.inf)) * scale[changed] + mean[changed],
                np.nextafter(single, np.float32(np.inf)) * scale[changed] + mean[changed],
            ]
        result = np.tile(base, (len(around), 1))
        column = np.tile(numbers[changed], len(around))
        result[np.arange(len(result)), column] = np.concatenate(around)
        factors = np.tile(powers > 0, (len(around), 1))
        usable: NDArray[np.float64] = result[
            (np.isfinite(result[:, numbers]) | ~factors).all(axis=1)
        ]
        return usable
