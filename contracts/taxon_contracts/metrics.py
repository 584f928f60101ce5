"""Names and labels of every Prometheus metric; tests compare dashboards and alerts with them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One metric family as it is scraped."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str


PREDICTIONS = Metric(
    "predictions_total", "counter", ("model", "version", "label"), "Rows answered, by label."
)
PREDICTION_LATENCY = Metric(
    "prediction_latency_seconds",
    "histogram",
    ("model", "version"),
    "Seconds from a request's last byte to its answer.",
)
PREDICTION_CONFIDENCE = Metric(
    "prediction_confidence",
    "histogram",
    ("model", "version"),
    "Probability of the label that was answered.",
)
UNSEEN_CATEGORIES = Metric(
    "unseen_categories_total",
    "counter",
    ("model", "version", "feature"),
    "Values answered whose category was not in the training rows.",
)
REQUESTS = Metric(
    "requests_total",
    "counter",
    ("model", "version", "endpoint", "method", "code"),
    "HTTP requests, by route and status code.",
)
MODEL_LOADED = Metric(
    "model_loaded", "gauge", ("model", "version"), "1 while a verified bundle is served."
)
FEATURE_IMPORTANCE = Metric(
    "feature_importance",
    "gauge",
    ("model", "version", "feature"),
    "How much the metric fell when a feature was shuffled, for the 20 that matter most.",
)
LOG_SPOOL_EVENTS = Metric(
    "prediction_log_spool_events", "gauge", (), "Prediction events not yet in the database."
)
LOG_DROPPED = Metric(
    "prediction_log_dropped_total",
    "counter",
    ("reason",),
    "Prediction events dropped, by reason.",
)
LOG_WRITTEN = Metric(
    "prediction_log_written_total", "counter", (), "Prediction events stored in the database."
)
LOG_STORE_SECONDS = Metric(
    "prediction_log_store_seconds",
    "histogram",
    ("outcome",),
    "Seconds an attempt to store a batch of events took, by outcome.",
)
LOG_CPU_SECONDS = Metric(
    "prediction_log_cpu_seconds_total",
    "counter",
    (),
    "Processor seconds of the threads that write and store the log.",
)
LOG_SET_ASIDE_BYTES = Metric(
    "prediction_log_set_aside_bytes",
    "gauge",
    (),
    "Bytes of events that were refused or unreadable and are kept for a person.",
)
LABELS_RECEIVED = Metric(
    "labels_received_total",
    "counter",
    ("model", "version", "outcome"),
    "Labels sent by clients, by outcome.",
)
DATABASE_CONNECTIONS = Metric(
    "database_connections", "gauge", (), "Connections to the database that are open."
)

SERVER_METRICS = (
    PREDICTIONS,
    PREDICTION_LATENCY,
    PREDICTION_CONFIDENCE,
    UNSEEN_CATEGORIES,
    REQUESTS,
    MODEL_LOADED,
    FEATURE_IMPORTANCE,
    LOG_SPOOL_EVENTS,
    LOG_DROPPED,
    LOG_WRITTEN,
    LOG_STORE_SECONDS,
    LOG_CPU_SECONDS,
    LOG_SET_ASIDE_BYTES,
    LABELS_RECEIVED,
    DATABASE_CONNECTIONS,
)

RECONCILE_SECONDS = Metric(
    "taxon_reconcile_seconds", "histogram", (), "Seconds one reconcile of one model took."
)
RECONCILE_ERRORS = Metric(
    "taxon_reconcile_errors_total", "counter", ("reason",), "Reconciles that failed, by reason."
)
QUEUE_AGE_SECONDS = Metric(
    "taxon_queue_age_seconds",
    "histogram",
    (),
    "Seconds a model waited between falling due and being reconciled.",
)
QUEUE_DEPTH = Metric("taxon_queue_depth", "gauge", (), "Models that are due.")
RUN_SECONDS = Metric(
    "taxon_run_seconds",
    "histogram",
    ("outcome",),
    "Seconds from a run's first attempt to its outcome.",
)
RUNS = Metric("taxon_runs_total", "counter", ("namespace", "model", "outcome"), "Runs, by outcome.")
API_WRITES = Metric(
    "taxon_api_writes_total", "counter", ("verb", "kind"), "Writes to the API server."
)
LEASE_HELD = Metric("taxon_lease_held", "gauge", (), "1 while this process is the one writer.")
HEARTBEAT_AGE_SECONDS = Metric(
    "taxon_heartbeat_age_seconds",
    "gauge",
    (),
    "Seconds since the controller saw its own heartbeat through its watch.",
)
MODEL_CONDITION = Metric(
    "model_condition",
    "gauge",
    ("namespace", "model", "type", "status"),
    "1 for the status a condition of a model has.",
)
MODEL_METRIC = Metric(
    "model_metric",
    "gauge",
    ("namespace", "model", "version", "metric"),
    "Metrics of kept versions on their held-out rows.",
)
MODEL_GATE_LIMIT = Metric(
    "model_gate_limit",
    "gauge",
    ("namespace", "model", "metric", "bound"),
    "Limits of a model's gate; bound is min or max.",
)
MODEL_LIVE_SINCE_SECONDS = Metric(
    "model_live_since_seconds",
    "gauge",
    ("namespace", "model", "version"),
    "Unix time at which a model's live version became live.",
)
MODEL_ACCURACY = Metric(
    "model_accuracy",
    "histogram",
    ("namespace", "model"),
    "Accuracy on the held-out rows, over evaluations.",
)

CONTROLLER_METRICS = (
    RECONCILE_SECONDS,
    RECONCILE_ERRORS,
    QUEUE_AGE_SECONDS,
    QUEUE_DEPTH,
    RUN_SECONDS,
    RUNS,
    API_WRITES,
    LEASE_HELD,
    HEARTBEAT_AGE_SECONDS,
    MODEL_CONDITION,
    MODEL_METRIC,
    MODEL_GATE_LIMIT,
    MODEL_LIVE_SINCE_SECONDS,
    MODEL_ACCURACY,
)

LOG_OLDEST_SECONDS = Metric(
    "prediction_log_oldest_seconds", "gauge", (), "Unix time of the oldest day in the log."
)
LOG_BYTES = Metric(
    "prediction_log_bytes", "gauge", (), "Bytes of the log in the database, indexes included."
)
LOG_DAYS_AHEAD = Metric(
    "prediction_log_days_ahead", "gauge", (), "Coming days that have a partition."
)
LABELLED_SHARE = Metric(
    "labelled_share",
    "gauge",
    ("namespace", "model", "version"),
    "Share of the last seven days' predictions that have a label.",
)
LIVE_ACCURACY = Metric(
    "live_accuracy",
    "gauge",
    ("namespace", "model", "version"),
    "Share of the last seven days' labelled predictions that were right.",
)
DATASET_VERSION = Metric(
    "dataset_version", "gauge", ("namespace", "dataset"), "Newest version of a data set."
)
MONITOR_READ_SECONDS = Metric(
    "taxon_monitor_read_seconds", "histogram", ("query",), "Seconds a query of the monitor took."
)
MONITOR_ERRORS = Metric(
    "taxon_monitor_errors_total", "counter", ("query",), "Queries of the monitor that failed."
)

MONITOR_METRICS = (
    LOG_OLDEST_SECONDS,
    LOG_BYTES,
    LOG_DAYS_AHEAD,
    LABELLED_SHARE,
    LIVE_ACCURACY,
    DATASET_VERSION,
    MONITOR_READ_SECONDS,
    MONITOR_ERRORS,
)
