"""Rows on disk until the database has them: finished segments, oldest first."""

import contextlib
import fcntl
import os
import threading
from pathlib import Path
from typing import NamedTuple

from taxon_datastore.rows import Rows
from taxon_model_server.prediction_log.segments import (
    ANY_SEGMENT,
    DIGITS,
    ROWS,
    count_rows,
    write_segment,
)
from taxon_model_server.prediction_log.set_aside import SetAside

PARTIAL = ".partial"
ASIDE_SHARE = 4
"""What is set aside takes at most this part of the spool."""


class SpoolFull(OSError):  # noqa: N818 - a state the caller counts
    """The spool has reached its largest size."""


class SpoolUnusable(Exception):  # noqa: N818 - a state; the message names the folder and the remedy
    """The folder cannot be used for a spool."""


class Held(NamedTuple):
    """What a segment takes."""

    bytes: int
    rows: int


class Spool:
    """A folder of segment files that one process writes and empties.

    A segment appears whole: it is written under another name, flushed to disk, and renamed. What a
    crash left half written does not count as spooled and is removed. ``aside`` has what cannot be
    stored; it counts for the spool's size.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        """Lock the folder for this process, with the segments an earlier one left.

        Raises:
            SpoolUnusable: it cannot be written, or another process has it.
        """
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in folder.glob(f"*{PARTIAL}"):
                left.unlink()
        except BlockingIOError as error:
            raise SpoolUnusable(
                f"another server uses the spool folder {folder}: choose another with --spool-folder"
            ) from error
        except OSError as error:
            raise SpoolUnusable(
                f"the spool folder {folder} cannot be used ({error.strerror}): choose another with"
                " --spool-folder"
            ) from error
        self.aside = SetAside(folder, max_bytes=max_bytes // ASIDE_SHARE)
        self._held = {path: _held(path) for path in self.segments()}
        self._next = max([self.aside.newest, *(int(path.stem) for path in self._held)]) + 1

    @property
    def rows(self) -> int:
        """Return how many rows wait in finished segments."""
        with self._lock:
            return sum(held.rows for held in self._held.values())

    def rows_of(self, segment: Path) -> int:
        """Return how many rows a segment has; 1 where nothing says it."""
        with self._lock:
            return self._held.get(segment, Held(0, 1)).rows

    def append(self, rows: Rows) -> bool:
        """Write rows as one segment, on disk when this returns.

        Returns:
            Whether its name is on disk too; if not, a loss of power may take it.

        Raises:
            SpoolFull: the spool has reached its largest size.
            OSError: writing to the disk failed.
        """
        content = write_segment(rows)
        with self._lock:
            taken = sum(one.bytes for one in self._held.values())
            if taken + self.aside.size + len(content) > self._max_bytes:
                raise SpoolFull
        held = Held(len(content), rows.count)
        segment = self._free_name()
        partial = segment.with_suffix(PARTIAL)
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(segment)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        with self._lock:
            self._held[segment] = held
        try:
            os.fsync(self._descriptor)
        except OSError:
            return False
        return True

    def segments(self) -> list[Path]:
        """Return the finished segments, oldest first."""
        return sorted(path for form in ANY_SEGMENT for path in self._folder.glob(form))

    def remove(self, segment: Path) -> None:
        """Remove a segment that is no longer needed.

        Raises:
            OSError: the disk refuses it.
        """
        segment.unlink()
        self._forget(segment)

    def set_aside(self, segment: Path) -> int:
        """Take a segment out of the way; return how many older rows are removed to make room.

        Raises:
            OSError: the disk refuses it.
        """
        removed = self.aside.move(segment)
        self._forget(segment)
        return removed

    def close(self) -> None:
        """Release the folder for another process."""
        os.close(self._descriptor)

    def _free_name(self) -> Path:
        """Return the next segment's path, which no file has."""
        while True:
            segment = self._folder / f"{self._next:0{DIGITS}d}{ROWS}"
            self._next += 1
            if not segment.exists():
                return segment

    def _forget(self, segment: Path) -> None:
        with self._lock:
            self._held.pop(segment, None)


def _held(path: Path) -> Held:
    """Return what a segment of an earlier process has, as far as the disk says it."""
    size, rows = 0, 1
    with contextlib.suppress(OSError):
        size = path.stat().st_size
        rows = count_rows(path)
    return Held(size, rows)
