"""Problems a person has to solve before something new can start, the most basic first."""

from collections.abc import Callable

from taxon_controller.domain.accounts import server_account, trainer_account
from taxon_controller.domain.actions import Finding
from taxon_controller.domain.hosts import outside_host
from taxon_controller.plan import schedule
from taxon_controller.plan.scene import Scene
from taxon_kube.api import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    JOB,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
)

HOST_CHARACTERS = 253
LABEL_CHARACTERS = 63

SERVING_KINDS = (INFERENCE_SERVICE, DEPLOYMENT, SERVICE, HTTP_ROUTE, DISRUPTION_BUDGET)
"""What serves: while one of these cannot be read, none of it is touched."""
NEEDED_KINDS = (JOB, POD, SERVICE_ACCOUNT, *SERVING_KINDS)
"""What has to be read before something starts; the Gateway's listeners are not part of it."""

Check = Callable[[Scene], Finding | None]


def name_too_long(scene: Scene) -> Finding | None:
    """Report a host name that is longer than DNS allows."""
    name = outside_host(scene.model, scene.settings)
    if len(name) <= HOST_CHARACTERS and all(len(p) <= LABEL_CHARACTERS for p in name.split(".")):
        return None
    return Finding(
        "NameTooLong",
        f"the host {name} has {len(name)} characters, {HOST_CHARACTERS} are allowed: use a shorter"
        " name or namespace",
    )


def name_taken(scene: Scene) -> Finding | None:
    """Report objects Taxon needs that belong to someone else."""
    return names_taken(scene.observed.foreign) if scene.observed.foreign else None


def names_taken(taken: tuple[str, ...]) -> Finding:
    """Return the sentence for objects that belong to someone else, each as ``Kind/name``."""
    return Finding(
        "NameTaken",
        f"{', '.join(taken)} belongs to someone else and was not changed: remove it or rename the"
        " model",
    )


def invalid_schedule(scene: Scene) -> Finding | None:
    """Report a schedule that is not a cron expression."""
    text = scene.model.spec.retrain.schedule
    fault = schedule.fault(text, scene.now) if text else None
    return Finding("InvalidSchedule", f'retrain.schedule "{text}": {fault}') if fault else None


def something_unread(scene: Scene) -> Finding | None:
    """Report what could not be read: nothing starts without it."""
    return scene.observed.unread_of(*NEEDED_KINDS)


def account_unread(scene: Scene) -> Finding | None:
    """Report ServiceAccounts that could not be read."""
    return scene.observed.unread_of(SERVICE_ACCOUNT)


BLOCKERS: tuple[Check, ...] = (name_too_long, name_taken, invalid_schedule)
"""What stops runs and switches alike."""


def suspended(scene: Scene) -> Finding | None:
    """Report that a person has stopped runs."""
    return Finding("Suspended", "spec.suspend stops runs") if scene.suspended else None


def blocked(scene: Scene) -> Finding | None:
    """Report what stops runs and switches alike."""
    return scene.blocker


def trainer_account_missing(scene: Scene) -> Finding | None:
    """Report a namespace that was not prepared for training pods."""
    return _account_missing(scene, trainer_account(scene.model, scene.settings))


RUN_BLOCKERS: tuple[Check, ...] = (
    suspended,
    blocked,
    something_unread,
    trainer_account_missing,
)
"""What stops a run from beginning."""


def kserve_missing(scene: Scene) -> Finding | None:
    """Report a cluster without KServe."""
    if scene.observed.kserve != "Missing":
        return None
    return Finding(
        "KServeMissing", "the kind InferenceService of KServe is missing: install KServe"
    )


def server_account_missing(scene: Scene) -> Finding | None:
    """Report a namespace that was not prepared for servers."""
    return _account_missing(scene, server_account(scene.model, scene.settings))


SERVING_BLOCKERS: tuple[Check, ...] = (kserve_missing, account_unread, server_account_missing)
"""What stops any version from being served."""


def first(checks: tuple[Check, ...], scene: Scene) -> Finding | None:
    """Return the first finding of a chain of checks, if there is any."""
    return next(filter(None, (check(scene) for check in checks)), None)


def _account_missing(scene: Scene, account: str) -> Finding | None:
    if account in scene.observed.accounts:
        return None
    return Finding(
        "CredentialsMissing",
        f"namespace {scene.model.namespace} has no ServiceAccount {account}: list the namespace in"
        " the chart's modelNamespaces, or create it",
    )
