"""One write that cannot be made holds up no other, and the status says why."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from support.story import READY, Story, served
from support.world import SETTINGS, World

from taxon_kube.api import (
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    SERVICE,
    ApiError,
    Manifest,
    Refused,
    Unavailable,
)

QUOTA = "exceeded quota: count/jobs.batch"


@dataclass
class Refusing(World):
    """A cluster whose policy refuses new objects of a kind."""

    refused: tuple[str, str] | None = None

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object, unless it is refused."""
        if (manifest["kind"], manifest["metadata"]["namespace"]) == self.refused:
            raise Refused(QUOTA)
        return super().create(manifest)


def look(story: Story, times: int = 3) -> None:
    """Let the controller look, whatever it is refused."""
    for _ in range(times):
        story.world.pass_time(seconds=20)
        with suppress(ApiError):
            story.look()
        story.world.settle()


def refusing(kind: str, namespace: str = "default", **spec: Any) -> Story:
    """Return the story of a served model in a cluster that refuses a kind from now on."""
    story = Story(Refusing())
    story.submit(**spec)
    story.run()
    story.world.refused = (kind, namespace)  # type: ignore[attr-defined]
    return story


def lose_service(story: Story) -> None:
    """Delete the live Service by hand."""
    story.world.remove(story.world.named(SERVICE)["wine"])


def test_a_refused_training_job_is_reported() -> None:
    """A quota is full: the model says so, and begins once there is room."""
    story = Story(Refusing(refused=("Job", "default")))
    story.submit()
    look(story)
    assert story.conditions["Stalled"] == ("True", "WriteRefused")
    assert QUOTA in story.message("Trained")

    story.world.refused = None  # type: ignore[attr-defined]
    look(story, 12)
    assert story.conditions == READY


def test_a_refused_run_in_the_background_leaves_the_model_ready() -> None:
    """The desired version answers; Ready also reports that the next one cannot be trained."""
    story = refusing("Job")
    story.world.pass_time(minutes=1)
    story.submit(annotation="again")
    look(story)

    assert story.conditions["Ready"] == ("True", "VersionLive")
    assert story.conditions["Trained"] == ("False", "WriteRefused")


@pytest.mark.parametrize("kind", ["Job", "InferenceService"])
def test_a_deleted_service_comes_back_though_the_next_version_is_refused(kind: str) -> None:
    """Neither a training Job nor servers that are refused leave the live version alone."""
    story = refusing(kind, seed=1)
    story.submit(seed=2)
    look(story)
    lose_service(story)
    look(story)

    assert "wine" in story.world.named(SERVICE)
    assert story.conditions["Stalled"] == ("True", "WriteRefused")


def test_a_refused_clean_up_holds_up_no_switch() -> None:
    """Bundles wait to be removed; every edit goes live all the same."""
    story = refusing("Job", SETTINGS.namespace, seed=1, versionHistoryLimit=2)
    for seed in (2, 3, 4):
        story.submit(seed=seed, versionHistoryLimit=2)
        look(story, 12)

    assert story.conditions == READY
    assert len(story.status.versions or ()) == 4


def test_a_deleted_service_comes_back_while_kserves_webhook_is_away() -> None:
    """A candidate cannot be made; the live version does not need the webhook."""
    story = served(seed=1)
    story.world.trains = False
    story.submit(seed=2)
    story.run()
    story.world.webhook_away = story.world.trains = True
    story.world.settle()
    look(story)
    lose_service(story)
    look(story)

    assert "wine" in story.world.named(SERVICE)
    assert story.conditions["Reconciling"] == ("True", "KServeUnavailable")


def test_a_deleted_service_comes_back_while_servers_are_held_in_deletion() -> None:
    """KServe's finalizer holds the live InferenceService, and its manager is away."""
    story = served()
    [body] = story.world.named(INFERENCE_SERVICE).values()
    held = story.world.objects["InferenceService", "default", body["metadata"]["name"]]
    held["metadata"]["finalizers"] = ["inferenceservice.finalizers"]
    story.world.remove(held)
    lose_service(story)
    look(story)

    assert "wine" in story.world.named(SERVICE)


def test_a_name_that_is_taken_is_not_tried_every_second() -> None:
    """Someone else has put a Service where the live one was; the route comes back beside it."""
    story = served()
    lose_service(story)
    story.world.put("Service", "default", "wine", spec={})
    story.run()
    written = len(story.world.writes)
    again = story.look()

    assert again is not None
    assert (again - story.world.now).total_seconds() >= 10
    assert story.world.writes[written:] == []


def test_a_write_that_is_never_taken_is_reported() -> None:
    """A webhook of someone else's fails: the API server answers 500 to every HTTPRoute."""

    class Failing(World):
        def create(self, manifest: Manifest) -> Manifest:
            if manifest["kind"] == HTTP_ROUTE.name:
                raise Unavailable("failed calling webhook routes.example.com")
            return super().create(manifest)

    story = Story(Failing())
    story.submit()
    for failures in range(12):
        with suppress(Unavailable):
            story.look(failures)
        story.world.settle()

    assert story.conditions["Stalled"] == ("True", "WriteRefused")
    assert "routes.example.com" in story.message("Ready")
