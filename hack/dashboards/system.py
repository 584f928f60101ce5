"""System health: servers, prediction log, database, controller and runs."""

from hack.dashboards.grafana import (
    MODEL,
    Dashboard,
    Panel,
    Query,
    Row,
    of_controller,
    of_monitor,
    of_servers,
)

CONDITION = "max by (namespace, model, type)"
HOLDS = (
    f'({CONDITION} (model_condition{{{MODEL},status="True"}})'
    f" or 0 * {CONDITION} (model_condition{{{MODEL}}}))"
)
STORED = 'rate(prediction_log_store_seconds_bucket{outcome="stored"}[$__rate_interval])'
NOT_STORED = 'rate(prediction_log_store_seconds_count{outcome!="stored"}[$__rate_interval])'
STORING = "rate(prediction_log_store_seconds_sum[$__rate_interval])"
LOG_CPU = "rate(prediction_log_cpu_seconds_total[$__rate_interval])"
WRITTEN = "rate(prediction_log_written_total[$__rate_interval])"
READING = "rate(taxon_monitor_read_seconds_bucket[$__rate_interval])"
CPU = "rate(process_cpu_seconds_total[$__rate_interval])"


def every_process(expr: str) -> tuple[Query, ...]:
    """Return queries of a process metric for servers, controller and monitor."""
    return (
        Query(of_servers(expr), "{{model}} {{pod}}"),
        Query(of_controller(expr), "controller {{pod}}"),
        Query(of_monitor(expr), "monitor {{pod}}"),
    )


def quantile(part: float, buckets: str, *, by: str = "le") -> str:
    """Return a quantile of a histogram."""
    return f"histogram_quantile({part}, sum by ({by}) ({buckets}))"


