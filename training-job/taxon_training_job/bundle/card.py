"""The model card: what a person should know before trusting a version."""

from taxon_contracts.run import MetricValue
from taxon_training_job.fit.training import Training
from taxon_training_job.judge.figures import Figures

MOST_IMPORTANT = 10


def model_card(training: Training, figures: Figures) -> bytes:
    """Return the card as Markdown."""
    sections = (
        _head(training),
        _data(training),
        _choice(training),
        _figures(figures.values),
        _confusion(training, figures.confusion),
        _importances(figures.importances),
        _limits(training),
    )
    return ("\n\n".join(sections) + "\n").encode()


def _head(training: Training) -> str:
    request = training.request
    return (
        f"# {request.namespace}/{request.model} {request.version}\n\n"
        f"A {request.identity.pipeline.classifier.type} classifier that tells"
        f" {', '.join(map(str, training.examples.classes))} apart by"
        f" {len(training.examples.features)} numeric features."
    )


def _data(training: Training) -> str:
    rows, dataset = training.rows, training.request.identity.dataset
    constant = ", ".join(training.examples.constant) or "none"
    left_out = ", ".join(map(str, training.examples.left_out)) or "none"
    return (
        "## Data\n\n"
        f"- Table: {dataset.uri} ({training.dataset_digest})\n"
        f"- Target: {dataset.target}\n"
        f"- Rows: {rows.train} to train, {rows.test} held out\n"
        f"- Repeats: {rows.duplicates} of all rows repeat an earlier one; {_repeats(training)}\n"
        f"- Constant features, accepted and ignored: {constant}\n"
        f"- Columns left out: {left_out}"
    )


def _repeats(training: Training) -> str:
    divided = training.split.rule.divided
    if divided.every:
        return "few rows are different, so repeats stand on both sides"
    if divided:
        return (
            f"{len(divided.contents)} rows repeat so often that they stand on both sides, the"
            " others share a side"
        )
    return "they share its side"


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
        lines.append(f"- Cross-validated score of the choice: {best.mean:.4f}")
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
    names = [str(label) for label in training.examples.classes]
    rows = [
        f"| {name} | {' | '.join(map(str, counts))} |"
        for name, counts in zip(names, confusion, strict=True)
    ]
    return "\n".join(
        [
            "## Confusion matrix\n",
            f"| is \\ answered | {' | '.join(names)} |",
            "|---" * (len(names) + 1) + "|",
            *rows,
        ]
    )


def _importances(importances: dict[str, float]) -> str:
    largest = sorted(importances.items(), key=lambda item: -item[1])[:MOST_IMPORTANT]
    rows = [f"| {name} | {value:.4f} |" for name, value in largest]
    return "\n".join(
        [
            "## Most important features\n",
            "How much the score falls when the feature's values are shuffled among held-out rows.",
            "\n| feature | fall |",
            "|---|---|",
            *rows,
        ]
    )


def _limits(training: Training) -> str:
    return (
        "## Limits\n\n"
        "The figures hold for rows drawn as this table was. A value outside the range seen in"
        " training is answered all the same; reference.json holds the ranges.\n"
        f"Seed {training.request.identity.seed}; the same request on the same image gives this"
        " bundle again, digest for digest."
    )
