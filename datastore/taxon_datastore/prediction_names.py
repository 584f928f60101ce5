"""What names predictions: their ids, with a time in each, and the ids of their requests.

Imports no SQL library: the server uses it before it loads one.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID


@dataclass(frozen=True)
class Answers:
    """How many predictions a request has in the log, and the id of one of them."""

    count: int
    one: UUID


@dataclass(frozen=True)
class KnownPredictions:
    """What the log has: the model of each prediction by id, and the answers to each request."""

    models: dict[UUID, str] = field(default_factory=dict)
    requests: dict[str, Answers] = field(default_factory=dict)


def time_of(identifier: UUID) -> datetime:
    """Return the time in a UUID of version 7, to the millisecond.

    Raises:
        ValueError: it is later than the year 9999.
    """
    try:
        return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{identifier} has no time") from error
