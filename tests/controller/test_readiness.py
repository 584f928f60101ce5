"""Ready is decided by one chain of checks, in one order."""

from taxon_controller.plan.readiness import CHAIN


def test_the_order_in_which_bad_states_are_reported() -> None:
    """What a person has to remove comes first; what was asked for and is broken before what is new.

    A state reported out of its turn hides the one a person has to act on.
    """
    assert [(check.__name__, companion) for check, companion in CHAIN] == [
        ("blocked", "Stalled"),
        ("rollout_blocked", "Stalled"),
        ("live_without_servers", None),
        ("edit_stuck", "Stalled"),
        ("url_not_answering", None),
        ("traffic_on_its_way", "Reconciling"),
        ("edit_on_its_way", "Reconciling"),
        ("suspended", None),
        ("candidate_on_its_way", "Reconciling"),
        ("run_on_its_way", "Reconciling"),
        ("run_cannot_begin", "Stalled"),
        ("no_version_passed", "Stalled"),
        ("rollout_not_begun", "Reconciling"),
    ]
