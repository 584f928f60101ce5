"""The figures of a version: what its serving classifier does on the rows it was not fitted on."""

from dataclasses import dataclass

from taxon_bundle.classifier import Classifier
from taxon_contracts.run import MetricValue
from taxon_training_job.data.examples import Examples
from taxon_training_job.data.signature import encoded
from taxon_training_job.data.split import Split
from taxon_training_job.fit.training import Training
from taxon_training_job.judge.evaluation import confusion_matrix, evaluate
from taxon_training_job.judge.importance import permutation_importance
from taxon_training_job.judge.repeats import repeats
from taxon_training_job.measure import Answers


@dataclass(frozen=True)
class Figures:
    """Metrics with intervals, counts [class][answered label], and each feature's importance."""

    values: tuple[MetricValue, ...]
    confusion: list[list[int]]
    importances: dict[str, float]


def held_out_figures(training: Training, classifier: Classifier) -> Figures:
    """Return the figures of a training's serving classifier."""
    identity = training.request.identity
    answers = held_out_answers(classifier, training.examples, training.split)
    return Figures(
        evaluate(
            answers,
            seed=identity.seed,
            repeats=repeats(training.examples, training.split, classifier.labels),
        ),
        confusion_matrix(answers),
        permutation_importance(
            classifier,
            training.encoded[training.split.test],
            answers,
            metric=identity.metric,
            seed=identity.seed,
        ),
    )


def held_out_answers(classifier: Classifier, examples: Examples, sides: Split) -> Answers:
    """Return a serving classifier's answers on the held-out rows."""
    rows = encoded(examples.columns, classifier.codec)
    probabilities = classifier.probabilities(rows[sides.test])
    return Answers(
        examples.target[sides.test],
        classifier.labels(probabilities),
        probabilities,
        classifier.manifest.positive_index,
    )
