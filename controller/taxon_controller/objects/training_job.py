"""The Job that carries out one attempt of a run."""

from taxon_contracts import names
from taxon_contracts.canonical import canonical_json
from taxon_contracts.datasets import DatasetReference
from taxon_contracts.run import RUN_VARIABLE, Champion, RunRequest
from taxon_contracts.status import Run
from taxon_controller.domain.model import Model
from taxon_controller.objects import shared
from taxon_controller.settings import Settings
from taxon_kube.api import Manifest

REQUESTS = {"cpu": "500m", "memory": "512Mi"}
LIMITS = {"cpu": "2", "memory": "2Gi"}


def training_job(
    model: Model, run: Run, *, champion: Champion | None, settings: Settings
) -> Manifest:
    """Return the Job of ``run``'s attempt.

    Raises:
        ValueError: the run request is larger than an environment may be.
    """
    training = model.spec.training
    labels = shared.labels(model, run.version, "training-job")
    if training.tracking.wandb:
        labels[names.LABEL_TRACKING] = "wandb"
    metadata = shared.metadata(model, names.job_name(model.name, run.version, run.attempt), labels)
    asked_by: Manifest = {"trigger": run.trigger, "token": run.token or ""}
    if run.dataset is not None:
        asked_by["dataset"] = run.dataset.model_dump()
    metadata["annotations"] = {names.ANNOTATION_RUN: canonical_json(asked_by).decode()}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": training.deadline_seconds,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": training.service_account_name or settings.trainer_account,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": shared.POD_SECURITY,
                    "containers": [_container(model, run, champion, settings)],
                    "volumes": [shared.TEMPORARY],
                },
            },
        },
    }


def _container(model: Model, run: Run, champion: Champion | None, settings: Settings) -> Manifest:
    training = model.spec.training
    secret = training.secret_ref.name if training.secret_ref else settings.trainer_secret
    wandb = training.tracking.wandb
    secrets = [secret, *([wandb.secret_ref.name] if wandb and wandb.secret_ref else [])]
    request = run_request(model, run, champion, settings)
    return {
        "name": "trainer",
        "image": settings.trainer_image,
        "env": [
            {"name": RUN_VARIABLE, "value": request.encode()},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 - the pod's own emptyDir
            *_database(run, settings),
        ],
        "envFrom": [{"secretRef": {"name": name}} for name in secrets],
        "resources": shared.resources(training.resources, requests=REQUESTS, limits=LIMITS),
        "securityContext": shared.CONTAINER_SECURITY,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [shared.TEMPORARY_MOUNT],
    }


def _database(run: Run, settings: Settings) -> list[Manifest]:
    """Return the variable with the database's URL, for a run that reads a data set from it."""
    if run.dataset is None:
        return []
    reference = {"name": settings.dataset_secret, "key": "url"}
    return [{"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": reference}}]


def run_request(
    model: Model, run: Run, champion: Champion | None, settings: Settings
) -> RunRequest:
    """Return the trainer's request."""
    return RunRequest(
        version=run.version,
        namespace=model.namespace,
        model=model.name,
        source=_source(model, run),
        identity=model.spec.identity(),
        gate=model.spec.gate,
        tracking=model.spec.training.tracking,
        destination=names.bundle_uri(
            settings.bundle_root, namespace=model.namespace, model=model.name, version=run.version
        ),
        champion=champion,
    )


def _source(model: Model, run: Run) -> str:
    """Return where the trainer reads the table: the run's version of a data set, or the file."""
    if run.dataset is None:
        return model.spec.dataset.uri or ""
    return DatasetReference(name=run.dataset.name, version=run.dataset.version).source
