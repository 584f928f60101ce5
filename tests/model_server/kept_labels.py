"""Labels that are kept in memory, of predictions the test makes up."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from taxon_datastore.copy_binary import rows_of
from taxon_datastore.prediction_names import Answers, KnownPredictions
from taxon_datastore.rows import Rows
from taxon_model_server.exchange import Exchange
from taxon_model_server.labels.intake import LabelIntake


def id_at(moment: datetime, chance: int = 0) -> UUID:
    """Return a UUIDv7 of a moment."""
    stamp = int(moment.timestamp() * 1000) << 80
    return UUID(int=stamp | 0x7 << 76 | 0x2 << 62 | chance)


NOW = datetime.now(UTC)
MINE, OTHERS, NEW, OLD = (
    id_at(NOW, 1),
    id_at(NOW, 2),
    id_at(NOW - timedelta(hours=23), 3),
    id_at(NOW - timedelta(hours=25), 4),
)
"""A prediction of the model, one of the model birds, and two that are not in the log."""
KNOWN = KnownPredictions(
    {MINE: "small", OTHERS: "birds"}, {"one": Answers(1, MINE), "three": Answers(3, MINE)}
)


class KeptLabels:
    """Stands for log and database; either may be broken."""

    def __init__(self) -> None:
        self.rows: list[Rows] = []
        self.asked: list[tuple[list[UUID], list[str]]] = []
        self.disk: Exception | None = None
        self.database: Exception | None = None
        self.known = KNOWN

    def __call__(self, exchange: Exchange) -> LabelIntake:
        """Return what takes labels with them."""
        return LabelIntake(
            exchange.state,
            exchange.telemetry,
            namespace="default",
            keep=self.keep,
            find=self.find,
        )

    def keep(self, rows: Rows) -> None:
        """Keep rows."""
        if self.disk:
            raise self.disk
        self.rows.append(rows)

    def find(self, ids: Sequence[UUID], request_ids: Sequence[str]) -> KnownPredictions:
        """Return what is known."""
        self.asked.append(([*ids], [*request_ids]))
        if self.database:
            raise self.database
        return self.known

    @property
    def values(self) -> list[list[bytes | None]]:
        """Return the fields of each row that was kept."""
        return [fields(row) for rows in self.rows for row in rows_of(rows.payload)]


def fields(row: bytes) -> list[bytes | None]:
    """Return the fields of one row in COPY's binary format."""
    found: list[bytes | None] = []
    place = 2
    while place < len(row):
        length = int.from_bytes(row[place : place + 4], "big", signed=True)
        place += 4
        found.append(None if length < 0 else row[place : place + length])
        place += max(length, 0)
    return found
