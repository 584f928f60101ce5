"""API performance: requests, errors, latency and saturation."""

from hack.dashboards.grafana import VERSION, Dashboard, Panel, Query, Row, of_servers

ASKED = 'endpoint=~"/predict(-batch)?|/v2/models/.+/infer"'
"""The endpoints that predict, as the alerts' objectives count them."""
FAILED = 'code=~"5.."'
REFUSED = 'code=~"4.."'
TURNED_AWAY = 'code=~"413|429|503"'
AVAILABILITY_BUDGET = 0.001
LATENCY_BUDGET = 0.01


def requests(more: str = "", *, window: str = "$__rate_interval", by: str = "") -> str:
    """Return the rate of prediction requests."""
    chosen = ",".join(filter(None, (VERSION, ASKED, more)))
    return f"sum{f' by ({by})' if by else ''} (rate(requests_total{{{chosen}}}[{window}]))"


def share(more: str, *, window: str = "$__rate_interval") -> str:
    """Return the share of prediction requests that match; 0 if none does."""
    every = requests(window=window)
    return f"({requests(more, window=window)} or 0 * {every}) / {every}"


def slow(window: str) -> str:
    """Return the share of requests that took longer than a tenth of a second."""
    within = f'prediction_latency_seconds_bucket{{{VERSION},le="0.1"}}[{window}]'
    every = f"prediction_latency_seconds_count{{{VERSION}}}[{window}]"
    return f"1 - sum(rate({within})) / sum(rate({every}))"


def quantile(part: float, by: str = "") -> str:
    """Return a quantile of the latency, in seconds."""
    buckets = f"rate(prediction_latency_seconds_bucket{{{VERSION}}}[$__rate_interval])"
    return f"histogram_quantile({part}, sum by ({', '.join(filter(None, ('le', by)))}) ({buckets}))"


AT_A_GLANCE = Row(
    "At a glance",
    (
        Panel(
            "Requests",
            "Prediction requests per second, all selected models and versions.",
            "reqps",
            (Query(requests()),),
            kind="stat",
            width=6,
        ),
        Panel(
            "Failed requests",
            "Share of prediction requests that ended in a 5xx. The objective is below 0.1 %.",
            "percentunit",
            (Query(share(FAILED)),),
            kind="stat",
            width=6,
            steps=(0.001, 0.01),
        ),
        Panel(
            "p99 latency",
            "99 of 100 requests are answered within this time. The objective is 100 ms.",
            "s",
            (Query(quantile(0.99)),),
            kind="stat",
            width=6,
            steps=(0.05, 0.1),
        ),
        Panel(
            "Ready servers",
            "Server pods with a verified bundle, all selected models and versions.",
            "none",
            (Query(f"sum(model_loaded{{{VERSION}}})"),),
            kind="stat",
            width=6,
            steps=(1,),
        ),
    ),
)
TRAFFIC = Row(
    "Traffic",
    (
        Panel(
            "Requests by endpoint",
            "All requests by route, including probes and scrapes. unmatched: the path does not"
            " exist.",
            "reqps",
            (
                Query(
                    f"sum by (endpoint) (rate(requests_total{{{VERSION}}}[$__rate_interval]))",
                    "{{endpoint}}",
                ),
            ),
        ),
        Panel(
            "Answers by status code",
            "Prediction requests by status: 4xx is the client's mistake, 5xx is the server's.",
            "reqps",
            (Query(requests(by="code"), "{{code}}"),),
            stacked=True,
        ),
        Panel(
            "Error rate",
            "Share of prediction requests that were refused (4xx) and that failed (5xx).",
            "percentunit",
            (Query(share(FAILED), "5xx"), Query(share(REFUSED), "4xx")),
        ),
    ),
)
LATENCY = Row(
    "Latency",
    (
        Panel(
            "Latency",
            "From a request's last byte to its answer, measured in the server, without the network"
            " and the Gateway.",
            "s",
            tuple(Query(quantile(part), f"p{part * 100:.0f}") for part in (0.5, 0.95, 0.99)),
        ),
        Panel(
            "p99 latency by version",
            "Shows whether a new version is slower than the previous one.",
            "s",
            (
                Query(
                    quantile(0.99, by="namespace, model, version"),
                    "{{namespace}}/{{model}} {{version}}",
                ),
            ),
        ),
        Panel(
            "Latency distribution",
            "Number of requests by latency: darker means more.",
            "s",
            (
                Query(
                    "sum by (le) (increase(prediction_latency_seconds_bucket"
                    f"{{{VERSION}}}[$__rate_interval]))",
                    "{{le}}",
                ),
            ),
            kind="heatmap",
        ),
    ),
)
SATURATION = Row(
    "Saturation",
    (
        Panel(
            "Processor time by server",
            "Cores used by each server. Small requests use one core: near 1, add replicas.",
            "none",
            (
                Query(
                    of_servers("rate(process_cpu_seconds_total[$__rate_interval])"),
                    "{{model}} {{pod}}",
                ),
            ),
            steps=(0.7, 0.9),
        ),
        Panel(
            "Open connections and files",
            "Open file descriptors as a share of the server's limit. Near 1, the server refuses"
            " connections.",
            "percentunit",
            (Query(of_servers("process_open_fds / process_max_fds"), "{{model}} {{pod}}"),),
            maximum=1,
        ),
        Panel(
            "Refused requests",
            "Requests per second that were over the rate limit (429), too large (413), or sent"
            " before the model was loaded (503).",
            "reqps",
            (
                Query(
                    f"{requests(TURNED_AWAY)} or 0 * {requests()}",
                    "refused",
                ),
            ),
        ),
    ),
)
OBJECTIVES = Row(
    "Objectives",
    (
        Panel(
            "Burn rate of the availability objective",
            "How many times faster than allowed errors use up the budget of 0.1 %. Above 14.4 over"
            " one hour, the budget of 30 days is used up in two days.",
            "none",
            tuple(
                Query(f"({share(FAILED, window=window)}) / {AVAILABILITY_BUDGET}", window)
                for window in ("5m", "1h", "6h")
            ),
            width=12,
            steps=(6, 14.4),
        ),
        Panel(
            "Burn rate of the latency objective",
            "The same for the budget of 1 % of requests that may take longer than 100 ms.",
            "none",
            tuple(
                Query(f"({slow(window)}) / {LATENCY_BUDGET}", window)
                for window in ("5m", "1h", "6h")
            ),
            width=12,
            steps=(6, 14.4),
        ),
    ),
)

DASHBOARD = Dashboard(
    "taxon-api",
    "Taxon / API performance",
    "Traffic, errors, latency and saturation of the models' servers.",
    (AT_A_GLANCE, TRAFFIC, LATENCY, SATURATION, OBJECTIVES),
)
