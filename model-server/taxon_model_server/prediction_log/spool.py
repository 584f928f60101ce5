"""Predictions on disk until the database has them: finished segments, oldest first."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Sequence
from pathlib import Path

SUFFIX = ".jsonl"
PARTIAL = ".partial"
DIGITS = 12
ANY_SEGMENT = f"{'[0-9]' * DIGITS}{SUFFIX}"


class SpoolFull(OSError):  # noqa: N818 - a state the caller counts
    """The spool has reached its largest size."""


class SpoolUnusable(Exception):  # noqa: N818 - a state; the message names the folder and the remedy
    """The folder cannot be used for a spool."""


class Spool:
    """A folder of segment files that one process writes and empties.

    A segment appears whole: it is written under another name, flushed to disk, and renamed. What a
    crash left half written does not count as spooled and is removed.
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
        segments = self.segments()
        self._bytes = sum(path.stat().st_size for path in segments)
        self._next = max((int(path.stem) for path in segments), default=0) + 1

    def append(self, lines: Sequence[str]) -> None:
        """Write lines as one segment, on disk when this returns.

        Raises:
            SpoolFull: the spool has reached its largest size.
            OSError: writing to the disk failed.
        """
        content = "".join(f"{line}\n" for line in lines).encode()
        with self._lock:
            if self._bytes + len(content) > self._max_bytes:
                raise SpoolFull
        partial = self._folder / f"{self._next:0{DIGITS}d}{PARTIAL}"
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(partial.with_suffix(SUFFIX))
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        with contextlib.suppress(OSError):  # the segment is there; only its name may not be durable
            os.fsync(self._descriptor)
        self._next += 1
        with self._lock:
            self._bytes += len(content)

    def segments(self) -> list[Path]:
        """Return the finished segments, oldest first."""
        return sorted(self._folder.glob(ANY_SEGMENT))

    def remove(self, segment: Path) -> None:
        """Remove a segment that is no longer needed.

        Raises:
            OSError: the disk refuses it.
        """
        size = segment.stat().st_size
        segment.unlink()
        with self._lock:
            self._bytes -= size

    def close(self) -> None:
        """Release the folder for another process."""
        os.close(self._descriptor)
