"""One run, start to verdict: read, examine, split, fit or find, prove, seal, judge."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from taxon_bundle.bundle import Bundle, BundleError
from taxon_bundle.storage import BadURI
from taxon_contracts.names import ANNOTATION_RETRAIN
from taxon_contracts.run import RunRequest, RunResult
from taxon_training_job.bundle.contents import contents
from taxon_training_job.bundle.golden import golden, golden_rows
from taxon_training_job.bundle.sealed import existing_bundle, sealed_bundle
from taxon_training_job.bundle.serving import serving
from taxon_training_job.data.examples import Examples, examine
from taxon_training_job.data.features import kinds
from taxon_training_job.data.left_out import by_reason
from taxon_training_job.data.split import Split, recorded_split, split
from taxon_training_job.data.table import Table, read_table
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.out_of_fold import out_of_fold
from taxon_training_job.fit.training import Training, fit
from taxon_training_job.judge.champion import categories_of
from taxon_training_job.judge.figures import held_out_figures
from taxon_training_job.judge.parity import prove
from taxon_training_job.judge.recorded import recorded_rule
from taxon_training_job.judge.verdict import verdict
from taxon_training_job.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """A run's result; its training and the bundle's files when one took place."""

    result: RunResult
    training: Training | None
    files: Mapping[str, bytes]
    seconds: float


def carry_out(
    request: RunRequest, progress: Progress, *, database_url: str | None = None
) -> Outcome:
    """Carry out a run; an existing bundle is judged again instead of trained again.

    Every matrix product is computed by one thread: the order of its sums shows in the last bits.

    Args:
        request: the run.
        progress: what is said on the way.
        database_url: PostgreSQL's, for a run of a data set.

    Raises:
        RunFailed: the run cannot continue.
        StorageError: storage did not answer.
    """
    with threadpool_limits(1):
        return _carried_out(request, progress, database_url)


def _carried_out(request: RunRequest, progress: Progress, database_url: str | None) -> Outcome:
    started = time.monotonic()
    try:
        table = _table(request, database_url)
        sealed = existing_bundle(request, table)
    except BadURI as error:
        raise RunFailed("InvalidRun", str(error)) from error
    columns = len(table.frame.columns) + len(table.other)
    progress.event("TableRead", rows=len(table.frame), columns=columns)
    examples = examine(table, request.identity, sealed.manifest.features if sealed else ())
    progress.event("Features", **kinds(examples.columns))
    for why, names in by_reason(examples.left_out).items():
        progress.event("ColumnsLeftOut", why=why, columns=names)
    sides = _sides(request, examples, sealed)
    progress.event("Split", train=len(sides.train), test=len(sides.test))
    training, files = None, dict[str, bytes]()
    if sealed is None:
        training = fit(request, table.digest, examples, sides, progress)
        files = _proven_files(training, progress)
        sealed = sealed_bundle(training, files, time.monotonic() - started)
        progress.event("BundleSealed", uri=sealed.uri, digest=sealed.digest)
    else:
        progress.event("BundleFound", uri=sealed.uri)
    result = verdict(request, table, examples, sides, sealed, reused=training is None)
    progress.event(result.outcome, reason=result.reason, message=result.message)
    return Outcome(result, training, files, time.monotonic() - started)


def _table(request: RunRequest, database_url: str | None) -> Table:
    """Read the table; columns of categories stay as they are written.

    Those that only the live version has, too: they still are the numbers they look like.
    """
    dataset, champion = request.identity.dataset, request.champion
    listed = [one.name for one in dataset.features or () if one.type == "Categorical"]
    live = categories_of(champion) if champion else ()
    return read_table(
        request.source,
        dataset.target,
        {*listed, *live},
        namespace=request.namespace,
        database_url=database_url,
    )


def _sides(request: RunRequest, examples: Examples, sealed: Bundle | None) -> Split:
    """Return which rows to fit on, or which a bundle that is sealed already was fitted on."""
    table = (examples.contents, examples.target, examples.classes, examples.features)
    if sealed is not None:
        if sealed.manifest.classes != examples.classes:
            raise RunFailed(
                "DatasetChanged",
                f"{sealed.uri} was sealed by a release that read the labels of {request.source} in"
                f" another way: set the annotation {ANNOTATION_RETRAIN} to a new value to ask for a"
                " new version",
            )
        try:
            return recorded_split(recorded_rule(sealed), *table)
        except BundleError as error:
            raise RunFailed(
                "BundleCorrupt", f"{sealed.uri}: {error}: upgrade Taxon here"
            ) from error
    identity = request.identity
    return split(
        *table,
        fraction=identity.dataset.test_fraction,
        folds=1 if identity.search.strategy == "None" else identity.search.folds,
        seed=identity.seed,
    )


def _proven_files(training: Training, progress: Progress) -> dict[str, bytes]:
    """Build the serving file, prove and evaluate it, and return what the bundle is filled with."""
    predicted = out_of_fold(training, progress)
    served = serving(training)
    sample = golden_rows(training)
    answers = golden(training, sample, served.classifier)
    worst = prove(served.classifier, training, sample, answers)
    progress.event("ParityHeld", largest_difference=worst)
    figures = held_out_figures(training, served.classifier)
    return contents(training, served, answers, figures, predicted)
