"""Model: what the versions answer, how sure they are, and how good they were found to be."""

from hack.dashboards.grafana import MODEL, VERSION, Dashboard, Panel, Query, Row

BY_CLASS = f"sum by (label) (rate(predictions_total{{{VERSION}}}[$__rate_interval]))"
ALL_CLASSES = f"sum(rate(predictions_total{{{VERSION}}}[$__rate_interval]))"
CONFIDENCE = f"prediction_confidence_bucket{{{VERSION}}}[$__rate_interval]"
LIVE = f"model_live_since_seconds{{{VERSION}}}"
OF_LIVE = f"model_metric{{{VERSION}}} and on (namespace, model, version) {LIVE}"

LIVE_NOW = Row(
    "Live now",
    (
        Panel(
            "Live version",
            "The version that has the traffic, and how long ago it got it.",
            "dateTimeFromNow",
            (Query(f"{LIVE} * 1000", "{{namespace}}/{{model}} {{version}}"),),
            kind="stat",
        ),
        Panel(
            "Accuracy of the live version",
            "On the held-out rows, at the end of its run.",
            "percentunit",
            (
                Query(
                    f'model_metric{{{VERSION},metric="accuracy"}}'
                    f" and on (namespace, model, version) {LIVE}",
                    "{{namespace}}/{{model}} {{version}}",
                ),
            ),
            kind="stat",
        ),
        Panel(
            "Predictions",
            "Rows answered a second.",
            "ops",
            (Query(ALL_CLASSES),),
            kind="stat",
        ),
    ),
)
ANSWERS = Row(
    "What it answers",
    (
        Panel(
            "Predictions by class",
            "Rows answered a second, by the label they got.",
            "ops",
            (Query(BY_CLASS, "{{label}}"),),
            stacked=True,
        ),
        Panel(
            "Share of each class",
            "A class whose share moves without a rollout means that what is asked has changed.",
            "percentunit",
            (Query(f"{BY_CLASS} / on () group_left () {ALL_CLASSES}", "{{label}}"),),
            stacked=True,
            maximum=1,
        ),
        Panel(
            "Predictions by version",
            "Rows answered a second, by version: during a rollout, from one to the other.",
            "ops",
            (
                Query(
                    "sum by (namespace, model, version)"
                    f" (rate(predictions_total{{{VERSION}}}[$__rate_interval]))",
                    "{{namespace}}/{{model}} {{version}}",
                ),
            ),
            stacked=True,
        ),
    ),
)
SURENESS = Row(
    "How sure it is",
    (
        Panel(
            "Confidence distribution",
            "Probability of the label that was answered, by how many rows had it: the darker, the"
            " more.",
            "percentunit",
            (Query(f"sum by (le) (increase({CONFIDENCE}))", "{{le}}"),),
            kind="heatmap",
        ),
        Panel(
            "Median and lowest confidence",
            "Half of the rows are answered with more than the median, nine in ten with more than"
            " the lower line.",
            "percentunit",
            tuple(
                Query(f"histogram_quantile({part}, sum by (le) (rate({CONFIDENCE})))", name)
                for part, name in ((0.5, "median"), (0.1, "lowest tenth"))
            ),
            maximum=1,
        ),
        Panel(
            "Unsure answers",
            "Share of rows whose label had a probability of 0.7 or less.",
            "percentunit",
            (
                Query(
                    "sum by (namespace, model, version) (rate(prediction_confidence_bucket"
                    f'{{{VERSION},le="0.7"}}[$__rate_interval]))'
                    " / sum by (namespace, model, version)"
                    f" (rate(prediction_confidence_count{{{VERSION}}}[$__rate_interval]))",
                    "{{namespace}}/{{model}} {{version}}",
                ),
            ),
            maximum=1,
        ),
    ),
)
QUALITY = Row(
    "How good it was found to be",
    (
        Panel(
            "Every metric by version",
            "On the held-out rows of each kept version, as its run found them.",
            "none",
            (Query(f"max by (version, metric) (model_metric{{{VERSION}}})"),),
            kind="table",
            width=16,
            matrix=("version", "metric"),
        ),
        Panel(
            "Accuracy by version",
            "On the held-out rows. The rows can differ from version to version when the table did.",
            "percentunit",
            (
                Query(
                    "max by (namespace, model, version)"
                    f' (model_metric{{{VERSION},metric="accuracy"}})',
                    "{{namespace}}/{{model}} {{version}}",
                ),
            ),
            kind="bargauge",
            maximum=1,
        ),
        Panel(
            "Live version against its gate",
            "Each metric of the live version that has a limit, and that limit.",
            "none",
            (
                Query(
                    f"({OF_LIVE}) and on (namespace, model, metric) model_gate_limit{{{MODEL}}}",
                    "{{namespace}}/{{model}} {{metric}}",
                ),
                Query(
                    f"model_gate_limit{{{MODEL}}}", "{{namespace}}/{{model}} {{metric}} {{bound}}"
                ),
            ),
        ),
        Panel(
            "Mean accuracy of evaluations",
            "Over every version evaluated since the controller started, refused ones too.",
            "percentunit",
            (
                Query(
                    f"sum by (namespace, model) (model_accuracy_sum{{{MODEL}}})"
                    f" / sum by (namespace, model) (model_accuracy_count{{{MODEL}}})",
                    "{{namespace}}/{{model}}",
                ),
            ),
            maximum=1,
        ),
        Panel(
            "Feature importance",
            "How much the model's metric fell when a feature's values were shuffled, for the"
            " twenty features that matter most.",
            "none",
            (
                Query(
                    f"sort_desc(topk(20, max by (feature) (feature_importance{{{VERSION}}})))",
                    "{{feature}}",
                ),
            ),
            kind="bargauge",
        ),
    ),
)

DASHBOARD = Dashboard(
    "taxon-model",
    "Taxon / Model",
    "What the versions of a model answer, how sure they are, and how good they were found to be.",
    (LIVE_NOW, ANSWERS, SURENESS, QUALITY),
)
