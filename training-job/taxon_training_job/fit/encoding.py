"""From kept features to the classifier's columns: scikit-learn's steps, and what they became.

Columns are in this order: numbers and booleans, filled in and scaled; for each categorical feature
its categories, then its missing value where that is a category of its own; indicators.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

from taxon_bundle.codec import UNSEEN
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import Encoder, Imputer
from taxon_contracts.resource import Pipeline as PipelineSpec

STRATEGIES = {"Median": "median", "MostFrequent": "most_frequent", "Constant": "constant"}
NUMBERS, CATEGORIES, INDICATORS = "numbers", "categories", "indicators"


def encoding_steps(
    spec: PipelineSpec, features: Sequence[SignatureFeature], rows: NDArray[np.float64]
) -> tuple[list[tuple[str, Any]], int]:
    """Return the unfitted steps before products, and how many columns they make.

    Args:
        spec: which steps are asked for.
        features: the kept features.
        rows: the training rows, shape [n, kept features]: which categories are frequent enough.
    """
    if all(one.type != "Categorical" and not one.gaps for one in features):
        return _scaler(spec), len(features)
    imputer = spec.imputer or Imputer(strategy="Median")
    gaps = any(one.gaps for one in features)
    numbers = [place for place, one in enumerate(features) if one.type != "Categorical"]
    codes = _codes(spec.encoder or Encoder(), imputer, features, rows)
    filled = [
        place
        for place, one in enumerate(features)
        if one.gaps and (one.type != "Categorical" or imputer.strategy == "MostFrequent")
    ]
    indicators = filled if imputer.indicator else []
    fill = [("imputer", _simple_imputer(imputer))] if gaps else []
    most_frequent = fill if imputer.strategy == "MostFrequent" else []
    encoder = OneHotEncoder(
        categories=list(codes.values()),
        handle_unknown="ignore",
        sparse_output=False,
        dtype=np.uint8,  # a byte each until they stand beside the numbers
    )
    blocks = (
        (NUMBERS, _joined([*fill, *_scaler(spec)]), numbers),
        (CATEGORIES, _joined([*most_frequent, ("encoder", encoder)]), list(codes)),
        (INDICATORS, MissingIndicator(features="all"), indicators),
    )
    columns = len(numbers) + sum(map(len, codes.values())) + len(indicators)
    transformer = ColumnTransformer([block for block in blocks if block[2]], sparse_threshold=0)
    return [("columns", transformer)], columns


def _scaler(spec: PipelineSpec) -> list[tuple[str, Any]]:
    return [("scaler", StandardScaler())] if spec.scaler == "Standard" else []


def _joined(steps: list[tuple[str, Any]]) -> Any:
    return Pipeline(steps) if steps else "passthrough"


def _simple_imputer(imputer: Imputer) -> SimpleImputer:
    constant = imputer.strategy == "Constant"
    return SimpleImputer(
        strategy=STRATEGIES[imputer.strategy],
        fill_value=float(imputer.value or 0.0) if constant else None,
        keep_empty_features=True,
    )


def _codes(
    encoder: Encoder,
    imputer: Imputer,
    features: Sequence[SignatureFeature],
    rows: NDArray[np.float64],
) -> dict[int, NDArray[np.float64]]:
    """Return, by position, the codes that have a column; features without one are left out.

    Codes are in the order of their frequency, so that the first ones are the frequent ones.
    """
    codes = {}
    for place, feature in enumerate(features):
        if feature.type != "Categorical":
            continue
        present = rows[:, place][rows[:, place] >= 0].astype(np.intp)
        frequent = int((np.bincount(present) >= encoder.min_frequency).sum())
        known = np.arange(min(frequent, encoder.max_categories), dtype=np.float64)
        own = [np.nan] if feature.gaps and imputer.strategy != "MostFrequent" else []
        if len(known) or own:
            codes[place] = np.append(known, own)
    return codes


@dataclass(frozen=True)
class OneHot:
    """A categorical feature's columns.

    ``codes`` has one per column, NaN for the missing value; ``fill`` is the code that takes the
    place of a missing value, NaN where none does. ``feature`` is a position among the kept ones.
    """

    feature: int
    codes: NDArray[np.float64]
    fill: float


@dataclass(frozen=True)
class Encoding:
    """What the fitted steps before the classifier do; features are positions among the kept ones.

    ``fill``, ``mean`` and ``scale`` have one value per number, and are None where the step is not
    there. ``indicators`` are the features whose missing values have a column.
    """

    numbers: NDArray[np.intp]
    fill: NDArray[np.float64] | None = None
    mean: NDArray[np.float64] | None = None
    scale: NDArray[np.float64] | None = None
    categories: tuple[OneHot, ...] = ()
    indicators: tuple[int, ...] = ()
    products: PolynomialFeatures | None = None

    @property
    def width(self) -> int:
        """Return how many columns there are before products."""
        return len(self.sources)

    @cached_property
    def sources(self) -> NDArray[np.intp]:
        """Return the feature each column is made of, shape [columns]."""
        one_hot = [np.full(len(one.codes), one.feature) for one in self.categories]
        return np.concatenate([self.numbers, *one_hot, self.indicators]).astype(np.intp)

    @cached_property
    def codes(self) -> NDArray[np.float64]:
        """Return the code each one-hot column stands for, shape [one-hot columns]."""
        return np.concatenate([np.empty(0), *(one.codes for one in self.categories)])

    @cached_property
    def fills(self) -> dict[int, float]:
        """Return what takes the place of a missing value, by feature, where something does."""
        numbers = () if self.fill is None else self.fill.tolist()
        return {
            **dict(zip(self.numbers.tolist(), numbers, strict=False)),
            **{one.feature: one.fill for one in self.categories if not np.isnan(one.fill)},
        }

    @property
    def takes_gaps(self) -> bool:
        """Return whether a missing value of some feature has a meaning."""
        return bool(self.fills or self.indicators or np.isnan(self.codes).any())

    @cached_property
    def switches(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the inputs that make each one-hot column and indicator 1, and 0."""
        present = [self.fills.get(feature, UNSEEN) for feature in self.indicators]
        on = np.concatenate([self.codes, np.full(len(present), np.nan)])
        return on, np.concatenate([np.full(len(self.codes), UNSEEN), present])

    def powers(self, columns: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the power of each column before products in each of ``columns`` after them."""
        if self.products is None:
            return np.equal.outer(columns, np.arange(self.width)).astype(np.int64)
        return self._all_powers[columns]

    @cached_property
    def _all_powers(self) -> NDArray[np.int64]:
        return np.asarray(self.products.powers_ if self.products else np.eye(self.width), np.int64)

    def scaled(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the numbers of ``rows`` [n, kept features], filled in and scaled [n, numbers]."""
        values = rows[:, self.numbers]
        if self.fill is not None:
            values = np.where(np.isnan(values), self.fill, values)
        if self.mean is None or self.scale is None:
            return values
        scaled: NDArray[np.float64] = (values - self.mean) / self.scale
        return scaled

    def largest(self, row: NDArray[np.float64]) -> int:
        """Return the feature of the number of ``row`` [kept features] that is largest once scaled.

        Nothing but a number can be large.
        """
        return int(self.numbers[np.argmax(np.abs(self.scaled(row[None, :])[0]))])


def encoding_of(steps: Pipeline, features: int) -> Encoding:
    """Read the fitted steps before the classifier, of so many kept features.

    Raises:
        TypeError: a step cannot be served.
    """
    encoding = Encoding(np.arange(features))
    for position, (_, step) in enumerate(steps.steps):
        if isinstance(step, PolynomialFeatures) and encoding.products is None:
            encoding = replace(encoding, products=step)
        elif isinstance(step, ColumnTransformer) and not position:
            encoding = _of_columns(step)
        elif isinstance(step, StandardScaler) and not position:
            encoding = replace(encoding, mean=step.mean_, scale=step.scale_)
        elif step != "passthrough":
            raise TypeError(f"{type(step).__name__} cannot be served")
    return encoding


def _of_columns(transformer: ColumnTransformer) -> Encoding:
    blocks = {name: (step, columns) for name, step, columns in transformer.transformers_}
    step, numbers = blocks.get(NUMBERS, ("passthrough", []))
    named = dict(step.steps) if isinstance(step, Pipeline) else {}
    imputer, scaler = named.get("imputer"), named.get("scaler")
    return Encoding(
        np.array(numbers, np.intp),
        fill=None if imputer is None else imputer.statistics_.astype(np.float64),
        mean=None if scaler is None else scaler.mean_,
        scale=None if scaler is None else scaler.scale_,
        categories=_one_hot(*blocks[CATEGORIES]) if CATEGORIES in blocks else (),
        indicators=tuple(blocks[INDICATORS][1]) if INDICATORS in blocks else (),
    )


def _one_hot(step: Pipeline, columns: list[int]) -> tuple[OneHot, ...]:
    imputer = step.named_steps.get("imputer")
    fills = np.full(len(columns), np.nan) if imputer is None else imputer.statistics_
    categories = step.named_steps["encoder"].categories_
    return tuple(
        OneHot(feature, codes, float(fill))
        for feature, codes, fill in zip(columns, categories, fills, strict=True)
    )
