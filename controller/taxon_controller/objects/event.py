"""The Kubernetes Event about a model."""

import hashlib

from taxon_contracts import names
from taxon_contracts.sentences import fitted
from taxon_controller.domain.actions import Event
from taxon_controller.domain.model import Model
from taxon_kube.api import Manifest


def event(model: Model, one: Event, *, time: str) -> Manifest:
    """Return the Event; its name is a digest of its content."""
    reason, message = one.finding.reason, one.finding.message
    state = str(model.body["metadata"]["resourceVersion"])
    parts = (model.uid, one.about or state, reason, message)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{model.name}.{digest}", "namespace": model.namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "name": model.name,
            "namespace": model.namespace,
            "uid": model.uid,
        },
        "type": "Warning" if one.warning else "Normal",
        "reason": reason,
        "message": fitted(message),
        "source": {"component": names.FIELD_MANAGER},
        "reportingComponent": names.FIELD_MANAGER,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
