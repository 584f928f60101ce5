"""One run, start to verdict: read, examine, split, train or find, judge."""

import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass

from taxon_bundle.bundle import Bundle, BundleError, find_bundle, seal, verify
from taxon_bundle.classifier import Classifier, check_golden
from taxon_bundle.location import UnknownScheme
from taxon_contracts import manifest as layout
from taxon_contracts.gate import ChampionComparison, judge
from taxon_contracts.names import ANNOTATION_RETRAIN
from taxon_contracts.run import MetricValue, Rows, RunRequest, RunResult
from taxon_training_job import contents
from taxon_training_job.card import model_card
from taxon_training_job.champion import NotComparable, compare
from taxon_training_job.contents import Training
from taxon_training_job.data.examples import Examples, examine
from taxon_training_job.data.split import Split, split
from taxon_training_job.data.table import Table, read_table
from taxon_training_job.evaluation import Answers, confusion_matrix, evaluate
from taxon_training_job.failure import RunFailed
from taxon_training_job.importance import permutation_importance
from taxon_training_job.parity import ParityError, check_parity
from taxon_training_job.progress import Progress
from taxon_training_job.training import train


@dataclass(frozen=True)
class Outcome:
    """A run's result; its training and the bundle's files when one took place."""

    result: RunResult
    training: Training | None
    files: Mapping[str, bytes]
    seconds: float


def carry_out(request: RunRequest, progress: Progress) -> Outcome:
    """Carry out a run; an existing bundle is judged again instead of trained again.

    Raises:
        RunFailed: the run cannot go on.
        StorageError: storage did not answer.
    """
    started = time.monotonic()
    try:
        table = read_table(request.source)
        sealed = _existing(request, table)
    except UnknownScheme as error:
        raise RunFailed("InvalidRun", str(error)) from error
    progress.event("TableRead", rows=len(table.frame), columns=len(table.frame.columns))
    examples = examine(table.frame, request.identity)
    identity = request.identity
    sides = split(
        examples.rows,
        examples.target,
        examples.classes,
        features=examples.features,
        fraction=identity.dataset.test_fraction,
        folds=1 if identity.search.strategy == "None" else identity.search.folds,
        seed=identity.seed,
    )
    progress.event("Split", train=len(sides.train), test=len(sides.test))
    training, files = None, dict[str, bytes]()
    if sealed is None:
        training = train(request, table.digest, examples, sides, progress)
        files = _proven_files(training, progress)
        sealed = _seal(training, files, time.monotonic() - started)
        progress.event("BundleSealed", uri=sealed.uri, digest=sealed.digest)
    else:
        progress.event("BundleFound", uri=sealed.uri)
    result = _judged(request, table, examples, sides, sealed, reused=training is None)
    progress.event(result.outcome, reason=result.reason, message=result.message)
    return Outcome(result, training, files, time.monotonic() - started)


def _existing(request: RunRequest, table: Table) -> Bundle | None:
    """Return the version's bundle if it is sealed already, verified."""
    try:
        bundle = find_bundle(request.destination)
        if bundle is None:
            return None
        made_for = (bundle.manifest.namespace, bundle.manifest.model, bundle.manifest.version)
        if made_for != (request.namespace, request.model, request.version):
            raise RunFailed(
                "BundleCorrupt",
                f"{request.destination} holds the bundle of {'/'.join(made_for)}: choose another"
                " destination",
            )
        if bundle.manifest.dataset_digest != table.digest:
            raise RunFailed(
                "DatasetChanged",
                f"{request.source} has changed since version {request.version} was trained: set"
                f" the annotation {ANNOTATION_RETRAIN} to a new value to ask for a new version",
            )
        verify(bundle)
    except BundleError as error:
        raise RunFailed("BundleCorrupt", f"{request.destination}: {error}") from error
    return bundle


