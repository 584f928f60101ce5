"""A model is created and edited: what is trained, what is switched, what changes in place.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

from support.story import READY, Story, served
from support.world import World, dependents

from taxon_kube.api import INFERENCE_SERVICE, JOB


def test_a_new_model_is_trained_judged_served_and_led_to() -> None:
    """Job, result, gate, servers, Service, HTTPRoute, answer, Ready."""
    story = served()

    assert story.conditions == READY
    assert story.status.url == "http://wine.default.example.com"
    assert story.outcomes == [("Spec", "Accepted", "LimitsMet")]
    assert dependents(story.world) == {
        "Job": [f"wine-{story.live}-1"],
        "InferenceService": [f"wine-{story.live}"],
        "Service": ["wine"],
        "HTTPRoute": ["wine"],
    }


def test_the_steps_of_a_switch_come_in_their_order() -> None:
    """Servers first, then the Service, then the route, then the word that all is well."""
    story = served()
    steps = [one.split("/")[0] for one in story.world.writes if "Event" not in one]

    assert steps == [
        "create Job",
        "replace status ClassifierModel",
        "create InferenceService",
        "replace Job",
        "replace status ClassifierModel",
        "create Service",
        "create HTTPRoute",
        "create PodDisruptionBudget",
        "replace status ClassifierModel",
        "replace status ClassifierModel",
    ]


def test_ready_is_not_said_before_the_url_answers() -> None:
    """The URL in status answers at the moment Ready is written."""
    story = Story(World(routes=False))
    story.submit()
    story.run()

    assert story.conditions["Ready"] == ("False", "SwitchingTraffic")
    assert (story.status.live, story.status.url) == (None, None)

    story.world.routes = True
    story.run()
    assert story.conditions == READY


def test_nothing_is_written_when_nothing_has_changed() -> None:
    """An idle model costs reads only."""
    story = served()
    before = list(story.world.writes)
    story.world.pass_time(minutes=30)
    story.run()

    assert story.world.writes == before


def test_a_model_on_its_way_says_so() -> None:
    """While the first attempt runs, the model is reconciling."""
    story = Story(World(trains=False))
    story.submit()
    status = story.run()

    assert story.conditions == {
        "Ready": ("False", "Training"),
        "Reconciling": ("True", "Training"),
        "Trained": ("False", "Training"),
        "GatePassed": ("Unknown", "NotJudged"),
        "Serving": ("False", "NoVersion"),
    }
    assert status.run is not None
    assert (status.run.trigger, status.run.attempt) == ("Spec", 1)


def test_an_edit_of_an_identity_field_trains_and_the_live_version_serves_meanwhile() -> None:
    """The live version is not touched until the new one is ready."""
    story = served()
    first = story.live
    story.world.trains = False
    story.submit(seed=7)
    story.run()

    assert story.live == first
    assert story.conditions["Ready"] == ("False", "Training")
    assert story.conditions["Serving"] == ("True", "VersionServing")

    story.world.trains = True
    story.run()
    assert story.live != first
    assert story.conditions == READY


def test_the_version_before_stays_warm_for_its_time() -> None:
    """Rollback is instant for scaleDownDelaySeconds, then its servers go."""
    story = served()
    first = story.live
    story.submit(seed=7)
    status = story.run()

    assert status.previous is not None
    assert status.previous.version == first
    assert f"wine-{first}" in story.world.named(INFERENCE_SERVICE)

    story.world.pass_time(seconds=3600)
    story.run()
    assert story.status.previous is None
    assert list(story.world.named(INFERENCE_SERVICE)) == [f"wine-{story.live}"]


def test_an_edit_of_anything_else_is_applied_in_place() -> None:
    """Replicas, resources and log mode change without another version."""
    story = served()
    first = story.live
    story.submit(
        serving={
            "minReplicas": 2,
            "maxReplicas": 4,
            "predictionLog": {"mode": "WithoutFeatures"},
            "resources": {"requests": {"cpu": "2000m"}},
        }
    )
    story.run()
    [body] = story.world.named(INFERENCE_SERVICE).values()
    predictor = body["spec"]["predictor"]

    assert story.live == first
    assert len(story.world.named(JOB)) == 1
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (2, 4)
    assert predictor["model"]["env"][0]["value"] == "WithoutFeatures"
    assert predictor["model"]["resources"]["requests"]["cpu"] == "2000m"
    assert body["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "hpa"


def test_back_to_an_earlier_spec_is_judged_again_and_switched_to() -> None:
    """The version is found by its id; the trainer only judges it against today's live one."""
    story = served()
    first = story.live
    story.submit(seed=7)
    story.run()
    story.world.pass_time(minutes=5)
    story.submit()
    story.run()

    assert story.live == first
    assert story.conditions == READY
    assert f"wine-{first}-2" in story.world.named(JOB)


def test_an_edit_during_a_run_supersedes_it() -> None:
    """The run nobody asks for any more is recorded, then its Job goes."""
    story = Story(World(trains=False))
    story.submit()
    story.run(3)
    [before] = story.world.named(JOB)
    story.submit(seed=7)
    story.run(6)

    assert before not in story.world.named(JOB)
    assert story.outcomes == [("Spec", "Failed", "Superseded")]

    story.world.trains = True
    story.run()
    assert story.conditions == READY
