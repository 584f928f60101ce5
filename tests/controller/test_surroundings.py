"""What others do to a model's objects, and what is missing around them.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

import pytest
from support.story import READY, Story, served
from support.world import SETTINGS, World, dependents

from taxon_contracts import names
from taxon_controller.plan.plan import UNWATCHED_LOOK
from taxon_kube.api import HTTP_ROUTE, INFERENCE_SERVICE, JOB, SERVICE


def test_two_models_of_one_name_live_in_two_namespaces() -> None:
    """Names are derived within a namespace, bundles and hosts with it."""
    world = World()
    here, there = Story(world), Story(world, namespace="other")
    here.submit()
    there.submit()
    here.run()
    there.run()

    assert (here.conditions, there.conditions) == (READY, READY)
    assert here.status.url != there.status.url
    assert len(world.bundles) == 2


def test_children_deleted_by_hand_come_back() -> None:
    """Whichever it is."""
    story = served()
    for kind in (INFERENCE_SERVICE, SERVICE, HTTP_ROUTE):
        [body] = story.world.named(kind).values()
        story.world.remove(body)
    story.run()

    assert story.conditions == READY
    assert all(len(found) == 1 for found in dependents(story.world).values())


def test_children_edited_by_hand_are_put_right() -> None:
    """A route to somewhere else, a Service without a selector, another bundle."""
    story = served()
    [isvc] = story.world.named(INFERENCE_SERVICE).values()
    [service] = story.world.named(SERVICE).values()
    [route] = story.world.named(HTTP_ROUTE).values()
    wanted = [dict(body["spec"]) for body in (isvc, service, route)]
    isvc["spec"] = {"predictor": {"model": {"storageUri": "s3://evil"}}}
    service["spec"] = {}
    route["spec"] = route["spec"] | {"rules": []}
    story.run(2)

    assert [body["spec"] for body in (isvc, service, route)] == wanted


def test_a_training_job_deleted_by_hand_is_another_attempt() -> None:
    """The run is still asked for."""
    story = Story(World(trains=False))
    story.submit()
    story.look()
    [job] = story.world.named(JOB).values()
    story.world.remove(job)
    story.look()

    assert len(story.world.named(JOB)) == 1


def test_an_object_of_someone_else_stays_untouched() -> None:
    """A Service of the model's name is in the way: the condition names it."""
    world = World()
    world.put("Service", "default", "wine", spec={"selector": {"app": "theirs"}})
    story = Story(world)
    story.submit()
    story.run()

    assert story.conditions["Stalled"] == ("True", "NameTaken")
    assert "Service/wine" in story.message("Stalled")
    assert world.named(SERVICE)["wine"]["spec"] == {"selector": {"app": "theirs"}}

    world.remove(world.named(SERVICE)["wine"])
    story.run()
    assert story.conditions == READY


@pytest.mark.parametrize("kind", ["Service", "HTTPRoute"])
def test_for_a_name_that_is_taken_no_run_is_made(kind: str) -> None:
    """Nothing is trained that could not be rolled out; whether the name is free is asked soon."""
    world = World()
    world.put(kind, "default", "wine", spec={})
    story = Story(world)
    story.submit()
    again = story.look()

    assert story.conditions["Stalled"] == ("True", "NameTaken")
    assert f"{kind}/wine" in story.message("Stalled")
    assert not world.named(JOB)
    assert again == world.now + UNWATCHED_LOOK


def test_a_child_without_its_labels_is_still_taxons_own() -> None:
    """Its owner says so; the labels come back."""
    story = served()
    [service] = story.world.named(SERVICE).values()
    service["metadata"]["labels"] = {}
    story.run(3)

    assert service["metadata"]["labels"][names.LABEL_MODEL] == "wine"
    assert story.conditions == READY


def test_without_kserve_the_condition_names_it() -> None:
    """Training goes on; there is nothing to serve with."""
    story = Story(World(missing={"InferenceService"}))
    story.submit()
    story.run()
    assert story.conditions["Stalled"] == ("True", "KServeMissing")
    assert story.outcomes == [("Spec", "Accepted", "LimitsMet")]

    story.world.missing = set()
    story.run()
    assert story.conditions == READY