def _proven_files(training: Training, progress: Progress) -> dict[str, bytes]:
    """Prove the serving graph, evaluate it, and return what the bundle is filled with."""
    examples, seed = training.examples, training.request.identity.seed
    classifier = training.classifier()
    sample = contents.golden_rows(training)
    golden = contents.golden(training, sample, classifier)
    try:
        worst = check_parity(
            training.pipeline,
            classifier,
            sample,
            fitted=examples.rows[training.split.train],
            kept=examples.kept,
        )
        check_golden(classifier, golden)
    except (ParityError, BundleError) as error:
        raise RunFailed("ParityFailed", str(error)) from error
    progress.event("ParityHeld", largest_difference=worst)
    answers = _answers(classifier, examples, training.split)
    values = evaluate(answers, seed=seed)
    confusion = confusion_matrix(answers)
    importances = permutation_importance(
        classifier,
        examples.rows[training.split.test],
        answers,
        metric=training.request.identity.metric,
        seed=seed,
    )
    return {
        layout.SERVING_NAME: training.graph,
        layout.METRICS_NAME: contents.metrics(values, confusion, importances, training),
        layout.REFERENCE_NAME: contents.reference(training),
        layout.GOLDEN_NAME: golden,
        layout.MODEL_CARD_NAME: model_card(training, values, confusion, importances),
        **contents.pickles(training.pipeline),
    }


def _seal(training: Training, files: dict[str, bytes], seconds: float) -> Bundle:
    record = {
        "seconds": round(seconds, 3),
        "host": platform.platform(),
        "machine": platform.machine(),
        "trials": [{**vars(trial), "mean": trial.mean} for trial in training.trials],
    }
    try:
        return seal(
            training.request.destination,
            training.manifest(files),
            files,
            run_record=json.dumps(record, indent=1).encode(),
        )
    except BundleError as error:
        raise RunFailed("BundleCorrupt", str(error)) from error


def _answers(classifier: Classifier, examples: Examples, sides: Split) -> Answers:
    """Return the serving classifier's answers on the held-out rows."""
    probabilities = classifier.probabilities(examples.rows[sides.test])
    named = classifier.manifest.positive_class
    positive = (
        None if named is None else [label == named for label in classifier.classes].index(True)
    )
    return Answers(
        examples.target[sides.test], classifier.labels(probabilities), probabilities, positive
    )


def _judged(
    request: RunRequest,
    table: Table,
    examples: Examples,
    sides: Split,
    bundle: Bundle,
    *,
    reused: bool,
) -> RunResult:
    """Return the full result: the bundle's figures, the champion's, the gate's verdict."""
    figures = json.loads(bundle.read(layout.METRICS_NAME))
    values = tuple(MetricValue.model_validate(value) for value in figures["metrics"])
    comparison, note = _comparison(request, table, examples, sides, bundle)
    verdict = judge(request.gate, {value.name: value.value for value in values}, comparison)
    return RunResult(
        version=request.version,
        outcome="Accepted" if verdict.passed else "Refused",
        reason=verdict.reason,
        message=f"{verdict.message}; {note}" if note else verdict.message,
        bundle_uri=bundle.uri,
        manifest_digest=bundle.digest,
        dataset_digest=table.digest,
        rows=Rows.model_validate(figures["rows"]),
        metrics=values,
        champion=comparison,
        reused=reused,
    )


def _comparison(
    request: RunRequest, table: Table, examples: Examples, sides: Split, bundle: Bundle
) -> tuple[ChampionComparison | None, str]:
    """Return the comparison with the champion, or a note why there is none."""
    champion = request.champion
    if champion is None or champion.version == request.version:
        return None, ""
    try:
        comparison, rows = compare(
            _answers(Classifier.load(bundle), examples, sides),
            champion,
            table.frame.iloc[sides.test],
            examples.classes,
            metric=request.identity.metric,
            seed=request.identity.seed,
        )
    except NotComparable as finding:
        return None, f"not compared: {finding}"
    if rows == len(sides.test):
        return comparison, ""
    return comparison, (
        f"compared on the {rows} of {len(sides.test)} held-out rows that live {champion.version}"
        " was not fitted on"
    )
