"""The server's Prometheus metrics, named as the contracts name them."""

import threading
import time
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from taxon_contracts import metrics as names

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
CONFIDENCE_BUCKETS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
STORE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
MOST_IMPORTANT = 20
DROP_REASONS = (
    "queue_full",
    "spool_full",
    "spool_failed",
    "log_failed",
    "stopped",
    "refused",
    "unreadable",
    "newer_format",
    "set_aside_full",
)
LABEL_OUTCOMES = ("accepted", "pending", "refused")
STORE_OUTCOMES = ("stored", "unavailable", "refused")


class Telemetry:
    """The metrics of one server, in their own registry."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self._model = model
        ProcessCollector(registry=self.registry)
        self._predictions = self._counter(names.PREDICTIONS)
        self._unseen = self._counter(names.UNSEEN_CATEGORIES)
        self._requests = self._counter(names.REQUESTS)
        self._loaded = Gauge(*_declared(names.MODEL_LOADED), registry=self.registry)
        self._importance = Gauge(*_declared(names.FEATURE_IMPORTANCE), registry=self.registry)
        self._latency = Histogram(
            *_declared(names.PREDICTION_LATENCY), buckets=LATENCY_BUCKETS, registry=self.registry
        )
        self._confidence = ConfidenceHistogram(model)
        self.registry.register(self._confidence)
        self.spooled = Gauge(*_declared(names.LOG_SPOOL_EVENTS), registry=self.registry)
        self.dropped = self._counter(names.LOG_DROPPED)
        self.written = self._counter(names.LOG_WRITTEN)
        self.store_seconds = Histogram(
            *_declared(names.LOG_STORE_SECONDS), buckets=STORE_BUCKETS, registry=self.registry
        )
        self.set_aside_bytes = Gauge(*_declared(names.LOG_SET_ASIDE_BYTES), registry=self.registry)
        self._log_seconds = self._counter(names.LOG_CPU_SECONDS)
        self._counted = threading.local()
        self._labels = self._counter(names.LABELS_RECEIVED)
        self.connections = Gauge(*_declared(names.DATABASE_CONNECTIONS), registry=self.registry)
        for reason in DROP_REASONS:
            self.dropped.labels(reason)
        for outcome in STORE_OUTCOMES:
            self.store_seconds.labels(outcome)

    def _counter(self, metric: names.Metric) -> Counter:
        return Counter(*_declared(metric), registry=self.registry)

    def loaded(
        self,
        version: str,
        classes: Iterable[str | int],
        importances: Mapping[str, float],
        *,
        categorical: Iterable[str] = (),
    ) -> None:
        """Report the loaded version, start its counters at zero, and export its importances."""
        self._loaded.labels(self._model, version).set(1)
        largest = sorted(importances.items(), key=lambda item: -item[1])[:MOST_IMPORTANT]
        for feature, importance in largest:
            self._importance.labels(self._model, version, feature).set(importance)
        self._confidence.version = version
        self._by_label = {
            label: self._predictions.labels(self._model, version, str(label)) for label in classes
        }
        self._latency_here = self._latency.labels(self._model, version)
        for outcome in LABEL_OUTCOMES:
            self._labels.labels(self._model, version, outcome)
        self._unseen_of = {
            feature: self._unseen.labels(self._model, version, feature) for feature in categorical
        }

    def predicted(
        self, labels: Sequence[str | int], confidence: Sequence[float], seconds: float
    ) -> None:
        """Count one answered request: each row's label and its probability, and the latency."""
        for label, count in Tally(labels).items():
            self._by_label[label].inc(count)
        self._confidence.observe(confidence)
        self._latency_here.observe(seconds)

    def unseen(self, feature: str, count: int) -> None:
        """Count answered values of a feature whose category no training row had."""
        self._unseen_of[feature].inc(count)

    def count_processor(self) -> None:
        """Add the processor time of a thread of the log since it last called this."""
        seconds = time.thread_time()
        self._log_seconds.inc(seconds - getattr(self._counted, "seconds", 0.0))
        self._counted.seconds = seconds

    def labelled(self, version: str, outcomes: Mapping[str, int]) -> None:
        """Count labels by what became of them."""
        for outcome, count in outcomes.items():
            self._labels.labels(self._model, version, outcome).inc(count)

    def requested(self, version: str, endpoint: str, method: str, code: int) -> None:
        """Count one HTTP request."""
        self._requests.labels(self._model, version, endpoint, method, str(code)).inc()


class ConfidenceHistogram(Collector):
    """A histogram that takes a whole batch in one step, from any thread."""

    def __init__(self, model: str) -> None:
        self.version = ""
        self._model = model
        self._lock = threading.Lock()
        self._counts = [0] * (len(CONFIDENCE_BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, confidence: Sequence[float]) -> None:
        """Add one observation per row."""
        places = Tally(bisect_left(CONFIDENCE_BUCKETS, value) for value in confidence)
        with self._lock:
            for place, count in places.items():
                self._counts[place] += count
            self._sum += sum(confidence)

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Return the family as Prometheus reads it."""
        metric = names.PREDICTION_CONFIDENCE
        family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        if self.version:
            with self._lock:
                below, total = list(accumulate(self._counts)), self._sum
            bounds = [*map(str, CONFIDENCE_BUCKETS), "+Inf"]
            buckets = list(zip(bounds, below, strict=True))
            family.add_metric([self._model, self.version], buckets, total)
        yield family


def _declared(metric: names.Metric) -> tuple[str, str, tuple[str, ...]]:
    return metric.name, metric.help, metric.labels
