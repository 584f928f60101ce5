"""A training pod that cannot start: why, what to do, and whether an edit has done it."""

from collections.abc import Callable

from taxon_contracts.status import Run
from taxon_controller.domain.drift import matches
from taxon_controller.objects.training_job import training_job
from taxon_controller.observe.observed import Attempt
from taxon_controller.plan.scene import Scene
from taxon_kube.api import Manifest

CANNOT_START = {
    "CredentialsMissing": "create what is missing, or edit spec.training",
    "ImagePullFailed": "correct the image or its registry's credentials",
    "Unschedulable": "lower spec.training.resources, which replaces this attempt, or add nodes",
}
"""Why a pod does not start, and what to do."""


def _container(job: Manifest) -> Manifest:
    container: Manifest = job["spec"]["template"]["spec"]["containers"][0]
    return container


PARTS: tuple[Callable[[Manifest], object], ...] = (
    lambda job: _container(job)["resources"],
    lambda job: _container(job)["envFrom"],
    lambda job: job["spec"]["template"]["spec"]["serviceAccountName"],
)
"""What spec.training decides about an attempt's pod before it starts."""


def cannot_start(attempt: Attempt) -> bool:
    """Return whether an attempt's pod waits for a person's action."""
    return attempt.trouble is not None and attempt.trouble.reason in CANNOT_START


def is_outdated(scene: Scene, attempt: Attempt, run: Run) -> bool:
    """Return whether spec.training differs from the attempt's pod."""
    try:
        wanted = training_job(scene.model, run, champion=None, settings=scene.settings)
    except ValueError:  # too large a request: the attempt's was not
        return False
    return not all(matches(part(attempt.body), part(wanted)) for part in PARTS)
