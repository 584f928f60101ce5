"""The output of a call: sections of lines for a terminal of 80 to 100 columns."""

import json
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from taxon_cli.local.backends import Backends
from taxon_cli.local.datasets import UsedDataset
from taxon_cli.local.feedback import Feedback
from taxon_cli.local.serving import Exchange, Server
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.metrics import PREDICTIONS
from taxon_contracts.prediction import PredictionEvent
from taxon_contracts.resource import FeatureType
from taxon_contracts.run import RunRequest, RunResult

NARROW, WIDE = 80, 100
LIST_SHOWN, DICT_SHOWN = 3, 3
LIST_WHOLE, DICT_WHOLE = 6, 12
"""Longer ones are cut to their first few entries."""
INPUTS_WHOLE, INPUTS_SHOWN = 12, 6
KINDS: dict[FeatureType, str] = {
    "Numeric": "numbers",
    "Boolean": "true or false",
    "Categorical": "categories",
}


def dataset(used: UsedDataset) -> list[str]:
    """Return the data set that is trained on."""
    how = "used as it is"
    if used.loaded:
        how = "loaded" if used.loaded.new else "loaded before, nothing changed"
    lines = [
        _heading(f"data set {used.version.name}, version {used.version.version}: {how}"),
        f"  {used.rows:,} rows of a file with the digest {used.digest[:19]}...",
    ]
    if used.loaded and used.loaded.view:
        schema, _, name = used.loaded.view.partition(".")
        lines.append(f'  by column in the view {schema}."{name}"')
    return lines


def evaluation(
    request: RunRequest, result: RunResult, features: Sequence[SignatureFeature], seconds: float
) -> list[str]:
    """Return what was trained on, the held-out metrics with their intervals, and the verdict."""
    how = "existing bundle re-evaluated" if result.reused else "trained"
    lines = [_heading(f"{request.model} {request.version}: {how} in {seconds:.1f} s")]
    if result.rows:
        lines.append(
            f"  {result.rows.train} training rows, {result.rows.test} held out;"
            f" {result.rows.features} features, {result.rows.constant_features} of them constant"
        )
    chosen = ", ".join(f"{one.name} {one.value}" for one in result.parameters)
    for part in (*_inputs(features), _left_out(result), chosen and f"hyperparameters: {chosen}"):
        lines += _wrapped(part, indent="  ")
    rows = [(m.name, f"{m.value:.4f}", f"{m.low:.4f} to {m.high:.4f}") for m in result.metrics]
    lines += ["", *_table(("metric", "held out", "95 % interval"), rows)]
    lines += ["", _heading(f"gate: {result.outcome} ({result.reason})")]
    verdict, *_ = result.message.split("; left out: ")  # which are shown above
    for finding in verdict.split("; "):
        lines += _wrapped(finding, indent="  ")
    return lines


def _inputs(features: Sequence[SignatureFeature]) -> Iterator[str]:
    """Yield the features of each type, with what a request may have in them."""
    for kind, plural in KINDS.items():
        named = [_described(one) for one in features if one.type == kind]
        if named:
            yield f"{plural}: {_cut(named, INPUTS_WHOLE, INPUTS_SHOWN)}"


def _described(feature: SignatureFeature) -> str:
    notes = [
        *([f"{len(feature.categories)} different"] if feature.type == "Categorical" else ()),
        *(["may be missing"] if feature.gaps else ()),
        *(["constant"] if feature.dropped else ()),
    ]
    return f"{feature.name} ({', '.join(notes)})" if notes else feature.name


def _left_out(result: RunResult) -> str:
    """Return the columns that are neither feature nor target; empty for none."""
    columns = [f"{column.name} ({column.why})" for column in result.left_out]
    if more := result.left_out_count - len(columns):
        columns.append(f"{more} more")
    return f"columns left out: {', '.join(columns)}" if columns else ""


def exchanges(asked: Iterable[Exchange]) -> list[str]:
    """Return each request with its answer; long rows are cut."""
    lines = []
    for exchange in asked:
        lines += [
            _heading(f"{exchange.method} {exchange.url}"),
            *(f"  > {line}" for line in _laid_out(exchange.question, _width() - 4)),
            *(f"  < {line}" for line in _laid_out(exchange.answer, _width() - 4)),
            "",
        ]
    return lines[:-1]


def log(events: Sequence[PredictionEvent] | None) -> list[str]:
    """Return the rows PostgreSQL has of the exchanges."""
    heading = _heading("prediction log: the rows in PostgreSQL")
    if events is None:
        return [heading, "  none: spec.serving.predictionLog.mode is Disabled"]
    rows = [
        (
            f"{event.time:%H:%M:%S}.{event.time.microsecond // 1000:03d}",
            event.version,
            event.request_id or "-",
            str(event.label),
            "-" if event.confidence is None else f"{event.confidence:.4f}",
            f"{event.latency_seconds * 1000:.2f} ms",
            "-" if event.features is None else str(len(event.features)),
        )
        for event in events
    ]
    names = ("time (UTC)", "version", "request", "label", "confidence", "latency", "features")
    kept = next((event.features for event in events if event.features is not None), ())
    shown = _cut([_brief(value) for value in kept], INPUTS_WHOLE, INPUTS_SHOWN)
    return [heading, *_table(names, rows), *_wrapped(shown and f"features: {shown}", indent="  ")]


