"""The prediction log: off the request's path to disk, from disk to the database.

One thread writes what was answered to the spool, another moves the spool to the database. Neither
can slow or fail an answer, and no error ends them before the server ends; drops are counted.
Labels take the same way.
"""

import threading
import time

from taxon_datastore.rows import Rows
from taxon_model_server.prediction_log.batches import Batch, LoggedVersion
from taxon_model_server.prediction_log.rows import RowEncoder
from taxon_model_server.prediction_log.shipper import Shipper
from taxon_model_server.prediction_log.spool import Spool
from taxon_model_server.prediction_log.store import Store
from taxon_model_server.prediction_log.waiting import Promise, Waiting
from taxon_model_server.prediction_log.writer import NotSpooled, Writer, lose
from taxon_model_server.telemetry import Telemetry

KEEP_SECONDS = 5.0
"""How long rows that somebody waits for may take to the disk."""


class PredictionLog:
    """Logs every prediction of one model, and the labels that clients send."""

    def __init__(
        self,
        namespace: str,
        model: str,
        spool: Spool,
        store: Store,
        telemetry: Telemetry,
        *,
        retention_days: int | None = None,
    ) -> None:
        """Take how many days the database keeps the rows, None for the platform's number."""
        self._names = (namespace, model)
        self._retention_days = retention_days
        self._spool = spool
        self._telemetry = telemetry
        self._waiting = Waiting()
        self._encoding: tuple[LoggedVersion, RowEncoder] | None = None
        spooled = threading.Event()
        self._writer = Writer(self._waiting, spool, telemetry, self._encoder, spooled=spooled)
        self._shipper = Shipper(spool, store, telemetry, spooled=spooled, after=self._writer)

    def start(self) -> None:
        """Start both threads; segments an earlier process left are moved first.

        Raises:
            RuntimeError: a thread does not start; nothing is taken any more.
        """
        self._telemetry.spooled.set(self._spool.rows)
        self._telemetry.set_aside_bytes.set(self._spool.aside.size)
        try:
            self._writer.start()
            self._shipper.start()
        except Exception:
            lose(self._waiting.end(), "stopped", self._telemetry)
            raise

    def put(self, batch: Batch) -> None:
        """Queue a batch without waiting; if it cannot be taken, drop and count it."""
        reason = self._waiting.put(batch)
        if reason:
            self._telemetry.dropped.labels(reason).inc(batch.count)

    def keep(self, rows: Rows, seconds: float = KEEP_SECONDS) -> None:
        """Return once rows are on disk.

        Raises:
            NotSpooled: they are not, or not within the time.
        """
        promise = Promise(rows)
        reason = self._waiting.put(promise)
        if reason:
            raise NotSpooled(reason)
        try:
            promise.kept.result(seconds)
        except TimeoutError as error:
            raise NotSpooled(f"not on disk within {seconds:g} s") from error

    def close(self, seconds: float) -> None:
        """Write what is in memory, and try to store the spool until it is empty or time is over."""
        deadline = time.monotonic() + seconds
        self._waiting.close()
        if self._writer.is_alive():
            self._writer.join(seconds)
        self._shipper.close(max(0.0, deadline - time.monotonic()))
        lose(self._waiting.end(), "stopped", self._telemetry)
        self._spool.close()

    def _encoder(self, of: LoggedVersion) -> RowEncoder:
        if self._encoding is None or self._encoding[0] is not of:
            encoder = RowEncoder(*self._names, of, retention_days=self._retention_days)
            self._encoding = of, encoder
        return self._encoding[1]
