"""What cannot be read is noted; a look does not keep its worker from other models."""

from typing import Any

import pytest
from support.world import World

from taxon_controller.observe.reader import SECONDS, Reader
from taxon_kube.api import JOB, SERVICE, KindMissing, Manifest, Refused, Unavailable


class Slow(World):
    """A cluster that takes its time for every read."""

    time = 0.0

    def list(self, *words: Any, **named: Any) -> list[Manifest]:
        """Answer late."""
        self.time += SECONDS / 2
        return super().list(*words, **named)


def test_a_look_that_takes_long_reads_nothing_more() -> None:
    """Every single call has its deadline; together they would take minutes."""
    world = Slow()
    reader = Reader(world, monotonic=lambda: world.time)
    for _ in range(9):
        assert reader.labelled(JOB, "default", {}) == []

    assert world.time == SECONDS
    assert len(reader.unread) == 7
    assert "previous reads took more than 30 s" in reader.unread[0].finding.message


@pytest.mark.parametrize("error", [Refused("forbidden"), Unavailable("502"), KindMissing("none")])
def test_an_error_of_any_read_is_noted(error: Exception) -> None:
    """With the kind and the namespace."""
    world = World(unreadable={"Service": error})  # type: ignore[dict-item]  # all are errors of the API
    reader = Reader(world)

    assert reader.labelled(SERVICE, "default", {}) == []
    assert reader.get(SERVICE, "default", "wine") is None
    assert [(one.kind, one.namespace) for one in reader.unread] == [("Service", "default")] * 2
