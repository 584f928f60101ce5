"""The Job that removes bundles, in the controller's own namespace.

It uses the trainer's image, so that the controller needs no client for object storage. It cannot
be in the model's namespace, because a namespace that is being deleted refuses new Jobs.
"""

import hashlib

from taxon_contracts import names
from taxon_contracts.status import VersionRecord
from taxon_controller.domain.model import Model
from taxon_controller.objects import shared
from taxon_controller.settings import Settings
from taxon_kube.api import Manifest

KEPT_SECONDS = 3600
"""Seconds a finished Job stays; a failed one is created again after that."""
ATTEMPTS = 4


def version_cleanup_name(model: Model, record: VersionRecord) -> str:
    """Return the name of the Job that removes one version's bundle."""
    return _name(model.uid, record.version, record.completion_time)


def model_cleanup_name(model: Model) -> str:
    """Return the name of the Job that removes every bundle of a model."""
    return _name(model.uid, "all")


def _name(*parts: str) -> str:
    return f"taxon-cleanup-{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:16]}"


def cleanup_job(
    model: Model, name: str, folders: tuple[str, ...], *, seconds: int, settings: Settings
) -> Manifest:
    """Return the Job that removes everything below these folders, in at most ``seconds``."""
    labels = {
        **shared.APP_LABELS,
        names.LABEL_COMPONENT: "cleanup-job",
        names.LABEL_MODEL: model.name,
        names.LABEL_MODEL_NAMESPACE: model.namespace,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": settings.namespace, "labels": labels},
        "spec": {
            "backoffLimit": ATTEMPTS - 1,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": settings.trainer_account,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": shared.POD_SECURITY,
                    "containers": [_container(folders, settings)],
                    "volumes": [shared.TEMPORARY],
                },
            },
        },
    }


def _container(folders: tuple[str, ...], settings: Settings) -> Manifest:
    amounts = {"cpu": "100m", "memory": "256Mi"}
    return {
        "name": "trainer",
        "image": settings.trainer_image,
        "args": ["--remove", *folders],
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - the pod's own emptyDir
        "envFrom": [{"secretRef": {"name": settings.cleanup_secret}}],
        "resources": {"requests": amounts, "limits": amounts | {"cpu": "1"}},
        "securityContext": shared.CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [shared.TEMPORARY_MOUNT],
    }
