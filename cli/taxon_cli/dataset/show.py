"""Data sets as tables of plain text, or as JSON."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from taxon_cli.dataset.uses import Use
from taxon_datastore.datasets.diff import Difference
from taxon_datastore.datasets.versions import Description


def datasets(found: Sequence[Description], *, as_json: bool) -> None:
    """Print the data sets of a namespace, each with its newest version."""
    newest = [next(versions) for _, versions in groupby(found, key=lambda one: one.name)]
    if as_json:
        _json([_document(one) for one in newest])
        return
    _table(
        ("NAME", "VERSION", "ROWS", "COLUMNS", "FORMAT", "LOADED"),
        [
            (
                one.name,
                str(one.version),
                f"{one.rows:,}",
                str(len(one.columns)),
                one.format,
                _time(one),
            )
            for one in newest
        ],
    )


def dataset(
    chosen: Description,
    versions: Sequence[Description],
    uses: Sequence[Use] | None,
    *,
    as_json: bool,
) -> None:
    """Print a version with its columns, the other versions, and who uses the data set.

    Args:
        chosen: the version whose columns are shown.
        versions: all, newest first.
        uses: None where nobody knows.
        as_json: print JSON.
    """
    if as_json:
        used_by = None if uses is None else [asdict(use) for use in uses]
        document = _document(chosen) | {"versions": [*map(_document, versions)], "usedBy": used_by}
        _json(document)
        return
    sys.stdout.write(f"{chosen.name} version {chosen.version}: {chosen.rows:,} rows\n\n")
    _table(
        ("COLUMN", "TYPE", "STORED AS"),
        [(one["name"], one["type"], one.get("stored", "text")) for one in chosen.columns],
    )
    sys.stdout.write("\n")
    _table(
        ("VERSION", "ROWS", "DIGEST", "LOADED"),
        [(str(one.version), f"{one.rows:,}", one.digest, _time(one)) for one in versions],
    )
    sys.stdout.write("\n")
    if uses is None:
        sys.stdout.write("Used by: unknown; pass --namespace to ask the models of a cluster\n")
    elif uses:
        _table(
            ("USED BY", "VERSION"), [(use.who, str(use.version or "the newest")) for use in uses]
        )
    else:
        sys.stdout.write("Used by: no model\n")


def difference(found: Difference, *, as_json: bool) -> None:
    """Print what a version changes of another."""
    if as_json:
        _json(asdict(found))
        return
    lines = [
        ("rows added", f"{found.rows_added:,}"),
        ("rows gone", f"{found.rows_gone:,}"),
        ("columns added", ", ".join(found.columns_added) or "none"),
        ("columns gone", ", ".join(found.columns_gone) or "none"),
    ]
    lines += [
        (f"column {name}", f"{before} -> {after}")
        for name, (before, after) in found.columns_retyped.items()
    ]
    lines += [
        (f"class {name}", f"{before:.1%} -> {after:.1%}")
        for name, (before, after) in found.class_shares.items()
    ]
    _table((), lines)


def _document(one: Description) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.version,
        "digest": one.digest,
        "format": one.format,
        "rows": one.rows,
        "columns": list(one.columns),
        "createdAt": one.created_at.isoformat(),
        "createdBy": one.created_by,
    }


def _time(one: Description) -> str:
    return one.created_at.strftime("%Y-%m-%d %H:%M:%SZ")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [head, *rows] if head else rows
    if not lines:
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
