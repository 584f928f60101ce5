"""What two versions of a data set differ in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from taxon_datastore.database import transaction
from taxon_datastore.datasets.fetch import FETCH_SECONDS
from taxon_datastore.datasets.versions import DatasetMissing, Description, described_one


@dataclass(frozen=True)
class Difference:
    """What the later version has and the earlier one has not, and the other way round.

    Rows are compared cell by cell, as they are written, in the columns that both have; a row that
    is there three times counts three times.
    """

    rows_added: int
    rows_gone: int
    columns_added: Sequence[str]
    columns_gone: Sequence[str]
    columns_retyped: Mapping[str, tuple[str, str]]
    class_shares: Mapping[str, tuple[float, float]]
    """Share of the rows by class of the target, before and after; empty without a target."""


def difference(
    engine: Engine, *, namespace: str, name: str, versions: tuple[int, int], target: str | None
) -> Difference:
    """Return what the second version of a data set changes of the first.

    Raises:
        DatasetMissing: a version does not exist, or has no such target.
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine.execution_options(statement_seconds=FETCH_SECONDS)) as connection:
        before, after = (
            described_one(connection, namespace=namespace, name=name, version=version)
            for version in versions
        )
        types = [{one["name"]: one["type"] for one in side.columns} for side in (before, after)]
        common = [name for name in types[0] if name in types[1]]
        added, gone = _rows(connection, before, after, common)
        return Difference(
            rows_added=added,
            rows_gone=gone,
            columns_added=[name for name in types[1] if name not in types[0]],
            columns_gone=[name for name in types[0] if name not in types[1]],
            columns_retyped={
                name: (types[0][name], types[1][name])
                for name in common
                if types[0][name] != types[1][name]
            },
            class_shares=_classes(connection, before, after, target) if target else {},
        )


def _rows(
    connection: Connection, before: Description, after: Description, common: Sequence[str]
) -> tuple[int, int]:
    """Return how many rows only the one and only the other has, in their common columns."""
    found = connection.execute(
        text(
            "WITH before AS (SELECT "  # noqa: S608 - numbers
            + _cells(before, common)
            + " AS row, count(*) AS n FROM training_data WHERE dataset = :before GROUP BY 1),"
            " after AS (SELECT "
            + _cells(after, common)
            + " AS row, count(*) AS n FROM training_data WHERE dataset = :after GROUP BY 1)"
            " SELECT"
            " coalesce(sum(greatest(coalesce(after.n, 0) - coalesce(before.n, 0), 0)), 0),"
            " coalesce(sum(greatest(coalesce(before.n, 0) - coalesce(after.n, 0), 0)), 0)"
            " FROM before FULL JOIN after USING (row)"
        ),
        {"before": before.id, "after": after.id},
    )
    added, gone = found.one()
    return int(added), int(gone)


def _cells(side: Description, common: Sequence[str]) -> str:
    """Return the SQL of a row's cells in some columns."""
    names = [one["name"] for one in side.columns]
    if list(common) == names:
        return "cells"
    place = {name: number for number, name in enumerate(names, 1)}
    return "ARRAY[" + ", ".join(f"cells[{place[name]}]" for name in common) + "]::text[]"


def _classes(
    connection: Connection, before: Description, after: Description, target: str
) -> dict[str, tuple[float, float]]:
    shares = [_shares(connection, side, target) for side in (before, after)]
    return {
        name: (shares[0].get(name, 0.0), shares[1].get(name, 0.0))
        for name in sorted({*shares[0], *shares[1]})
    }


def _shares(connection: Connection, side: Description, target: str) -> dict[str, float]:
    names = [one["name"] for one in side.columns]
    if target not in names:
        raise DatasetMissing(
            f"version {side.version} of data set {side.name} has no column {target!r}: name"
            " another with --target"
        )
    found = connection.execute(
        text(
            "SELECT cells[:place], count(*) FROM training_data WHERE dataset = :dataset GROUP BY 1"
        ),
        {"place": names.index(target) + 1, "dataset": side.id},
    )
    return {cell or "": count / side.rows for cell, count in found}
