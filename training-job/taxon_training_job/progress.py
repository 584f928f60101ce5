"""What a run shows while it works: events in the log, and how far its search is."""

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import structlog
from tqdm import tqdm

from taxon_contracts.scores import LOWER_IS_BETTER, ScoreName

TALLY_SECONDS = 0.2
EVENT_SECONDS = 15.0
"""Seconds between two lines about a search, without a terminal."""
LOGGER = "taxon_training_job"


@dataclass(frozen=True)
class Tally:
    """A file that every fit of a search adds a line to, from whatever process it runs in."""

    file: Path

    def add(self, parameters: dict[str, Any], score: float) -> None:
        """Add a fit: the combination it tried, and its score as the metric defines it."""
        line = json.dumps([{name: repr(value) for name, value in parameters.items()}, score])
        with self.file.open("ab", buffering=0) as file:
            file.write(f"{line}\n".encode())


@dataclass(frozen=True)
class Size:
    """How large a search is, and what it is decided by."""

    metric: ScoreName
    combinations: int
    folds: int

    @property
    def fits(self) -> int:
        """Return how many fits it makes."""
        return self.combinations * self.folds


class Standing:
    """Where a search stands, by the lines of its tally so far."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._scores: dict[str, list[float]] = {}
        self._rest = b""
        self.done = 0

    def read(self, content: bytes) -> None:
        """Take more of the tally; the last line may be cut."""
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            parameters, score = json.loads(line)
            self._scores.setdefault(json.dumps(parameters), []).append(score)
            self.done += 1

    @property
    def best(self) -> tuple[dict[str, str], float] | None:
        """Return the best combination that all folds have judged, and its mean score."""
        means = {
            parameters: sum(scores) / len(scores)
            for parameters, scores in self._scores.items()
            if len(scores) >= self._size.folds
        }
        if not means:
            return None
        choose = min if self._size.metric in LOWER_IS_BETTER else max
        best = choose(means, key=means.__getitem__)
        return json.loads(best), means[best]

    def fields(self, seconds: float) -> dict[str, Any]:
        """Return what an event says of a search that has run for ``seconds``."""
        left = seconds / self.done * (self._size.fits - self.done) if self.done else None
        fields: dict[str, Any] = {"done": self.done, "fits": self._size.fits}
        if left is not None:
            fields["seconds_left"] = round(left)
        if self.best:
            fields |= {"best": self.best[0], self._size.metric: round(self.best[1], 6)}
        return fields


class Progress:
    """One run's events, and the progress of its search: a bar on a terminal, else events."""

    def __init__(self, *, stream: TextIO | None = None, **context: str) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        # A person at a terminal knows which model is trained.
        self._log = structlog.get_logger(LOGGER).bind(**({} if self._terminal else context))

    def event(self, name: str, **fields: Any) -> None:
        """Log that something happened."""
        self._log.info(name, **fields)

    def warning(self, name: str, **fields: Any) -> None:
        """Log a warning; the run continues."""
        self._log.warning(name, **fields)

    def failure(self, reason: str, message: str, cause: Exception | None = None) -> None:
        """Log why the run failed; with a traceback if the trainer itself is the cause."""
        self._log.error("Failed", reason=reason, message=message, exc_info=cause)

    @contextmanager
    def search(self, size: Size) -> Iterator[Tally]:
        """Yield the tally of a search, and show what it says until the search ends."""
        with TemporaryDirectory(prefix="taxon-") as folder:
            tally = Tally(Path(folder) / "tally")
            tally.file.touch()
            ended = threading.Event()
            watch = self._show_bar if self._terminal else self._log_standing
            watcher = threading.Thread(target=watch, args=(tally, size, ended), daemon=True)
            watcher.start()
            try:
                yield tally
            finally:
                ended.set()
                watcher.join()

    def _show_bar(self, tally: Tally, size: Size, ended: threading.Event) -> None:
        standing = Standing(size)
        with (
            tally.file.open("rb") as lines,
            tqdm(total=size.fits, desc="search", unit="fit", file=self._stream) as bar,
        ):
            last = False
            while not last:
                last = ended.wait(TALLY_SECONDS)
                standing.read(lines.read())
                if standing.best:
                    bar.set_postfix({size.metric: f"{standing.best[1]:.4f}"}, refresh=False)
                bar.update(standing.done - bar.n)

    def _log_standing(self, tally: Tally, size: Size, ended: threading.Event) -> None:
        standing, started = Standing(size), time.monotonic()
        with tally.file.open("rb") as lines:
            while not ended.wait(EVENT_SECONDS):
                standing.read(lines.read())
                self.event("SearchProgress", **standing.fields(time.monotonic() - started))


def quiet_libraries() -> None:
    """Keep libraries from writing between a run's own lines."""
    logging.captureWarnings(capture=True)
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    logging.getLogger("py.warnings").propagate = False
    logging.getLogger("botocore").setLevel(logging.WARNING)
