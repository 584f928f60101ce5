"""The metrics the controller shows of itself and of the models."""

import math
import threading
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from taxon_contracts import metrics
from taxon_contracts.metrics import Metric
from taxon_contracts.status import Outcome, Status, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.model import Model

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
RUN_SECONDS = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 10800, 36000)
SHARES = tuple(step / 20 for step in range(10, 21))


class Telemetry:
    """The controller's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconcile_seconds = self._histogram(metrics.RECONCILE_SECONDS, SECONDS)
        self.reconcile_errors = self._counter(metrics.RECONCILE_ERRORS)
        self.queue_age = self._histogram(metrics.QUEUE_AGE_SECONDS, SECONDS)
        self.queue_depth = self._gauge(metrics.QUEUE_DEPTH)
        self.writes = self._counter(metrics.API_WRITES)
        self.lease_held = self._gauge(metrics.LEASE_HELD)
        self.heartbeat_age = self._gauge(metrics.HEARTBEAT_AGE_SECONDS)
        self._run_seconds = self._histogram(metrics.RUN_SECONDS, RUN_SECONDS)
        self._conditions = self._gauge(metrics.MODEL_CONDITION)
        self._metrics = self._gauge(metrics.MODEL_METRIC)
        self._accuracy = self._histogram(metrics.MODEL_ACCURACY, SHARES)
        self._runs = self._counter(metrics.RUNS)
        self._limits = self._gauge(metrics.MODEL_GATE_LIMIT)
        self._live_since = self._gauge(metrics.MODEL_LIVE_SINCE_SECONDS)
        self._shown: dict[tuple[str, str], set[Series]] = {}
        self._lock = threading.Lock()
        ProcessCollector(registry=self.registry)
        for outcome in get_args(Outcome):
            self._run_seconds.labels(outcome)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(
            metric.name, metric.help, metric.labels, registry=self.registry, buckets=buckets
        )

    def show(self, model: Model, status: Status) -> None:
        """Show a model's conditions, its live version, its gate and its versions' metrics."""
        key = (model.namespace, model.name)
        now = self._series(model, status)
        with self._lock:
            self._withdraw(key, keep=set(now))
            for (gauge, labels), value in now.items():
                gauge.labels(*labels).set(value)
            self._shown[key] = set(now)
            for outcome in get_args(Outcome):
                self._runs.labels(*key, outcome)

    def _series(self, model: Model, status: Status) -> "dict[Series, float]":
        """Return a model's values, by gauge and labels."""
        key = (model.namespace, model.name)
        series: dict[Series, float] = {}
        for condition in status.conditions or ():
            series[self._conditions, (*key, condition.type, condition.status)] = 1
        for record in status.versions or ():
            for figure in record.metrics or ():
                series[self._metrics, (*key, record.version, figure.name)] = float(figure.value)
        if status.live:
            since = clock.parse(status.live.since_time).timestamp()
            series[self._live_since, (*key, status.live.version)] = since
        for limit in (model.parsed and model.parsed.gate.limits) or ():
            for bound, value in (("min", limit.min), ("max", limit.max)):
                if value is not None:
                    series[self._limits, (*key, limit.metric, bound)] = value
        return series

    def forget(self, namespace: str, name: str) -> None:
        """Remove the values of a deleted model."""
        with self._lock:
            self._withdraw((namespace, name), keep=set())
            if self._shown.pop((namespace, name), None) is not None:
                for outcome in get_args(Outcome):
                    self._runs.remove(namespace, name, outcome)

    def _withdraw(self, key: tuple[str, str], *, keep: "set[Series]") -> None:
        for gauge, labels in self._shown.get(key, set()) - keep:
            gauge.remove(*labels)

    def count_runs(self, model: Model, status: Status) -> None:
        """Count the runs whose outcome is new in a status that was just written.

        One that was cancelled for another spec does not count as failed.
        """
        known = {(one.version, one.completion_time) for one in model.status.versions or ()}
        for record in status.versions or ():
            is_new = (record.version, record.completion_time) not in known
            if is_new and record.reason != "Superseded":
                self._count(model, record)

    def _count(self, model: Model, record: VersionRecord) -> None:
        ended = clock.parse(record.completion_time)
        begun = clock.parse(record.start_time or record.completion_time)
        self._runs.labels(model.namespace, model.name, record.outcome).inc()
        self._run_seconds.labels(record.outcome).observe((ended - begun).total_seconds())
        for figure in record.metrics or ():
            if figure.name == "accuracy" and math.isfinite(float(figure.value)):
                self._accuracy.labels(model.namespace, model.name).observe(float(figure.value))


Series = tuple[Gauge, tuple[str, ...]]
