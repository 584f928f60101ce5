"""Live accuracy: what the labels say about a model's answers, with its 95 % interval (Wilson)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine, text

from taxon_datastore.database import transaction

COUNTS = "sum(predictions)::bigint, sum(labelled)::bigint, sum(correct)::bigint"
BOUNDS = ", ".join(
    f"wilson_bound(sum(correct)::bigint, sum(labelled)::bigint, {side})" for side in (-1, 1)
)
MIDNIGHTS = "live_accuracy_between(CAST(:since AS timestamptz), CAST(:until AS timestamptz))"


@dataclass(frozen=True)
class LiveAccuracy:
    """The answers of a version, how many have a label, and how many of these were right.

    Mirrored and failed requests do not count. ``low`` and ``high`` are the ends of the interval;
    None without a label.
    """

    namespace: str
    model: str
    version: str
    predictions: int
    labelled: int
    correct: int
    low: float | None
    high: float | None

    @property
    def share_labelled(self) -> float:
        """Return the share of the answers that have a label."""
        return self.labelled / self.predictions

    @property
    def accuracy(self) -> float | None:
        """Return the share of the labelled answers that were right, None without a label."""
        return self.correct / self.labelled if self.labelled else None


def accuracy_of_days(engine: Engine, *, days: int) -> list[LiveAccuracy]:
    """Return the figures of every model and version over the last days (UTC), today among them.

    Raises:
        DatabaseUnavailable: worth trying again, also if the schema is older.
    """
    until = _tomorrow()
    query = text(
        f"SELECT namespace, model, version, {COUNTS}, {BOUNDS} FROM {MIDNIGHTS}"  # noqa: S608 - text of this file
        " GROUP BY namespace, model, version ORDER BY namespace, model, version"
    )
    bounds = {"since": until - timedelta(days=days), "until": until}
    with transaction(engine) as connection:
        return [LiveAccuracy(*row) for row in connection.execute(query, bounds)]


def accuracy_by_day(
    engine: Engine, *, namespace: str, model: str, days: int
) -> list[tuple[date, LiveAccuracy]]:
    """Return a model's figures of each of the last days (UTC) and each version, newest first.

    Raises:
        DatabaseUnavailable: worth trying again, also if the schema is older.
    """
    until = _tomorrow()
    query = text(
        "SELECT day, namespace, model, version, predictions, labelled, correct, low, high"  # noqa: S608 - text of this file
        f" FROM {MIDNIGHTS} WHERE namespace = :namespace AND model = :model"
        " ORDER BY day DESC, version"
    )
    values = {
        "since": until - timedelta(days=days),
        "until": until,
        "namespace": namespace,
        "model": model,
    }
    with transaction(engine) as connection:
        return [(row[0], LiveAccuracy(*row[1:])) for row in connection.execute(query, values)]


def _tomorrow() -> datetime:
    """Return the coming midnight in UTC."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=1)
