"""`taxon labels load`: send the labels of a file, and say what became of them."""

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from taxon_cli import exits
from taxon_cli.exits import fail
from taxon_cli.kubectl import ClusterError
from taxon_cli.labels.file import Chunk, read_chunks
from taxon_cli.labels.server import LabelServer, ServerError, server_of_model
from taxon_cli.resource_file import BadFile

REFUSED = "refused"


@dataclass(frozen=True)
class Call:
    """What the command was called with; exactly one of URL and namespace is there."""

    file: Path
    url: str | None
    namespace: str | None
    model: str | None


def load_labels(call: Call) -> int:
    """Send the labels of a file; return the exit code."""
    if (call.namespace is None) != (call.model is None):
        return fail(exits.USAGE, "pass --namespace NAMESPACE and MODEL together, or --url URL")
    counts: Counter[str] = Counter()
    try:
        with _server(call) as server:
            for chunk in _shown(read_chunks(call.file)):
                _send(server, call.file, chunk, counts)
    except BadFile as error:
        return _ended(exits.USAGE, str(error), counts)
    except (ClusterError, ServerError) as error:
        return _ended(exits.MACHINE, str(error), counts)
    if not counts:
        return fail(exits.USAGE, f"{call.file}: it has no labels")
    sys.stderr.write(f"taxon: {_summary(counts)}\n")
    return exits.REFUSED if counts[REFUSED] else exits.DONE


@contextlib.contextmanager
def _server(call: Call) -> Iterator[LabelServer]:
    if call.url is not None:
        yield LabelServer(f"{call.url}/labels")
    elif call.namespace is not None and call.model is not None:
        with server_of_model(call.namespace, call.model) as server:
            yield server


def _send(server: LabelServer, file: Path, chunk: Chunk, counts: Counter[str]) -> None:
    """Send some labels, count what became of them, and print those that were refused."""
    sent = [label for label in chunk.labels if label.wrong is None]
    results = server.send([label.item for label in sent]) if sent else []
    refused = {label.place: label.wrong for label in chunk.labels if label.wrong is not None}
    counts[REFUSED] += len(refused)
    for label, result in zip(sent, results, strict=True):
        counts[result["outcome"]] += 1
        if result["outcome"] == REFUSED:
            refused[label.place] = result["reason"]
    for place in sorted(refused):
        sys.stdout.write(f"{file}:{place}: {refused[place]}\n")


def _shown(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield chunks; on a terminal, show how much of the file is done."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("labels", total=1.0)
        for chunk in chunks:
            yield chunk
            progress.update(bar, completed=chunk.done)


def _ended(code: int, sentence: str, counts: Counter[str]) -> int:
    """Report why loading ended early, and what had become of the labels before."""
    before = f" (before that: {_summary(counts)})" if counts else ""
    return fail(code, f"{sentence}{before}")


def _summary(counts: Counter[str]) -> str:
    words = [f"{counts[outcome]:,} {outcome}" for outcome in ("accepted", "pending", REFUSED)]
    return f"{sum(counts.values()):,} labels: {', '.join(words)}"
