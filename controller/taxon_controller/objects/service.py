"""The Service with the model's name, which points at its live version."""

from taxon_contracts import names
from taxon_controller.domain.model import Model
from taxon_controller.objects import shared
from taxon_controller.settings import Settings
from taxon_kube.api import Manifest


def service(model: Model, version: str, *, settings: Settings) -> Manifest:
    """Return the Service for clients inside the cluster."""
    labels = shared.labels(model, version, "model-server")
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": shared.metadata(model, model.name, labels),
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": f"isvc.{names.predictor_name(model.name, version)}"},
            "ports": [
                {
                    "name": "http",
                    "port": 80,
                    "protocol": "TCP",
                    "targetPort": settings.server_port,
                }
            ],
        },
    }
