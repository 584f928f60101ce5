"""An edit in place is followed until it runs on every server, and can be taken back.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

from typing import Any

import pytest
from support.other_controllers import deployment_conditions
from support.story import READY, Story, served
from support.world import World

from taxon_contracts import names
from taxon_kube.api import INFERENCE_SERVICE, Refused

ROOMY = {"resources": {"limits": {"memory": "1Gi"}}}
TIGHT = {"resources": {"requests": {"memory": "30Mi"}, "limits": {"memory": "30Mi"}}}
KILLED = {
    "containerStatuses": [
        {
            "name": "kserve-container",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }
    ]
}


def edited(serving: dict[str, Any], **switches: Any) -> Story:
    """Return the story of a Ready model whose serving was just edited in place."""
    story = served(serving=ROOMY)
    story.world.put("ServiceAccount", story.namespace, "reader")
    for name, value in switches.items():
        setattr(story.world, name, value)
    story.world.pass_time(minutes=5)
    story.submit(serving=serving)
    return story


@pytest.mark.parametrize(
    "serving",
    [
        TIGHT,
        ROOMY | {"serviceAccountName": "reader"},
        ROOMY | {"predictionLog": {"mode": "Disabled"}},
        ROOMY | {"http": {"rateLimit": "5/second"}},
    ],
)
def test_a_model_is_not_ready_before_its_edit_runs_everywhere(serving: dict[str, Any]) -> None:
    """Whichever field it is: at no look does Ready stand at the new generation before its time."""
    story = edited(serving, updates=False)
    for _ in range(5):
        story.look()
        assert story.conditions["Ready"] == ("False", "ServersUpdating")
        assert story.conditions["Reconciling"] == ("True", "ServersUpdating")
        story.world.settle()
    assert "the old servers keep serving" in story.message("Ready")

    story.world.updates = True
    story.run()
    assert story.conditions == READY


def test_a_memory_limit_that_is_too_low_is_stalled_with_the_pods_reason() -> None:
    """The new pod is killed again and again; the old one serves, and nothing else says so."""
    story = edited(TIGHT, updates=False, update_state=KILLED)
    live = story.live
    story.run()
    assert story.conditions["Reconciling"] == ("True", "ServersUpdating")
    assert "OutOfMemory" in story.message("Ready")

    story.world.pass_time(seconds=601)
    story.look()
    assert story.conditions["Stalled"] == ("True", "OutOfMemory")
    assert "0 of 1 servers" in story.message("Stalled")
    assert "revert the edit" in story.message("Stalled")
    assert story.conditions["Serving"] == ("True", "VersionServing")
    assert story.live == live


def test_an_edit_that_is_stuck_can_be_taken_back() -> None:
    """The servers before it never went, so the model is Ready again at once."""
    story = edited(TIGHT, updates=False, update_state=KILLED)
    story.run()
    story.world.pass_time(seconds=601)
    story.look()
    story.submit(serving=ROOMY)
    story.run()

    assert story.conditions == READY


def test_the_deadline_counts_from_when_the_edit_last_came_further() -> None:
    """Many servers may take longer in all than one may."""
    story = edited(TIGHT | {"minReplicas": 2}, updates=False)
    story.run(3)
    story.world.pass_time(seconds=599)
    [deployment] = story.world.named_deployments()
    deployment["status"]["updatedReplicas"] = 2
    deployment["status"]["conditions"][0]["lastUpdateTime"] = deployment["status"]["conditions"][0][
        "lastUpdateTime"
    ].replace("12:05", "12:14")
    story.world.pass_time(seconds=30)
    story.look()

    assert story.conditions["Reconciling"] == ("True", "ServersUpdating")


def test_more_servers_have_their_whole_time_however_old_the_last_rollout_is() -> None:
    """Kubernetes notes no progress where only the number of pods changes."""
    story = served(serving=ROOMY)
    story.world.updates = False
    story.world.pass_time(hours=5)
    story.submit(serving=ROOMY | {"minReplicas": 3})
    story.run(5)
    assert story.conditions["Reconciling"] == ("True", "ServersUpdating")
    assert "1 of 3 servers" in story.message("Ready")

    story.world.pass_time(seconds=601)
    story.look()
    assert story.conditions["Stalled"] == ("True", "ProgressDeadlineExceeded")

    story.world.updates = True
    story.run()
    assert story.conditions == READY


def test_a_server_that_is_lost_leaves_the_model_ready_while_it_is_replaced() -> None:
    """A node is drained long after the last rollout: another server answers meanwhile."""
    story = served(serving=ROOMY | {"minReplicas": 2})
    story.world.pass_time(hours=5)
    [deployment] = story.world.named_deployments()
    counts = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}
    conditions = deployment_conditions(story.world, deployment, counts)
    deployment["status"] |= counts | {"conditions": conditions}
    story.look()
    assert story.conditions == READY

    story.world.pass_time(seconds=601)
    story.look()
    assert story.conditions["Stalled"] == ("True", "ProgressDeadlineExceeded")
    assert "1 of 2 servers" in story.message("Stalled")
    assert "check the pods" in story.message("Stalled")
    assert "edit" not in story.message("Stalled")


def test_what_is_said_of_the_spec_before_an_edit_does_not_stall_it() -> None:
    """KServe has changed the Deployment, which Kubernetes has not looked at yet."""
    story = edited(TIGHT)
    story.world.pass_time(hours=5)
    story.look()
    story.world.settle()
    [deployment] = story.world.named_deployments()
    deployment["status"]["observedGeneration"] -= 1
    deployment["status"]["conditions"][0]["lastUpdateTime"] = "2026-01-01T00:00:00Z"
    story.look()

    assert story.conditions["Reconciling"] == ("True", "ServersUpdating")
    assert "Kubernetes has not begun" in story.message("Ready")


@pytest.mark.parametrize("edit", [TIGHT, ROOMY | {"minReplicas": 3}])
def test_an_edit_kserve_does_not_carry_over_is_not_ready(edit: dict[str, Any]) -> None:
    """KServe's manager is away: the Deployment does not know of the edit."""
    story = edited(edit, carries=False)
    story.world.pass_time(hours=5)
    story.run()

    assert story.conditions["Reconciling"] == ("True", "ServersUpdating")
    assert "KServe has not applied the edit" in story.message("Ready")


