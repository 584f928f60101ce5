"""The feature codec: rows as people and clients write them to the classifier's rows, and back.

The classifier's row is float64, one value per feature: a number is itself, a boolean 0 or 1, a
category its position among the feature's categories, ``UNSEEN`` if it is not one of them, and a
missing value is NaN. Every part that reads or writes rows does it through this module.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taxon_contracts.manifest import SignatureFeature

Rows = NDArray[np.float64]
"""The classifier's rows, shape [rows, features]: every feature of the signature in its order."""
Value = float | bool | str | None
"""One value of a row as a person writes it; None is a missing one."""
Unseen = Mapping[int, Mapping[int, str]]
"""By position of the feature, then of the row: the categories that no training row had."""

UNSEEN = -1.0
MISSING_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "?", "-"})
"""Words for a missing value, in any case and with any space around them."""
PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")

MisfitKind = Literal["float_type", "bool_type", "string_type", "missing", "finite_number"]


class BadRow(ValueError):  # noqa: N818 - it names what is wrong, in a person's words
    """A value that is refused; ``reason`` completes a sentence that begins with the feature."""

    def __init__(
        self, row: int, feature: str, reason: str, kind: MisfitKind = "finite_number"
    ) -> None:
        super().__init__(f"row {row}: {feature} {reason}")
        self.row = row
        self.feature = feature
        self.reason = reason
        self.kind = kind


class Misfit(ValueError):  # noqa: N818 - it names what is wrong, in a person's words
    """A value that is not of its feature's type; the message completes a sentence about it."""

    def __init__(self, reason: str, kind: MisfitKind) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


@dataclass(frozen=True)
class Encoded:
    """Rows for the classifier, and the texts of the categories that are ``UNSEEN`` in them."""

    rows: Rows
    unseen: Unseen = field(default_factory=dict)


def category(text: str) -> str:
    """Return a category as it is compared: in Unicode's form NFC, without space around it."""
    return (text if text.isascii() else unicodedata.normalize("NFC", text)).strip()


def category_of_number(number: float) -> str:
    """Return a number as a category: ``2`` for 2 and for 2.0."""
    if isinstance(number, float) and number.is_integer():
        return str(int(number))
    return str(number)


def is_missing(text: str) -> bool:
    """Return whether a category's text stands for a missing value."""
    return not text or text.lower() in MISSING_WORDS


