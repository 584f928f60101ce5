"""The model card: what a person should know before using a version."""

from taxon_contracts.datasets import dataset_of
from taxon_contracts.reference import Reference
from taxon_contracts.run import MetricValue
from taxon_contracts.scores import LOWER_IS_BETTER
from taxon_training_job.bundle.card_inputs import cell, inputs, kinds
from taxon_training_job.fit.training import Training
from taxon_training_job.judge.figures import Figures

MOST_IMPORTANT = 10
MOST_CLASSES = 20
"""Classes up to which the card shows all of them, and pairs of classes it shows beyond."""


def model_card(training: Training, figures: Figures, profile: Reference) -> bytes:
    """Return the card as Markdown."""
    sections = (
        _head(training),
        _data(training),
        inputs(training.codec.features, training.request.identity.pipeline),
        _choice(training),
        _figures(figures.values),
        _confusion(training, figures.confusion),
        _importances(figures.importances),
        _profile(profile),
        _limits(training),
    )
    return ("\n\n".join(sections) + "\n").encode()


def _head(training: Training) -> str:
    request, classes = training.request, training.examples.classes
    shown = ", ".join(map(cell, classes[:MOST_CLASSES]))
    more = f" and {len(classes) - MOST_CLASSES} more" if len(classes) > MOST_CLASSES else ""
    return (
        f"# {request.namespace}/{request.model} {request.version}\n\n"
        f"A {request.identity.pipeline.classifier.type} classifier of {len(classes)} classes"
        f" ({shown}{more}) by {kinds(training.codec.features)}."
    )


def _data(training: Training) -> str:
    rows, dataset = training.rows, training.request.identity.dataset
    stored = dataset_of(training.request.source)
    table = f"data set {stored.name} version {stored.version}" if stored else dataset.place
    constant = ", ".join(training.examples.constant) or "none"
    left_out = ", ".join(map(str, training.examples.left_out)) or "none"
    return (
        "## Data\n\n"
        f"- Table: {table} ({training.dataset_digest})\n"
        f"- Target: {dataset.target}\n"
        f"- Rows: {rows.train} to train, {rows.test} held out\n"
        f"- Repeats: {rows.duplicates} of all rows repeat an earlier one; {_repeats(training)}\n"
        f"- Constant features, accepted and ignored: {constant}\n"
        f"- Columns left out: {left_out}"
    )


def _repeats(training: Training) -> str:
    divided = training.split.rule.divided
    if divided.every:
        return "few rows differ, so repeats of a row are on both sides"
    if divided:
        return (
            f"{len(divided.contents)} rows repeat so often that they are on both sides, all others"
            " are on one"
        )
    return "each is on the same side as the row it repeats"


def _choice(training: Training) -> str:
    identity = training.request.identity
    chosen = ", ".join(f"{name}={value!r}" for name, value in training.parameters.items())
    lines = [
        "## Choice of hyperparameters\n",
        (
            f"- Search: {identity.search.strategy}, {len(training.trials)} combinations,"
            f" {identity.search.folds} folds, by {identity.metric}"
        ),
        f"- Chosen: {chosen or 'the defaults of scikit-learn'}",
    ]
    if training.trials:
        best = max(training.trials, key=lambda trial: trial.mean)
        score = -best.mean if identity.metric in LOWER_IS_BETTER else best.mean
        lines.append(f"- Cross-validated {identity.metric} of the choice: {score:.4f}")
    return "\n".join(lines)


def _figures(values: tuple[MetricValue, ...]) -> str:
    rows = [f"| {v.name} | {v.value:.4f} | {v.low:.4f} to {v.high:.4f} |" for v in values]
    return "\n".join(
        [
            "## Figures on the held-out rows\n",
            "| metric | value | 95 % interval |",
            "|---|---|---|",
            *rows,
            "\nLosses (log_loss, brier) and the calibration error (ece) are better when lower.",
        ]
    )


def _confusion(training: Training, confusion: list[list[int]]) -> str:
    names = [cell(label) for label in training.examples.classes]
    if len(names) > MOST_CLASSES:
        return _most_confused(names, confusion)
    rows = [
        f"| {name} | {' | '.join(map(str, counts))} |"
        for name, counts in zip(names, confusion, strict=True)
    ]
    return "\n".join(
        [
            "## Confusion matrix\n",
            f"| class \\ answer | {' | '.join(names)} |",
            "|---" * (len(names) + 1) + "|",
            *rows,
        ]
    )


def _most_confused(names: list[str], confusion: list[list[int]]) -> str:
    """Return the pairs of classes that are confused most; metrics.json has the whole matrix."""
    wrong = sorted(
        (-count, row, column)
        for row, counts in enumerate(confusion)
        for column, count in enumerate(counts)
        if count and row != column
    )
    rows = [f"| {names[row]} | {names[column]} | {-n} |" for n, row, column in wrong[:MOST_CLASSES]]
    return "\n".join(
        [
            "## Most frequent confusions\n",
            "The whole confusion matrix is in metrics.json.",
            "\n| class | answer | rows |",
            "|---|---|---|",
            *rows,
        ]
    )


def _importances(importances: dict[str, float]) -> str:
    largest = sorted(importances.items(), key=lambda item: -item[1])[:MOST_IMPORTANT]
    rows = [f"| {cell(name)} | {value:.4f} |" for name, value in largest]
    return "\n".join(
        [
            "## Most important features\n",
            "How much the score falls when the feature's values are shuffled among held-out rows.",
            "\n| feature | fall |",
            "|---|---|",
            *rows,
        ]
    )


def _profile(profile: Reference) -> str:
    """Return where to find what later rows are compared with, and how far to trust confidence."""
    rows = profile.out_of_fold_rows
    right = 100 * sum(profile.confidence.right) / rows if profile.confidence else 0
    predictions = (
        f"out-of-fold.npz has the predictions for {rows} training rows, each by a classifier that"
        f" was not fitted on the row; {right:.1f} % of them are right. How many are at each"
        " level of confidence is in reference.json too."
        if rows
        else "There are no out-of-fold predictions, because no fold could be fitted."
    )
    return (
        "## Profile\n\n"
        "reference.json has the distribution of each feature over the training rows, to compare"
        f" later rows with. {predictions}"
    )


def _limits(training: Training) -> str:
    return (
        "## Limits\n\n"
        "The metrics apply to rows from the same source as this table. The classifier also answers"
        " for values outside the range seen in training.\n\n"
        f"The seed is {training.request.identity.seed}. The same request on the same image and type"
        " of processor gives the same bundle, digest for digest."
    )