def test_without_gateway_api_the_service_alone_leads_to_the_version() -> None:
    """There is an address inside the cluster and no url."""
    story = Story(World(missing={"HTTPRoute", "Gateway"}))
    story.submit()
    status = story.run()

    assert story.conditions == READY | {"Serving": ("True", "ServingWithoutGateway")}
    assert status.url is None
    assert status.address is not None
    assert status.address.url == "http://wine.default.svc"


def test_a_host_that_gets_too_long_with_the_namespace_is_reported() -> None:
    """CEL cannot see the namespace."""
    settings = SETTINGS.model_copy(update={"domain": ".".join(["d" * 60] * 4)})
    story = Story(World(), settings)
    story.submit()
    story.run()

    assert story.conditions["Stalled"] == ("True", "NameTooLong")
    assert story.world.named(JOB) == {}


def test_a_namespace_without_credentials_is_reported() -> None:
    """It is not one of the chart's modelNamespaces."""
    world = World()
    for account in ("taxon-trainer", "taxon-server"):
        world.remove(world.objects["ServiceAccount", "default", account])
    story = Story(world)
    story.submit()
    story.run()

    assert story.conditions["Stalled"] == ("True", "CredentialsMissing")
    assert "modelNamespaces" in story.message("Stalled")
    assert world.named(JOB) == {}


@pytest.mark.parametrize("account", ["taxon-trainer", "taxon-server"])
def test_whether_credentials_are_there_by_now_is_asked_soon(account: str) -> None:
    """ServiceAccounts are not watched, and nobody should wait for the resync."""
    world = World()
    world.remove(world.objects["ServiceAccount", "default", account])
    story = Story(world)
    story.submit()
    story.run()
    again = story.look()
    assert again is not None
    assert again <= world.now + UNWATCHED_LOOK

    world.put("ServiceAccount", "default", account)
    story.run()
    assert story.conditions == READY


def test_a_spec_that_cannot_be_read_is_reported_by_its_field() -> None:
    """Whatever got past the schema never crashes the controller."""
    story = Story(World())
    story.submit(pipeline={"polynomialDegree": 9})
    story.run()

    assert story.conditions == {
        "Ready": ("False", "InvalidSpec"),
        "Stalled": ("True", "InvalidSpec"),
    }
    assert "spec.pipeline.polynomialDegree" in story.message("Stalled")


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("61 3 * * 1", 'retrain.schedule "61 3 * * 1": minute 61 is out of range 0-59'),
        ("0 3 30 2 *", 'day of month "30" is not valid: write it as in "0 3 * * 1"'),
        ("0 3 * * MOX", 'day of week "MOX" is not valid: write it as in "0 3 * * 1"'),
    ],
)
def test_a_schedule_that_cannot_be_is_answered_with_one_sentence(
    schedule: str, sentence: str
) -> None:
    """What CEL cannot refuse: the condition names the field, and the rest goes on."""
    story = served()
    story.submit(retrain={"schedule": schedule})
    story.run()

    assert story.conditions["Stalled"] == ("True", "InvalidSchedule")
    assert sentence in story.message("Stalled")
    assert story.conditions["Serving"] == ("True", "VersionServing")


def test_a_live_version_whose_servers_are_gone_is_not_ready() -> None:
    """The URL does not answer, whatever was true before."""
    story = served()
    story.world.serves = False
    story.run(3)
    assert story.conditions["Ready"] == ("False", "ServersNotReady")
    assert story.conditions["Serving"] == ("False", "ServersNotReady")

    story.world.serves = True
    story.run()
    assert story.conditions == READY


def test_a_lost_status_heals_without_training() -> None:
    """What is served says what it is, and the Service says which is live."""
    story = served()
    first = story.status
    del story.world.model()["status"]
    story.run()

    assert story.conditions == READY
    assert story.status.versions == first.versions
    assert len(story.world.named(JOB)) == 1