def feedback(given: Feedback) -> list[str]:
    """Return what became of the labels, and what the database says of the answers since."""
    labels = sum(given.outcomes.values())
    became = ", ".join(f"{count} {outcome}" for outcome, count in sorted(given.outcomes.items()))
    rows = [
        (
            f"{day}",
            one.version,
            str(one.predictions),
            f"{one.labelled} ({one.share_labelled:.0%})",
            str(one.correct),
            "-" if one.accuracy is None else f"{one.accuracy:.4f}",
            "-" if one.low is None else f"{one.low:.4f} to {one.high:.4f}",
        )
        for day, one in given.figures
    ]
    names = (
        "day (UTC)",
        "version",
        "predictions",
        "labelled",
        "right",
        "accuracy",
        "95 % interval",
    )
    return [
        _heading("live accuracy: what labels say about the answers (view live_accuracy)"),
        *_wrapped(
            f"{given.predicted} rows of the table predicted, the truth sent for {labels} of them"
            f" ({became}):",
            indent="  ",
        ),
        *_table(names, rows),
        *_wrapped(
            "The model was trained on most of these rows. In use, labels come later and from"
            " outside: POST /labels, or `taxon labels load FILE`.",
            indent="  ",
        ),
    ]


def metrics(exposition: str) -> list[str]:
    """Return the server's count of predictions, as Prometheus reads it."""
    counted = [line for line in exposition.splitlines() if line.startswith(PREDICTIONS.name)]
    return [_heading("metrics: what Prometheus counts"), *(f"  {line}" for line in counted)]


def endpoints(server: Server, backends: Backends, folder: Path) -> list[str]:
    """Return the addresses of server and back ends."""
    database = backends.postgres.url
    scheme, _, rest = database.partition("://")
    user, _, place = rest.partition(":")
    rows = [
        ("predict", f"{server.url}/predict  /predict-batch"),
        ("V2", f"{server.url}/v2"),
        ("operate", f"{server.url}/health  /info  /metrics"),
        ("try out", f"{server.url}/docs"),
        ("PostgreSQL", f"{scheme}://{user}@{place.partition('@')[2]}"),
        ("", f"password in {folder}/postgres-password"),
        ("S3", f"{backends.store.endpoint}"),
        ("", f"keys in {folder}/s3-credentials.json"),
    ]
    return [_heading("endpoints"), *(f"  {name:<12}{place}" for name, place in rows)]


def next_steps(file: Path, plain: Exchange, questions: Path, *, keep: bool) -> list[str]:
    """Return commands to try next."""
    command = _command()
    steps = []
    if not keep:
        steps.append(("keep it serving:", f"{command} local run {shlex.quote(str(file))} --keep"))
    ask = (
        f"curl -s {plain.url} -H 'content-type: application/json' \\\n"
        f"      -d @{questions}/predict.json"
    )
    steps += [
        ("send a request" + ("" if keep else " (then)") + ":", ask),
        ("your own table:", f"{command} local run MODEL.yaml --data TABLE.csv"),
    ]
    lines = [_heading("what to try next")]
    for what, how in steps:
        lines += [f"  {what}", f"    {how}"]
    lines += _wrapped(
        f"Change {file} and run it again: a changed pipeline trains another version, which the gate"
        " compares with the live one; changed gate limits judge the same version again.",
        indent="  ",
    )
    return lines


def _command() -> str:
    """Return how this command can be called again."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name)
    return called.name if found and Path(found).resolve() == called.resolve() else str(called)


def _width() -> int:
    return min(max(shutil.get_terminal_size((NARROW, 24)).columns, NARROW), WIDE)


def _heading(text: str) -> str:
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        return f"\033[1m{text}\033[0m"
    return text


def _wrapped(text: str, *, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _width(),
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows under their names, each column as wide as its widest entry."""
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return [
        "  "
        + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (names, *rows)
    ]


def _laid_out(value: Any, width: int, *, taken: int = 0) -> list[str]:
    """Return a JSON value as lines: one if it fits, otherwise one for each entry.

    Args:
        value: the value.
        width: the most characters of a line.
        taken: how many of the first line's are taken already.
    """
    whole = _brief(value)
    if len(whole) <= width - taken or not isinstance(value, (dict, list)):
        return [whole]
    if isinstance(value, dict) and len(value) <= DICT_WHOLE:
        opening, closing = "{}"
        entries = [
            (name := f"{json.dumps(key)}: ", _laid_out(item, width - 3, taken=len(name)))
            for key, item in value.items()
        ]
    elif isinstance(value, list) and len(value) <= _whole(value):
        opening, closing = "[]"
        lay_out = _laid_out if len(value) == 1 else _run_on
        entries = [("", lay_out(item, width - 3)) for item in value]
    else:
        return _run_on(value, width)
    lines = [opening]
    for name, (first, *rest) in entries:
        lines += [f"  {name}{first}", *(f"  {line}" for line in rest)]
        lines[-1] += ","
    return [*lines[:-1], lines[-1].removesuffix(","), closing]


def _run_on(value: Any, width: int) -> list[str]:
    """Return a JSON value as the lines of a paragraph."""
    return textwrap.wrap(_brief(value), width, subsequent_indent=" ", break_long_words=False)


def _brief(value: Any) -> str:
    """Return a JSON value as text, long lists and objects cut to their first few entries."""
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_brief(item)}" for key, item in value.items()]
        return "{" + _cut(items, DICT_WHOLE, DICT_SHOWN) + "}"
    if isinstance(value, list):
        return "[" + _cut([_brief(item) for item in value], _whole(value), LIST_SHOWN) + "]"
    return json.dumps(value, ensure_ascii=False)


def _whole(items: list[Any]) -> int:
    """Return how long a list may be to be shown whole: objects have a line each."""
    return DICT_WHOLE if all(isinstance(item, dict) for item in items) else LIST_WHOLE


def _cut(items: list[str], whole: int, shown: int) -> str:
    if len(items) <= whole:
        return ", ".join(items)
    return ", ".join([*items[:shown], f"... {len(items) - shown} more"])
