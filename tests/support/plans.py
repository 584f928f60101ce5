"""Which partitions of the log a query reads."""

from typing import Any

from sqlalchemy import Engine, text

from taxon_datastore.database import transaction


def partitions(database: Engine) -> list[str]:
    """Return the partitions of days, in their order."""
    named = "SELECT relname FROM pg_class WHERE relname ~ '^predictions_[0-9]{8}$' ORDER BY 1"
    with transaction(database) as connection:
        return list(connection.execute(text(named)).scalars())


def scanned(database: Engine, query: str, **values: object) -> set[str]:
    """Return the partitions of days that a query reads, by its plan as it was carried out."""
    return {node["Relation Name"] for node in _reads(database, query, values)}


def scanned_whole(database: Engine, query: str, **values: object) -> set[str]:
    """Return the partitions of days of which a query reads every row."""
    reads = _reads(database, query, values)
    return {node["Relation Name"] for node in reads if node["Node Type"] == "Seq Scan"}


def _reads(database: Engine, query: str, values: dict[str, object]) -> list[dict[str, Any]]:
    """Return the parts of a query's plan that read a partition of a day."""
    with transaction(database) as connection:
        explained = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
        [plan] = connection.execute(explained, values).scalar_one()
    return [
        node
        for node in _nodes(plan["Plan"])
        if node.get("Relation Name", "").startswith("predictions_2") and node["Actual Loops"]
    ]


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(one for below in plan.get("Plans", ()) for one in _nodes(below))]
