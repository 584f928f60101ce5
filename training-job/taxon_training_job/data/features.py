"""Which columns of a table are features, of which type, and why the others are not."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import Dataset, FeatureType
from taxon_contracts.run import FinalReason
from taxon_training_job.data.columns import Cells, Column, column_as, found_column
from taxon_training_job.data.left_out import LeftOut, absent, left_out_sentence, some
from taxon_training_job.data.table import Table
from taxon_training_job.failure import RunFailed

MOST_FEATURES = 1000
NONE = (
    "besides the target, the table has no column that is a feature by itself: add one of numbers,"
    " booleans or categories, or list features"
)
NAMED = 30
"""Columns with the same fault that one message names."""
REFUSALS: Mapping[FinalReason, str] = {
    "UnsupportedFeature": "not usable as features: {}; derive numbers or categories from them (free"
    " text can be listed with type Categorical), or remove them from features",
    "NonNumericFeature": "not numeric: {}; correct the cells, list with type Categorical, or do not"
    " list as feature",
    "NonBooleanFeature": "not boolean: {}; list with another type, or do not list as feature",
    "MissingValues": "no values: {}; fill them in, or do not list as feature",
}


def choose_features(
    table: Table, dataset: Dataset, sealed: Sequence[SignatureFeature] = ()
) -> tuple[tuple[Column, ...], list[LeftOut]]:
    """Return the listed features, or every usable column but the target; and what is left out.

    Args:
        table: the table.
        dataset: what a person says about it.
        sealed: the inputs of a bundle that is there already; its release may have chosen others.

    Raises:
        RunFailed: a listed one cannot be used; there is none, or more than can be served.
    """
    if sealed:
        columns = columns_as(table, {feature.name: feature.type for feature in sealed})
    elif dataset.features is not None:
        _refuse_absent(table, [feature.name for feature in dataset.features])
        columns = _accepted(
            [_listed(table, feature.name, feature.type) for feature in dataset.features]
        )
    else:
        return _usable(table, dataset.target)
    used = {dataset.target, *(column.name for column in columns)}
    others = [name for name in _names(table) if name not in used]
    if dataset.features is not None:
        return columns, [LeftOut(name, "not listed in features") for name in others]
    found = [_found(table, name) for name in others]
    return columns, [
        one if isinstance(one, LeftOut) else LeftOut(one.name, "not used by this version")
        for one in found
    ]


def _usable(table: Table, target: str) -> tuple[tuple[Column, ...], list[LeftOut]]:
    found = [_found(table, name) for name in _names(table) if name != target]
    columns = tuple(one for one in found if isinstance(one, Column))
    left_out = [one for one in found if isinstance(one, LeftOut)]
    if not columns:
        sentences = filter(None, (NONE, left_out_sentence(left_out)))
        raise RunFailed("FeatureMissing", "; ".join(sentences))
    if len(columns) > MOST_FEATURES:
        raise RunFailed(
            "TooManyFeatures",
            f"the table has {len(columns)} usable columns: list at most {MOST_FEATURES} in"
            " features",
        )
    return columns, left_out


def columns_as(table: Table, types: Mapping[str, FeatureType]) -> tuple[Column, ...]:
    """Return columns as these types, also where every cell is missing.

    Raises:
        RunFailed: the table has no such column, or it is of another type.
    """
    _refuse_absent(table, types)
    return _accepted(
        [
            _other(table, name) or column_as(Cells(name, table.frame[name]), kind)
            for name, kind in types.items()
        ]
    )


def kinds(columns: Sequence[Column]) -> dict[str, int]:
    """Return how many columns there are of each type, and how many have missing values."""
    types = Counter(column.type.lower() for column in columns)
    return dict(types) | {"with_gaps": sum(column.has_gaps for column in columns)}


def refuse(reason: FinalReason, findings: Iterable[str], sentence: str) -> None:
    """End the run if there are findings; the sentence names the first of them.

    Raises:
        RunFailed: there is one.
    """
    found = list(findings)
    if found:
        raise RunFailed(reason, sentence.format(some(found, NAMED)))


def _names(table: Table) -> list[str]:
    return [*map(str, table.frame.columns), *table.other]


def _refuse_absent(table: Table, names: Iterable[str]) -> None:
    known = _names(table)
    refuse(
        "FeatureMissing",
        (absent(name, known) for name in names if name not in known),
        "the table has no column {}: correct features, or add the column",
    )


def _found(table: Table, name: str) -> Column | LeftOut:
    return _other(table, name) or found_column(Cells(name, table.frame[name]))


def _listed(table: Table, name: str, kind: FeatureType | None) -> Column | LeftOut:
    if name in table.other or kind is None:
        return _found(table, name)
    cells = Cells(name, table.frame[name])
    return found_column(cells) if cells.are_missing else column_as(cells, kind)


def _other(table: Table, name: str) -> LeftOut | None:
    if name not in table.other:
        return None
    return LeftOut(name, table.other[name], reason="UnsupportedFeature")


def _accepted(found: Sequence[Column | LeftOut]) -> tuple[Column, ...]:
    """Return columns once none is refused; the message has all with the same fault."""
    for reason, sentence in REFUSALS.items():
        unfit = [one for one in found if isinstance(one, LeftOut) and one.reason == reason]
        refuse(reason, map(str, unfit), sentence)
    return tuple(one for one in found if isinstance(one, Column))
