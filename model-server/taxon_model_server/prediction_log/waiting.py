"""What waits in memory for the disk, bounded by its bytes."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from taxon_datastore.rows import Rows
from taxon_model_server.prediction_log.batches import Batch

QUEUE_BYTES = 64 * 2**20
"""What may be in memory; a single larger item is still taken when nothing else is."""


@dataclass(frozen=True, slots=True, eq=False)
class Promise:
    """Rows of any table, and who waits until they are on disk."""

    rows: Rows
    kept: "Future[None]" = field(default_factory=Future)

    @property
    def count(self) -> int:
        """Return the number of its rows."""
        return self.rows.count

    @property
    def size(self) -> int:
        """Return its bytes."""
        return len(self.rows.payload)


Item = Batch | Promise


class Waiting:
    """A queue of one reader; writers never wait."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._bytes = 0
        self._taken_bytes = 0
        self._closing = False
        self.ended = False
        """Whether nothing is taken any more, because the reader has ended."""
        self._changed = threading.Condition()

    def put(self, item: Item) -> str | None:
        """Add an item; return the reason why it cannot be taken now, if so."""
        size = item.size
        with self._changed:
            if self.ended:
                return "stopped"
            if self._bytes and self._bytes + size > QUEUE_BYTES:
                return "queue_full"
            self._bytes += size
            self._items.append(item)
            if len(self._items) == 1:
                self._changed.notify()
        return None

    def take(self, seconds: float) -> list[Item]:
        """Return what has come until some seconds after the first item; nothing once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closing)
            self._changed.wait_for(lambda: self._closing, seconds)
            left: list[Item] = []
            self._items, taken = left, self._items
            self._taken_bytes = self._bytes
            self.ended = not taken
        return taken

    def free(self) -> None:
        """Let others use the memory of what was taken last."""
        with self._changed:
            self._bytes -= self._taken_bytes
            self._taken_bytes = 0

    def close(self) -> None:
        """Let the reader end once everything is taken."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def end(self) -> list[Item]:
        """Take nothing from now on; return what is left."""
        with self._changed:
            self.ended = True
            self._items, left = [], self._items
        return left