class Codec:
    """The codec of a signature's features."""

    def __init__(self, features: Sequence[SignatureFeature]) -> None:
        self.features = tuple(features)
        self.gaps = np.array([feature.gaps for feature in features], dtype=np.bool_)
        """Whether each feature accepts a missing value, shape [features]."""
        self._encoders = tuple(_encoder(feature) for feature in features)
        self._categorical = tuple(
            place for place, feature in enumerate(features) if feature.type == "Categorical"
        )

    @property
    def is_numeric(self) -> bool:
        """Return whether a row is nothing but numbers that are always there."""
        return all(one.type == "Numeric" and not one.gaps for one in self.features)

    @property
    def has_categories(self) -> bool:
        """Return whether a feature is categorical, so that a row cannot be sent as numbers."""
        return bool(self._categorical)

    def encode(self, place: int, value: object) -> float:
        """Return one value of the feature at a place.

        A number may be infinite and any value missing; the classifier refuses those it cannot take.

        Raises:
            Misfit: it is not of the feature's type.
        """
        return self._encoders[place](value)

    def encode_rows(self, rows: Sequence[Sequence[object]]) -> Encoded:
        """Return rows whose values are in the order of the features.

        Raises:
            BadRow: a value is not of its feature's type.
        """
        encoded = np.empty((len(rows), len(self.features)))
        try:
            for index, row in enumerate(rows):
                encoded[index] = [
                    encode(value) for encode, value in zip(self._encoders, row, strict=True)
                ]
        except Misfit:
            raise self._bad_row(index, rows[index]) from None
        unseen = {
            place: _unseen(encoded[:, place], [row[place] for row in rows])
            for place in self._categorical
            if (encoded[:, place] == UNSEEN).any()
        }
        return Encoded(encoded, unseen)

    def encode_column(
        self, place: int, values: Sequence[object]
    ) -> tuple[NDArray[np.float64], Mapping[int, str]]:
        """Return the values of one feature, shape [rows], and its unseen categories by row.

        Raises:
            BadRow: a value is not of the feature's type.
        """
        encode = self._encoders[place]
        encoded = np.empty(len(values))
        try:
            for index, value in enumerate(values):
                encoded[index] = encode(value)
        except Misfit as error:
            name = self.features[place].name
            raise BadRow(index, name, error.reason, error.kind) from None
        if place not in self._categorical:
            return encoded, {}
        return encoded, _unseen(encoded, values)

    def decode(
        self, encoded: Encoded, start: int = 0, stop: int | None = None
    ) -> list[list[Value]]:
        """Return some rows as a person writes them."""
        rows = encoded.rows[start:stop]
        columns = [
            _decoded(feature, rows[:, place].tolist(), encoded.unseen.get(place, {}), start)
            for place, feature in enumerate(self.features)
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def _bad_row(self, index: int, row: Sequence[object]) -> BadRow:
        for place, value in enumerate(row):
            try:
                self.encode(place, value)
            except Misfit as error:
                return BadRow(index, self.features[place].name, error.reason, error.kind)
        raise AssertionError("a row that was refused has a value that is refused")


def _encoder(feature: SignatureFeature) -> Callable[[object], float]:
    match feature.type:
        case "Numeric":
            return _number
        case "Boolean":
            return _boolean
        case "Categorical":
            return _category_encoder(feature.categories)


def _number(value: object) -> float:
    if value is None:
        return nan
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise Misfit("is not a finite number", "finite_number") from None
    what = "text" if isinstance(value, str) else "not a number"
    raise Misfit(f"is {what}: send a number", "float_type")


def _boolean(value: object) -> float:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return nan
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return float(value)
    raise Misfit("is neither true nor false: send one of them", "bool_type")


def _category_encoder(categories: Sequence[str]) -> Callable[[object], float]:
    codes = {text: float(code) for code, text in enumerate(categories)}
    numbers = _numbers(categories)

    def encode(value: object) -> float:
        if type(value) is str:
            code = codes.get(value)
            if code is None:
                text = category(value)
                code = nan if is_missing(text) else codes.get(text, UNSEEN)
            return code
        if value is None or value != value:  # noqa: PLR0124 - NaN
            return nan
        if type(value) is int or type(value) is float:
            return numbers.get(value, UNSEEN)
        raise Misfit("is not text: send a category as text", "string_type")

    return encode


def _numbers(categories: Sequence[str]) -> Mapping[float, float]:
    """Return the codes of categories that are numbers, unless two are the same number."""
    values = {
        code: float(text)
        for code, text in enumerate(categories)
        if PLAIN_NUMBER.fullmatch(text) is not None
    }
    counts = Counter(values.values())
    return {value: float(code) for code, value in values.items() if counts[value] == 1}


def _unseen(codes: NDArray[np.float64], values: Sequence[object]) -> Mapping[int, str]:
    """Return the texts of the values that are no category's, by row."""
    return {row: _text(values[row]) for row in np.flatnonzero(codes == UNSEEN).tolist()}


def _text(value: object) -> str:
    if isinstance(value, (int, float)):
        return category_of_number(value)
    return category(str(value))


def _decoded(
    feature: SignatureFeature, values: list[float], unseen: Mapping[int, str], start: int
) -> list[Value]:
    present: Callable[[int, float], Value]
    match feature.type:
        case "Numeric":
            present = lambda _, value: value  # noqa: E731
        case "Boolean":
            present = lambda _, value: value == 1  # noqa: E731
        case "Categorical":
            present = lambda row, value: (  # noqa: E731
                unseen[row] if value == UNSEEN else feature.categories[int(value)]
            )
    return [
        None if value != value else present(row, value)  # noqa: PLR0124 - NaN
        for row, value in enumerate(values, start)
    ]
