"""The verdict on a bundle: its figures, the comparison with the live version, the gate."""

from taxon_bundle.bundle import Bundle
from taxon_bundle.classifier import Classifier
from taxon_contracts.gate import ChampionComparison, judge
from taxon_contracts.run import ChosenParameter, RunRequest, RunResult
from taxon_training_job.data.examples import Examples
from taxon_training_job.data.left_out import left_out_sentence, reported
from taxon_training_job.data.split import Split
from taxon_training_job.data.table import Table
from taxon_training_job.judge.champion import NotComparable, Today, compare
from taxon_training_job.judge.figures import held_out_answers
from taxon_training_job.judge.recorded import recorded_figures


def verdict(
    request: RunRequest,
    table: Table,
    examples: Examples,
    sides: Split,
    bundle: Bundle,
    *,
    reused: bool,
) -> RunResult:
    """Return the full result: the bundle's figures, the champion's, the gate's verdict."""
    figures = recorded_figures(bundle)
    comparison, note = _comparison(request, table, examples, sides, bundle)
    decision = judge(request.gate, {one.name: one.value for one in figures.metrics}, comparison)
    return RunResult(
        version=request.version,
        outcome="Accepted" if decision.passed else "Refused",
        reason=decision.reason,
        message="; ".join(
            filter(None, (decision.message, note, left_out_sentence(examples.left_out)))
        ),
        bundle_uri=bundle.uri,
        manifest_digest=bundle.digest,
        dataset_digest=table.digest,
        rows=figures.rows,
        metrics=figures.metrics,
        champion=comparison,
        left_out=reported(examples.left_out),
        left_out_count=len(examples.left_out),
        parameters=tuple(
            ChosenParameter(name=name, value=value) for name, value in figures.parameters.items()
        ),
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
            held_out_answers(Classifier.load(bundle), examples, sides),
            champion,
            Today(table, examples.classes, examples.target, sides.test),
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
