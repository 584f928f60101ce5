"""What the monitor reads at intervals for Prometheus; a scrape never waits for the database."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from taxon_contracts import metrics as names
from taxon_datastore.accuracy import LiveAccuracy, accuracy_of_days
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine
from taxon_datastore.datasets.newest import Newest, newest_versions
from taxon_datastore.log_size import LogSize, log_size
from taxon_monitor.telemetry import Figures, Telemetry

_log = structlog.get_logger("taxon_monitor")

READING_SECONDS = 60.0
"""Longest time of one statement; nobody waits for it."""
REST = 20
"""A reading rests this many times as long as it took, so that it costs the database a twentieth of
one core at most, however long the log is."""
DAYS = 7
"""Days of labelled share and live accuracy, as the metrics say."""

Reading = Callable[[], Figures]


def readings(url: str) -> Mapping[str, Reading]:
    """Return what can be read from a database, by the name of the query.

    Raises:
        ValueError: the URL is not one of PostgreSQL.
    """
    database = engine(url, statement_seconds=READING_SECONDS)
    return {
        "log_size": lambda: of_log(log_size(database)),
        "live_accuracy": lambda: of_accuracy(accuracy_of_days(database, days=DAYS)),
        "newest_versions": lambda: of_datasets(newest_versions(database)),
    }


def of_log(size: LogSize) -> Figures:
    """Return how much of the log there is, and how far ahead its partitions reach."""
    oldest: dict[tuple[str, ...], float] = {(): size.oldest.timestamp()} if size.oldest else {}
    return {
        names.LOG_OLDEST_SECONDS: oldest,
        names.LOG_BYTES: {(): size.bytes},
        names.LOG_DAYS_AHEAD: {(): size.days_ahead},
    }


def of_datasets(newest: Iterable[Newest]) -> Figures:
    """Return the newest version of every data set."""
    return {names.DATASET_VERSION: {(one.namespace, one.name): one.version for one in newest}}


def of_accuracy(found: Iterable[LiveAccuracy]) -> Figures:
    """Return the labelled share of every version, and the accuracy of those with labels."""
    versions = {(one.namespace, one.model, one.version): one for one in found}
    return {
        names.LABELLED_SHARE: {key: one.share_labelled for key, one in versions.items()},
        names.LIVE_ACCURACY: {
            key: one.accuracy for key, one in versions.items() if one.accuracy is not None
        },
    }


class Watch:
    """Reads everything again and again in a thread; what fails keeps its last figures."""

    def __init__(
        self, readings: Mapping[str, Reading], telemetry: Telemetry, interval_seconds: float
    ) -> None:
        self._readings = readings
        self._telemetry = telemetry
        self._interval_seconds = interval_seconds

    def start(self) -> None:
        """Begin; the thread ends with the process."""
        threading.Thread(target=self._run, name="readings", daemon=True).start()

    def _run(self) -> None:
        due = dict.fromkeys(self._readings, time.monotonic())
        while True:
            query = min(due, key=due.__getitem__)
            time.sleep(max(0.0, due[query] - time.monotonic()))
            started = time.monotonic()
            self._take(query, self._readings[query])
            ended = time.monotonic()
            due[query] = ended + max(self._interval_seconds, REST * (ended - started))

    def _take(self, query: str, read: Reading) -> None:
        try:
            with self._telemetry.query(query):
                figures = read()
        except (DatabaseRefused, DatabaseUnavailable) as error:
            _log.warning("reading_failed", query=query, reason=str(error))
        except Exception:  # noqa: BLE001 - a fault of one reading must not end the others
            _log.exception("reading_failed", query=query)
        else:
            self._telemetry.figures.replace(figures)
