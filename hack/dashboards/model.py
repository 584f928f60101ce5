"""Model: predictions, confidence, labels and metrics of the versions."""

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
            "The version that has the traffic, and since when.",
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
            "Rows answered per second.",
            "ops",
            (Query(ALL_CLASSES),),
            kind="stat",
        ),
    ),
)
ANSWERS = Row(
    "Predictions",
    (
        Panel(
            "Predictions by class",
            "Rows answered per second, by label.",
            "ops",
            (Query(BY_CLASS, "{{label}}"),),
            stacked=True,
        ),
        Panel(
            "Share of each class",
            "If a class's share changes without a rollout, the requests have changed.",
            "percentunit",
            (Query(f"{BY_CLASS} / on () group_left () {ALL_CLASSES}", "{{label}}"),),
            stacked=True,
            maximum=1,
        ),
        Panel(
            "Predictions by version",
            "Rows answered per second, by version. During a rollout the traffic moves from one to"
            " the other.",
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
    "Confidence",
    (
        Panel(
            "Confidence distribution",
            "Number of rows by the probability of the predicted label: darker means more.",
            "percentunit",
            (Query(f"sum by (le) (increase({CONFIDENCE}))", "{{le}}"),),
            kind="heatmap",
        ),
        Panel(
            "Median and lowest confidence",
            "Half of the rows have a higher confidence than the median, nine in ten a higher one"
            " than the lower line.",
            "percentunit",
            tuple(
                Query(f"histogram_quantile({part}, sum by (le) (rate({CONFIDENCE})))", name)
                for part, name in ((0.5, "median"), (0.1, "lowest tenth"))
            ),
            maximum=1,
        ),
        Panel(
            "Low-confidence predictions",
            "Share of rows whose predicted label has a probability of 0.7 or less.",
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
INPUTS = Row(
    "Inputs",
    (
        Panel(
            "Unseen categories",
            "Share of the answered rows whose category of a feature was in no training row. It"
            " counts as none of the feature's categories.",
            "percentunit",
            (
                Query(
                    "sum by (feature)"
                    f" (rate(unseen_categories_total{{{VERSION}}}[$__rate_interval]))"
                    f" / on () group_left () {ALL_CLASSES}",
                    "{{feature}}",
                ),
            ),
            width=24,
        ),
    ),
)
LABELS = Row(
    "Labels",
    (
        Panel(
            "Live accuracy",
            "Share of the last seven days' labelled predictions that were right. Compare it with"
            " the accuracy on the held-out rows.",
            "percentunit",
            (Query(f"live_accuracy{{{VERSION}}}", "{{namespace}}/{{model}} {{version}}"),),
            maximum=1,
        ),
        Panel(
            "Labelled share",
            "Share of the last seven days' predictions that have a label. The lower it is, the"
            " less live accuracy says about all predictions.",
            "percentunit",
            (Query(f"labelled_share{{{VERSION}}}", "{{namespace}}/{{model}} {{version}}"),),
            maximum=1,
        ),
        Panel(
            "Labels received",
            "Labels per second, by outcome. pending: the prediction is not in the database yet."
            " refused: the label names an unknown class or prediction.",
            "ops",
            (
                Query(
                    "sum by (outcome)"
                    f" (rate(labels_received_total{{{VERSION}}}[$__rate_interval]))",
                    "{{outcome}}",
                ),
            ),
            stacked=True,
        ),
    ),
)
QUALITY = Row(
    "Metrics",
    (
        Panel(
            "Every metric by version",
            "Measured on the held-out rows by the run of each kept version.",
            "none",
            (Query(f"max by (version, metric) (model_metric{{{VERSION}}})"),),
            kind="table",
            width=16,
            matrix=("version", "metric"),
        ),
        Panel(
            "Accuracy by version",
            "Measured on the held-out rows, which differ between versions if the table does.",
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
            "All versions evaluated since the controller started, including refused ones.",
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
            "How much the model's metric fell when a feature's values were shuffled. Shows the"
            " twenty most important features.",
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
    "Predictions, confidence, labels and metrics of a model's versions.",
    (LIVE_NOW, ANSWERS, SURENESS, INPUTS, LABELS, QUALITY),
)
