"""How far a load is, on a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


@contextlib.contextmanager
def shown_progress(size: int) -> Iterator[Callable[[int, int], None]]:
    """Yield what is called with rows and bytes; it draws a bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _rows, _bytes: None
        return
    columns = (
        TextColumn("{task.fields[rows]:,} rows"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("load", total=size, rows=0)
        yield lambda rows, read: bar.update(task, completed=read, rows=rows)
