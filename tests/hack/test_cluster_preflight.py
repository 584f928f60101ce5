import socket
from collections.abc import Iterator

import pytest

from hack.cluster import preflight
from hack.cluster.preflight import GIB
from hack.cluster.steps import ClusterError


@pytest.mark.parametrize(
    ("wanted", "docker", "system", "root", "chosen"),
    [
        (None, True, "Linux", True, "kind"),
        (None, True, "Darwin", False, "kind"),
        (None, False, "Linux", True, "local"),
        ("", False, "Linux", True, "local"),
        ("local", True, "Linux", True, "local"),
        ("kind", True, "Linux", False, "kind"),
    ],
)
def test_provider_follows_the_machine_unless_forced(
    wanted: str | None,
    docker: bool,  # noqa: FBT001 - a column of the table
    system: str,
    root: bool,  # noqa: FBT001
    chosen: str,
) -> None:
    """A Docker engine means kind, Linux with root means local, PROVIDER wins over both."""
    assert preflight.provider(wanted, docker=docker, system=system, root=root) == chosen


@pytest.mark.parametrize(
    ("wanted", "system", "root", "sentence"),
    [
        (None, "Linux", False, "needs a running Docker engine, or Linux and root"),
        (None, "Darwin", True, "needs a running Docker engine, or Linux and root"),
        ("kind", "Linux", True, "PROVIDER=kind needs a Docker engine"),
        ("local", "Linux", False, "PROVIDER=local needs Linux and root"),
        ("local", "Darwin", True, "PROVIDER=local needs Linux and root"),
        ("minikube", "Linux", True, "PROVIDER=minikube is not a provider"),
    ],
)
def test_machine_without_docker_is_reported_what_it_lacks(
    wanted: str | None,
    system: str,
    root: bool,  # noqa: FBT001 - a column of the table
    sentence: str,
) -> None:
    """A machine that cannot run the cluster is refused with one sentence."""
    with pytest.raises(ClusterError, match=sentence):
        preflight.provider(wanted, docker=False, system=system, root=root)


def test_too_little_disk_is_named_with_both_figures() -> None:
    """The sentence says how much disk is needed and how much there is."""
    assert preflight.disk(2 * GIB) == "A cluster needs 15 GiB of free disk and there are 2.0"


def test_enough_disk_passes() -> None:
    """A disk with enough room is not mentioned."""
    assert preflight.disk(100 * GIB) is None


def test_too_little_memory_is_named_with_both_figures() -> None:
    """The sentence says how much memory is needed and how much there is."""
    expected = "A cluster needs 4 GiB of free memory and there are 1.0"
    assert preflight.memory(GIB, used_by_cluster=0) == expected


def test_memory_of_the_running_cluster_counts_as_free() -> None:
    """A cluster that is up already is not refused for the memory it holds itself."""
    assert preflight.memory(2 * GIB, used_by_cluster=3 * GIB) is None


def test_available_memory_is_read_from_the_kernels_table() -> None:
    """The figure is the kernel's estimate of what a new program can have."""
    assert preflight.meminfo("MemTotal: 10 kB\nMemAvailable:   2048 kB\n") == 2048 * 1024


def test_other_processor_is_sent_to_kind() -> None:
    """The local provider's fetched programs are for one processor only."""
    assert "this one is aarch64: use kind" in str(preflight.architecture("aarch64"))


def test_missing_go_is_named() -> None:
    """The local provider says that it needs Go."""
    assert "needs Go on the PATH" in str(preflight.go(None))


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port of the loopback that something listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_port_in_use_is_named_with_the_part_that_needs_it(taken: int) -> None:
    """The sentence names the port and the part, so that one knows what to end."""
    sentences = list(preflight.ports(set(), {"kubelet": (("127.0.0.1", taken),)}))
    assert sentences == [f"Port {taken} is in use and kubelet needs it: stop what listens there"]


def test_port_of_a_running_part_is_its_own(taken: int) -> None:
    """A port that the cluster's own part holds is not in the way."""
    assert list(preflight.ports({"kubelet"}, {"kubelet": (("127.0.0.1", taken),)})) == []
