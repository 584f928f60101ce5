"""The monitor's Prometheus metrics, named as the contracts name them."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from taxon_contracts import metrics as names
from taxon_contracts.metrics import Metric

READ_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)

Figures = Mapping[Metric, Mapping[tuple[str, ...], float]]
"""Values of gauges, by the values of their labels."""


class Telemetry:
    """The metrics of one monitor, in their own registry."""

    def __init__(self, queries: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.figures = LastFigures()
        self.registry.register(self.figures)
        seconds, errors = names.MONITOR_READ_SECONDS, names.MONITOR_ERRORS
        self._seconds = Histogram(
            seconds.name, seconds.help, seconds.labels, buckets=READ_BUCKETS, registry=self.registry
        )
        self._errors = Counter(errors.name, errors.help, errors.labels, registry=self.registry)
        self._answered = time.monotonic()
        for query in queries:
            self._errors.labels(query)

    @contextmanager
    def query(self, name: str) -> Iterator[None]:
        """Measure a query of the database, and count it if it fails."""
        started = time.perf_counter()
        try:
            yield
        except Exception:
            self._errors.labels(name).inc()
            raise
        self._seconds.labels(name).observe(time.perf_counter() - started)
        self._answered = time.monotonic()

    @property
    def silent_seconds(self) -> float:
        """Return the seconds since the database answered; the start counts as an answer."""
        return time.monotonic() - self._answered


class LastFigures(Collector):
    """Gauges that keep what was read last; a reading replaces a gauge's series as a whole."""

    def __init__(self) -> None:
        self._last: dict[Metric, Mapping[tuple[str, ...], float]] = {}

    def replace(self, figures: Figures) -> None:
        """Show these figures from now on; other gauges stay."""
        self._last = {**self._last, **figures}

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the families as Prometheus reads them."""
        for metric, series in self._last.items():
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in series.items():
                family.add_metric(labels, value)
            yield family
