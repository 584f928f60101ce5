"""How a run is told: a bar on a terminal, one JSON line per event otherwise."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from tqdm import tqdm

TALLY_SECONDS = 0.2


class Progress:
    """Tells one run's events to standard error."""

    def __init__(self, *, stream: TextIO | None = None, **context: str) -> None:
        self._stream = stream or sys.stderr
        self._context = context
        self._terminal = self._stream.isatty()

    def event(self, name: str, **fields: Any) -> None:
        """Tell that something happened."""
        if self._terminal:
            details = "  ".join(f"{key} {value}" for key, value in fields.items())
            line = f"{name:<16} {details}".rstrip()
        else:
            time = datetime.now(UTC).isoformat(timespec="milliseconds")
            document = {"time": time, "event": name, **self._context, **fields}
            line = json.dumps(document, default=str)
        print(line, file=self._stream, flush=True)

    @contextmanager
    def counted(self, name: str, total: int) -> Iterator[Path]:
        """Yield a tally file; each byte appended to it moves the bar by one."""
        with TemporaryDirectory(prefix="taxon-") as folder:
            tally = Path(folder) / "tally"
            tally.touch()
            with tqdm(
                total=total,
                desc=name,
                unit="fit",
                file=self._stream,
                disable=not self._terminal,
            ) as bar:
                done = threading.Event()
                watcher = threading.Thread(target=_follow, args=(tally, bar, done), daemon=True)
                watcher.start()
                try:
                    yield tally
                finally:
                    done.set()
                    watcher.join()


def _follow(tally: Path, bar: "tqdm[Any]", done: threading.Event) -> None:
    """Move ``bar`` to the length of ``tally`` until done."""
    while not done.wait(TALLY_SECONDS):
        bar.update(tally.stat().st_size - bar.n)
    bar.update(tally.stat().st_size - bar.n)


def quiet_libraries() -> None:
    """Keep libraries from writing between a run's own lines."""
    logging.captureWarnings(capture=True)
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    logging.getLogger("py.warnings").propagate = False
