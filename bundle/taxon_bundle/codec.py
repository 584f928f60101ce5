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
from math import isfinite, isnan, nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taxon_bundle.texts import Texts
from taxon_contracts.manifest import SignatureFeature

Rows = NDArray[np.float64]
"""The classifier's rows, shape [rows, features]: every feature of the signature in its order."""
Value = float | bool | str | None
"""One value of a row as a person writes it; None is a missing one."""
Unseen = Mapping[int, Texts]
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

    @property
    def nbytes(self) -> int:
        """Return the bytes it takes."""
        return self.rows.nbytes + sum(texts.nbytes for texts in self.unseen.values())


def joined(parts: Sequence[Encoded]) -> Encoded:
    """Return consecutive parts of the rows as one."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part.rows) for part in parts[:-1])]).tolist()
    unseen = {
        place: Texts.joined(
            [
                (start, part.unseen[place])
                for start, part in zip(starts, parts, strict=True)
                if place in part.unseen
            ]
        )
        for place in sorted({place for part in parts for place in part.unseen})
    }
    return Encoded(np.concatenate([part.rows for part in parts]), unseen)


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
        self.names = tuple(feature.name for feature in features)
        self.places = {name: place for place, name in enumerate(self.names)}
        self.is_numeric = all(one.type == "Numeric" and not one.gaps for one in features)
        """Whether a row is nothing but numbers that are always there."""
        self.has_categories = bool(self._categorical)
        """Whether a feature is categorical, so that a row cannot be sent as numbers."""

    def encode(self, place: int, value: object) -> float:
        """Return one value of the feature at a place.

        A number may be infinite and any value missing; the classifier refuses those it cannot take.

        Raises:
            Misfit: it is not of the feature's type.
        """
        return self._encoders[place](value)

    def misfit(self, place: int, code: float) -> Misfit | None:
        """Return why the classifier does not take an encoded value; None where it does."""
        if isfinite(code) or (isnan(code) and self.features[place].gaps):
            return None
        if isnan(code):
            return Misfit("is missing, and the model takes no missing value there", "missing")
        return Misfit("is not a finite number", "finite_number")

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
        there = encoded == UNSEEN
        if not self._categorical or not there.any():
            return Encoded(encoded)
        unseen = {
            place: _unseen(encoded[:, place], [row[place] for row in rows])
            for place in self._categorical
            if there[:, place].any()
        }
        return Encoded(encoded, unseen)

    def encode_column(
        self, place: int, values: Sequence[object]
    ) -> tuple[NDArray[np.float64], Texts | None]:
        """Return the values of one feature, shape [rows], and its unseen categories, if any.

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
        if place not in self._categorical or not (encoded == UNSEEN).any():
            return encoded, None
        return encoded, _unseen(encoded, values)

    def encode_numbers(
        self, place: int, numbers: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], Texts | None]:
        """Return numbers as the values of one feature, as ``encode_column`` does.

        Raises:
            BadRow: a number is not a value of the feature's type.
        """
        if self.features[place].type == "Numeric":
            return numbers, None
        distinct, places = np.unique(numbers, return_inverse=True)
        try:
            codes, unseen = self.encode_column(place, distinct.tolist())
        except BadRow:
            return self.encode_column(place, numbers.tolist())  # it names the first row
        encoded = codes[places]
        if unseen is None:
            return encoded, None
        return encoded, _unseen(encoded, numbers)

    def decode(
        self, encoded: Encoded, start: int = 0, stop: int | None = None
    ) -> list[list[Value]]:
        """Return some rows as a person writes them."""
        rows = encoded.rows[start:stop]
        if self.is_numeric:
            values: list[list[Value]] = rows.tolist()
            return values
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
                if "\0" in value:
                    raise Misfit("has a NUL character in it: send text without", "string_type")
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


def _unseen(codes: NDArray[np.float64], values: Sequence[object] | NDArray[np.float64]) -> Texts:
    """Return the texts of the values that are no category's, by row."""
    return Texts.of({row: _text(values[row]) for row in np.flatnonzero(codes == UNSEEN).tolist()})


def _text(value: object) -> str:
    if isinstance(value, (int, float)):
        return category_of_number(value)
    return category(str(value))


def _decoded(
    feature: SignatureFeature, values: list[float], unseen: Mapping[int, str], start: int
) -> list[Value]:
    match feature.type:
        case "Numeric":
            return [None if isnan(value) else value for value in values]
        case "Boolean":
            return [None if isnan(value) else value == 1 for value in values]
        case "Categorical":
            known = feature.categories
            return [
                None if isnan(value) else unseen[row] if value == UNSEEN else known[int(value)]
                for row, value in enumerate(values, start)
            ]
