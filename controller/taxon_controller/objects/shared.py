"""What all objects have in common: labels, the owner, restricted pods, resources."""

from collections.abc import Mapping
from typing import Any

from taxon_contracts import names
from taxon_contracts.resource import Amounts, Resources, amount
from taxon_controller.domain.model import Model
from taxon_kube.api import Manifest

APP_LABELS = {"app.kubernetes.io/part-of": "taxon", names.LABEL_MANAGED_BY: names.FIELD_MANAGER}

POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
TEMPORARY: Manifest = {"name": "tmp", "emptyDir": {}}
TEMPORARY_MOUNT: Manifest = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - the pod's own emptyDir


def labels(model: Model, version: str, component: str) -> dict[str, str]:
    """Return the labels of an object that belongs to one version of a model."""
    return {
        **APP_LABELS,
        names.LABEL_COMPONENT: component,
        names.LABEL_MODEL: model.name,
        names.LABEL_VERSION: version,
    }


def metadata(model: Model, name: str, own_labels: Mapping[str, str]) -> Manifest:
    """Return the metadata of an object the model owns: it is deleted with the model."""
    return {
        "name": name,
        "namespace": model.namespace,
        "labels": dict(own_labels),
        "ownerReferences": [
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": model.name,
                "uid": model.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def resources(
    wanted: Resources | None, *, requests: Mapping[str, str], limits: Mapping[str, str]
) -> Manifest:
    """Return resources with defaults, which never exceed the limits in the spec."""
    asked = _stated(wanted.requests if wanted else None)
    allowed = _stated(wanted.limits if wanted else None)
    result: dict[str, Any] = {"requests": dict(requests), "limits": dict(limits)}
    for name in requests:
        request = asked.get(name) or min(
            requests[name], allowed.get(name, requests[name]), key=amount
        )
        result["requests"][name] = request
        result["limits"][name] = allowed.get(name) or max(limits[name], request, key=amount)
    return result


def _stated(amounts: Amounts | None) -> dict[str, str]:
    return amounts.model_dump(exclude_none=True) if amounts else {}