MODELS = Row(
    "Models",
    (
        Panel(
            "Models that are not ready",
            "Models whose desired version is not live or does not answer. The table shows the"
            " conditions of each.",
            "none",
            (
                Query(
                    f'sum(model_condition{{{MODEL},type="Ready",status!="True"}}) or vector(0)',
                ),
            ),
            kind="stat",
            steps=(1, 2),
        ),
        Panel(
            "Controller is leader",
            "1 while a controller holds the Lease. 0 while it waits for the Lease or cannot reach"
            " the API server.",
            "none",
            (Query("sum(taxon_lease_held)"),),
            kind="stat",
            steps=(1,),
        ),
        Panel(
            "Events not yet in the database",
            "All selected servers.",
            "none",
            (Query(f"sum({of_servers('prediction_log_spool_events')})"),),
            kind="stat",
            steps=(1_000, 10_000),
        ),
        Panel(
            "Conditions",
            "The conditions of each model; docs/conditions.md lists every reason.",
            "bool_yes_no",
            (Query(f'label_join({HOLDS}, "name", "/", "namespace", "model")'),),
            kind="table",
            width=24,
            matrix=("name", "type"),
        ),
    ),
)
PROCESSES = Row(
    "Processes",
    (
        Panel(
            "Uptime",
            "Time since each process started. A sawtooth is a process that restarts repeatedly.",
            "s",
            every_process("(time() - process_start_time_seconds)"),
        ),
        Panel(
            "Memory",
            "Resident memory. If it only rises, the process will reach the container's limit.",
            "bytes",
            every_process("process_resident_memory_bytes"),
        ),
        Panel("Processor time", "Cores used by each process.", "none", every_process(CPU)),
    ),
)
LOG = Row(
    "Prediction log and its database",
    (
        Panel(
            "Spool",
            "Predictions on a server's disk that are not in the database yet. It grows while the"
            " database is down; afterwards the server stores them.",
            "none",
            (Query(of_servers("prediction_log_spool_events"), "{{model}} {{pod}}"),),
        ),
        Panel(
            "Stored in the database",
            "Predictions stored per second, by server.",
            "ops",
            (
                Query(
                    of_servers(WRITTEN),
                    "{{model}} {{pod}}",
                ),
            ),
        ),
        Panel(
            "Dropped",
            "Predictions dropped per second, by reason. They are missing from the log.",
            "ops",
            (
                Query(
                    "sum by (reason)"
                    f" ({of_servers('rate(prediction_log_dropped_total[$__rate_interval])')})",
                    "{{reason}}",
                ),
            ),
        ),
        Panel(
            "Connections to the database",
            "Open now, and on average over time, including those being opened. A server opens one"
            " for each batch; PostgreSQL's max_connections is the limit.",
            "none",
            (
                Query(f"sum({of_servers('database_connections')})", "now"),
                Query(f"sum({of_servers(STORING)})", "on average"),
            ),
        ),
        Panel(
            "Time to store a batch",
            "From opening the connection to the commit: median and 95th percentile. A batch has up"
            " to 2,000 predictions.",
            "s",
            tuple(
                Query(quantile(part, of_servers(STORED)), f"p{part * 100:.0f}")
                for part in (0.5, 0.95)
            ),
        ),
        Panel(
            "Batches that were not stored",
            "Tries per second. unavailable: the batch stays in the spool and is retried. refused:"
            " the batch is halved until the rows at fault are found and dropped.",
            "ops",
            (Query(f"sum by (outcome) ({of_servers(NOT_STORED)})", "{{outcome}}"),),
        ),
        Panel(
            "Processor time per logged row",
            "From the answer to the commit in the database, on the server's side, all selected"
            " servers.",
            "s",
            (Query(f"sum({of_servers(LOG_CPU)}) / sum({of_servers(WRITTEN)})", "per row"),),
        ),
        Panel(
            "Share of a core used by the log",
            "What each server's log takes of one core.",
            "percentunit",
            (Query(of_servers(LOG_CPU), "{{model}} {{pod}}"),),
        ),
        Panel(
            "Set aside",
            "Bytes of events that were refused by the database or could not be read. They stay on"
            " the server's disk for a person to look at.",
            "bytes",
            (Query(of_servers("prediction_log_set_aside_bytes"), "{{model}} {{pod}}"),),
        ),
    ),
)
DATABASE = Row(
    "Data in the database",
    (
        Panel(
            "Oldest day of the log",
            "database.retentionDays of the chart is the limit; the daily maintenance drops what is"
            " older.",
            "dateTimeFromNow",
            (Query("max(prediction_log_oldest_seconds) * 1000"),),
            kind="stat",
        ),
        Panel(
            "Coming days with a partition",
            "The daily maintenance keeps it at 13. Rows of a day without a partition go to the"
            " default one.",
            "none",
            (Query("min(prediction_log_days_ahead)"),),
            kind="stat",
            steps=(3,),
        ),
        Panel(
            "Queries of the monitor that fail",
            "Per second, by query. Meanwhile the figures it exports stay as they were.",
            "ops",
            (Query("sum(rate(taxon_monitor_errors_total[$__rate_interval]))"),),
            kind="stat",
        ),
        Panel(
            "Size of the log",
            "All predictions in the database, with their indexes.",
            "bytes",
            (Query("max(prediction_log_bytes)", "log"),),
        ),
        Panel(
            "Newest version of each data set",
            "A model of a data set without a version is trained when this number rises.",
            "none",
            (Query('max by (namespace, dataset) (dataset_version{namespace=~"$namespace"})'),),
            kind="table",
            matrix=("dataset", "namespace"),
        ),
        Panel(
            "Time of the monitor's queries",
            "95th percentile, by query.",
            "s",
            (Query(quantile(0.95, READING, by="le, query"), "{{query}}"),),
        ),
    ),
)
CONTROLLER = Row(
    "Controller",
    (
        Panel(
            "Reconciles",
            "Reconciliations per second, and failed ones by reason.",
            "ops",
            (
                Query("sum(rate(taxon_reconcile_seconds_count[$__rate_interval]))", "all"),
                Query(
                    "sum by (reason) (rate(taxon_reconcile_errors_total[$__rate_interval]))"
                    " or 0 * sum(rate(taxon_reconcile_seconds_count[$__rate_interval]))",
                    "failed {{reason}}",
                ),
            ),
        ),
        Panel(
            "Time of one reconcile",
            "Median and 95th percentile. Most of the time is spent waiting for the API server.",
            "s",
            tuple(
                Query(
                    quantile(part, "rate(taxon_reconcile_seconds_bucket[$__rate_interval])"),
                    f"p{part * 100:.0f}",
                )
                for part in (0.5, 0.95)
            ),
        ),
        Panel(
            "Waiting before a reconcile",
            "How long a model that is due waits for a worker: 95th percentile.",
            "s",
            (
                Query(
                    quantile(0.95, "rate(taxon_queue_age_seconds_bucket[$__rate_interval])"), "p95"
                ),
            ),
        ),
        Panel(
            "Models that are due",
            "If the queue does not empty, add workers.",
            "none",
            (Query("max(taxon_queue_depth)", "due"),),
        ),
        Panel(
            "Age of the heartbeat",
            "Time since the controller's watch last delivered its own heartbeat. Above 180 s the"
            " controller is restarted.",
            "s",
            (Query("max by (pod) (taxon_heartbeat_age_seconds)", "{{pod}}"),),
            steps=(60, 180),
        ),
        Panel(
            "Writes to the API server",
            "By verb and kind. Without changes there are only those of the Lease.",
            "wps",
            (
                Query(
                    "sum by (verb, kind) (rate(taxon_api_writes_total[$__rate_interval]))",
                    "{{verb}} {{kind}}",
                ),
            ),
        ),
    ),
)
RUNS = Row(
    "Runs",
    (
        Panel(
            "Runs by outcome",
            "Runs that ended within the last day, by model and outcome.",
            "none",
            (
                Query(
                    "sum by (namespace, model, outcome)"
                    f" (increase(taxon_runs_total{{{MODEL}}}[1d]))",
                    "{{namespace}}/{{model}} {{outcome}}",
                ),
            ),
            width=12,
        ),
        Panel(
            "Time of a run",
            "From the first attempt to the outcome: median and 95th percentile over the last day,"
            " all models.",
            "s",
            tuple(
                Query(
                    quantile(part, "increase(taxon_run_seconds_bucket[1d])", by="le, outcome"),
                    f"p{part * 100:.0f} {{{{outcome}}}}",
                )
                for part in (0.5, 0.95)
            ),
            width=12,
        ),
    ),
)

DASHBOARD = Dashboard(
    "taxon-system",
    "Taxon / System health",
    "Health of servers, prediction log, database, controller and runs.",
    (MODELS, PROCESSES, LOG, DATABASE, CONTROLLER, RUNS),
)
