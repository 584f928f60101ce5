"""The PodDisruptionBudget of one version that serves."""

from taxon_contracts import names
from taxon_controller.domain.model import Model
from taxon_controller.objects import shared
from taxon_kube.api import Manifest


def disruption_budget(model: Model, version: str) -> Manifest:
    """Return the budget of a version's servers: a drain evicts one of them at a time.

    A model with one server does not block a drain, and neither does a server that is not ready.
    """
    labels = shared.labels(model, version, "model-server")
    name = names.serving_name(model.name, version)
    chosen = (names.LABEL_COMPONENT, names.LABEL_MODEL, names.LABEL_VERSION)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": shared.metadata(model, name, labels),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {key: labels[key] for key in chosen}},
        },
    }
