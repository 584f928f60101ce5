"""Segments that cannot be stored, kept for a person in a bounded folder."""

import contextlib
import os
from pathlib import Path

from taxon_model_server.prediction_log.segments import ANY_SEGMENT, count_rows

FOLDER = "set-aside"


class SetAside:
    """A folder below the spool's; the oldest files go when it has reached its size."""

    def __init__(self, spool: Path, *, max_bytes: int) -> None:
        self.folder = spool / FOLDER
        self._max_bytes = max_bytes
        self._sizes: dict[Path, int] = {}
        for path in sorted(path for form in ANY_SEGMENT for path in self.folder.glob(form)):
            with contextlib.suppress(OSError):
                self._sizes[path] = path.stat().st_size
        self.size = sum(self._sizes.values())
        """How many bytes are there."""

    @property
    def newest(self) -> int:
        """Return the highest number of a segment there, 0 if there is none."""
        return max((int(path.stem) for path in self._sizes), default=0)

    def move(self, segment: Path) -> int:
        """Move a segment here, on disk when this returns; return how many rows make room for it.

        Raises:
            OSError: the disk refuses it; the segment is where it was.
        """
        self.folder.mkdir(exist_ok=True)
        moved = segment.rename(self.folder / segment.name)
        flush(segment.parent)
        return self._take(moved)

    def write(self, name: str, content: bytes) -> int:
        """Write a segment here, on disk when this returns; return how many rows make room for it.

        Raises:
            OSError: the disk refuses it.
        """
        self.folder.mkdir(exist_ok=True)
        path = self.folder / name
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return self._take(path)

    def _take(self, path: Path) -> int:
        flush(self.folder)
        self._sizes.pop(path, None)
        self._sizes[path] = path.stat().st_size
        removed = 0
        while sum(self._sizes.values()) > self._max_bytes:
            oldest = next(iter(self._sizes))
            with contextlib.suppress(OSError):
                removed += count_rows(oldest)
                oldest.unlink(missing_ok=True)
            del self._sizes[oldest]
        self.size = sum(self._sizes.values())
        return removed


def flush(folder: Path) -> None:
    """Write a folder's names to the disk.

    Raises:
        OSError: the disk refuses it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
