from pathlib import Path

from hack.cluster import network

SAVED = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
:OTHER - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -j OTHER
-A KUBE-SERVICES -j KUBE-SVC-A
COMMIT
""".splitlines()


def test_only_kubernetes_chains_are_taken_for_the_clusters() -> None:
    """Chains of other programs are none of the cluster's business."""
    assert network.kubernetes_chains(SAVED) == ["KUBE-SERVICES", "KUBE-SVC-A"]


def test_jumps_from_other_chains_are_removed_one_by_one() -> None:
    """A rule of a built-in chain goes when it leads into a chain that goes, word for word."""
    jumps = list(network.jumps(SAVED, ["KUBE-SERVICES", "KUBE-SVC-A"]))
    comment = ["-m", "comment", "--comment", "kubernetes service portals"]
    assert jumps == [["PREROUTING", *comment, "-j", "KUBE-SERVICES"]]


def test_removal_empties_every_chain_before_it_deletes_one() -> None:
    """Chains refer to each other, so all are emptied first."""
    assert network.removal("nat", ["A", "B"]).splitlines() == [
        "*nat",
        ":A - [0:0]",
        ":B - [0:0]",
        "-X A",
        "-X B",
        "COMMIT",
    ]


def test_mounts_are_removed_innermost_first_and_only_ours() -> None:
    """A mount below another goes first; one of a folder with a similar name stays."""
    mounts = (
        "tmpfs /run/taxon-cluster/a tmpfs rw 0 0\n"
        "tmpfs /run/taxon-cluster/a/b\\040c tmpfs rw 0 0\n"
        "tmpfs /run/taxon-cluster-other tmpfs rw 0 0\n"
    )
    assert network.mounts_below((Path("/run/taxon-cluster"),), mounts) == [
        "/run/taxon-cluster/a/b c",
        "/run/taxon-cluster/a",
    ]