def test_an_edit_kserve_never_carries_over_is_stalled_and_can_be_taken_back() -> None:
    """The time is up, and the message says whom to look at."""
    story = edited(TIGHT, carries=False)
    story.run()
    story.world.pass_time(seconds=601)
    for _ in range(3):
        story.look()
        assert story.conditions["Stalled"] == ("True", "ProgressDeadlineExceeded")
    assert "check KServe's controller manager" in story.message("Stalled")

    story.submit(serving=ROOMY)
    story.run()
    assert story.conditions == READY


def test_a_rollout_nobody_asked_for_is_reported_when_it_does_not_end() -> None:
    """As after an upgrade of KServe: Ready stays while it goes well, and not when it is late."""
    story = served(serving=ROOMY)
    story.world.updates, story.world.update_state = False, KILLED
    [deployment] = story.world.named_deployments()
    deployment["ran"] = {"replicas": 1}
    deployment["status"]["observedGeneration"] = 0
    story.world.settle()
    story.look()
    assert story.conditions == READY

    story.world.pass_time(seconds=601)
    story.look()
    assert story.conditions["Stalled"] == ("True", "OutOfMemory")


def test_scaling_by_load_leaves_a_model_ready() -> None:
    """The autoscaler's pods come and go."""
    story = served(serving=ROOMY | {"maxReplicas": 4})
    [deployment] = story.world.named_deployments()
    deployment["spec"]["replicas"] = 3
    deployment["metadata"]["generation"] += 1
    story.look()
    assert story.conditions == READY

    deployment["status"] |= {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 1}
    story.look()
    assert story.conditions == READY


def test_an_edit_is_not_ready_while_deployments_cannot_be_read() -> None:
    """A right is missing: nobody knows where the edit runs, and that is said."""
    story = edited(TIGHT)
    story.world.unreadable["Deployment"] = Refused("deployments is forbidden")
    for failures in range(6):
        with pytest.raises(Refused):
            story.look(failures)
        story.world.settle()

    assert story.conditions["Stalled"] == ("True", "ReadFailed")


def test_an_edit_of_http_settings_is_rendered_in_place() -> None:
    """No new version, no training: the server's environment."""
    story = edited(ROOMY | {"http": {"rateLimit": "5/second"}})
    live = story.live
    story.run()
    [server] = story.world.named(INFERENCE_SERVICE).values()
    env = {one["name"]: one.get("value") for one in server["spec"]["predictor"]["model"]["env"]}

    assert env["TAXON_SERVER_RATE_LIMIT"] == "5/second"
    assert server["metadata"]["labels"][names.LABEL_VERSION] == live == story.live
    assert story.conditions == READY


def test_a_first_version_arrives_with_all_of_its_servers() -> None:
    """A Deployment that is not there yet holds nothing up, one that is counts."""
    story = Story(World())
    story.submit(serving=ROOMY | {"minReplicas": 2})

    assert story.run().live is not None
    assert story.conditions == READY


def test_a_version_kept_warm_takes_over_although_an_edit_is_stuck_on_it_as_well() -> None:
    """KServe calls its servers not ready because of the edit; those before it serve."""
    story = served(serving=ROOMY, seed=1)
    first = story.live
    story.world.pass_time(minutes=1)
    story.submit(serving=ROOMY, seed=2)
    story.run()
    story.world.updates, story.world.update_state = False, KILLED
    story.submit(serving=TIGHT, seed=2)
    story.run()
    not_ready = {"type": "PredictorReady", "status": "False"}
    for body in story.world.objects.values():
        if body["kind"] == INFERENCE_SERVICE.name:
            body["status"] = {"conditions": [not_ready]}
    story.submit(serving=TIGHT, seed=2, pinnedVersion=first)
    for _ in range(3):
        story.look()

    assert story.live == first
