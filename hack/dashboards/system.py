"""System health: servers, prediction log, controller and runs."""

from hack.dashboards.grafana import (
    MODEL,
    Dashboard,
    Panel,
    Query,
    Row,
    of_controller,
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
CPU = "rate(process_cpu_seconds_total[$__rate_interval])"


def both(expr: str) -> tuple[Query, ...]:
    """Return a figure of processes for servers and controller."""
    return (
        Query(of_servers(expr), "{{model}} {{pod}}"),
        Query(of_controller(expr), "controller {{pod}}"),
    )


def quantile(part: float, buckets: str, *, by: str = "le") -> str:
    """Return a quantile of a histogram."""
    return f"histogram_quantile({part}, sum by ({by}) ({buckets}))"


MODELS = Row(
    "Models",
    (
        Panel(
            "Models that are not ready",
            "Models whose spec is not what is live and answers. The table says what holds of each.",
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
            "Controller leads",
            "1 while one controller is the one writer. 0 is a controller that waits or has lost"
            " the API server.",
            "none",
            (Query("sum(taxon_lease_held)"),),
            kind="stat",
            steps=(1,),
        ),
        Panel(
            "Events not yet in the database",
            "Over every chosen server.",
            "none",
            (Query(f"sum({of_servers('prediction_log_spool_events')})"),),
            kind="stat",
            steps=(1_000, 10_000),
        ),
        Panel(
            "Conditions",
            "What the controller says of each model; docs/conditions.md has every reason.",
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
            "Since each process started. A saw is a process that is restarted again and again.",
            "s",
            both("(time() - process_start_time_seconds)"),
        ),
        Panel(
            "Memory",
            "Resident memory. A line that only rises ends at the container's limit.",
            "bytes",
            both("process_resident_memory_bytes"),
        ),
        Panel("Processor time", "Cores each process uses.", "none", both(CPU)),
    ),
)
LOG = Row(
    "Prediction log and its database",
    (
        Panel(
            "Spool",
            "Predictions on a server's disk that are not in the database yet. It grows while the"
            " database is away, and empties by itself.",
            "none",
            (Query(of_servers("prediction_log_spool_events"), "{{model}} {{pod}}"),),
        ),
        Panel(
            "Stored in the database",
            "Predictions a second that each server stores.",
            "ops",
            (
                Query(
                    of_servers("rate(prediction_log_written_total[$__rate_interval])"),
                    "{{model}} {{pod}}",
                ),
            ),
        ),
        Panel(
            "Dropped",
            "Predictions a second that were given up, by reason. Anything above 0 is lost.",
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
            "Open at this moment, and on average over time, those being opened too. A server opens"
            " one for a batch and keeps none; PostgreSQL's max_connections is the limit.",
            "none",
            (
                Query(f"sum({of_servers('database_connections')})", "at this moment"),
                Query(f"sum({of_servers(STORING)})", "on average"),
            ),
        ),
        Panel(
            "Time to store a batch",
            "From opening the connection to the commit, in the median and 19 times in 20. A batch"
            " holds up to 2,000 predictions.",
            "s",
            tuple(
                Query(quantile(part, of_servers(STORED)), f"p{part * 100:.0f}")
                for part in (0.5, 0.95)
            ),
        ),
        Panel(
            "Batches that were not stored",
            "Tries a second. After unavailable a batch stays in the spool and is tried again;"
            " after refused it is halved until the rows at fault are found and dropped.",
            "ops",
            (Query(f"sum by (outcome) ({of_servers(NOT_STORED)})", "{{outcome}}"),),
        ),
    ),
)
CONTROLLER = Row(
    "Controller",
    (
        Panel(
            "Reconciles",
            "Looks at a model a second, and those that failed, by reason.",
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
            "Most of it is waiting for the API server.",
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
            "How long a model that is due waits for a worker, 19 times in 20.",
            "s",
            (
                Query(
                    quantile(0.95, "rate(taxon_queue_age_seconds_bucket[$__rate_interval])"), "p95"
                ),
            ),
        ),
        Panel(
            "Models that are due",
            "A queue that does not empty wants more workers.",
            "none",
            (Query("max(taxon_queue_depth)", "due"),),
        ),
        Panel(
            "Age of the heartbeat",
            "Since the controller last saw its own heartbeat through its watch. Above 180 s it is"
            " blind and is restarted.",
            "s",
            (Query("max by (pod) (taxon_heartbeat_age_seconds)", "{{pod}}"),),
            steps=(60, 180),
        ),
        Panel(
            "Writes to the API server",
            "By verb and kind. A quiet cluster has none but the lease.",
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
            "From the first attempt to the outcome, in the median and 19 times in 20, over the"
            " last day and every model.",
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
    "Whether servers, prediction log, controller and runs do what they should.",
    (MODELS, PROCESSES, LOG, CONTROLLER, RUNS),
)
