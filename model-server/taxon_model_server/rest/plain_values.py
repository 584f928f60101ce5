"""Rows by feature: objects to the classifier's rows, and everything that is wrong with one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from taxon_bundle.codec import BadRow, Codec, Encoded, Misfit
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import FeatureType
from taxon_model_server.errors import InvalidFields, Problem
from taxon_model_server.similar import by_folded, folded

MOST_PROBLEMS = 100
LONGEST_NAME = 100
NUMBERS = {int, float}
WANTED: Mapping[FeatureType, str] = {
    "Numeric": "send a number",
    "Boolean": "send true or false",
    "Categorical": "send text",
}
Path = tuple[str | int, ...]
PathOf = Callable[[int], Path]


def encode_rows(documents: Sequence[Any], codec: Codec, path_of: PathOf) -> Encoded:
    """Return rows that are objects of features.

    Args:
        documents: what should be objects.
        codec: the model's features.
        path_of: gives where a row is in the request, by its position among ``documents``.

    Raises:
        InvalidFields: one does not fit the features; everything that is wrong with it.
    """
    if codec.is_numeric:
        numbers = [_numbers(row, codec, path_of, place) for place, row in enumerate(documents)]
        return Encoded(np.array(numbers))
    values = [_values(row, codec, path_of, place) for place, row in enumerate(documents)]
    try:
        return codec.encode_rows(values)
    except BadRow as error:
        problems = _problems(documents[error.row], codec, path_of(error.row))
        raise InvalidFields(problems) from error


def _numbers(document: Any, codec: Codec, path_of: PathOf, place: int) -> list[float]:
    """Return a row's numbers in the order of the features."""
    if isinstance(document, dict) and len(document) == len(codec.names):
        values = [document.get(name) for name in codec.names]
        if set(map(type, values)) <= NUMBERS:
            try:
                return list(map(float, values))  # type: ignore[arg-type] # the line above says so
            except OverflowError:
                pass  # reported below, by its name
    raise InvalidFields(_problems(document, codec, path_of(place)))


def _values(document: Any, codec: Codec, path_of: PathOf, place: int) -> list[object]:
    """Return a row's values in the order of the features."""
    if isinstance(document, dict) and len(document) == len(codec.names):
        try:
            return [document[name] for name in codec.names]
        except KeyError:
            pass  # reported below, by its name
    raise InvalidFields(_problems(document, codec, path_of(place)))


def _problems(document: Any, codec: Codec, path: Path) -> list[Problem]:
    """Return everything that is wrong with a row, up to a sensible number."""
    if not isinstance(document, dict):
        return [Problem(path, "send an object with one value per feature", "dict_type")]
    return list(islice(_found(document, codec, path), MOST_PROBLEMS))


def _found(document: Mapping[str, Any], codec: Codec, path: Path) -> Iterator[Problem]:
    for feature in codec.features:
        if feature.name not in document:
            yield Problem((*path, feature.name), f"it is missing: {_wanted(feature)}", "missing")
    unknown = document.keys() - codec.places.keys()
    near = by_folded(codec.names) if unknown else {}
    for name, value in document.items():
        if name in unknown:
            meant = near.get(folded(name))
            said = "the model has no such feature" + (f": it may be {meant!r}" if meant else "")
            yield Problem((*path, name[:LONGEST_NAME]), said, "extra_forbidden")
            continue
        try:
            place = codec.places[name]
            misfit = codec.misfit(place, codec.encode(place, value))
        except Misfit as error:
            misfit = error
        if misfit:
            yield Problem((*path, name), f"it {misfit.reason}", misfit.kind)


def _wanted(feature: SignatureFeature) -> str:
    return WANTED[feature.type] + (", or null" if feature.gaps else "")


def problems_of(row: Sequence[float], codec: Codec, path: Path) -> list[Problem]:
    """Return which values of an encoded row the classifier does not take."""
    misfits = ((name, codec.misfit(place, row[place])) for name, place in codec.places.items())
    found = (
        Problem((*path, name), f"it {misfit.reason}", misfit.kind)
        for name, misfit in misfits
        if misfit
    )
    return list(islice(found, MOST_PROBLEMS))
