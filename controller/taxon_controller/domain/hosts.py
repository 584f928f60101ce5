"""The host names and URLs a model answers under."""

from taxon_contracts import names
from taxon_controller.domain.model import Model
from taxon_controller.settings import Settings


def outside_host(model: Model, settings: Settings) -> str:
    """Return the host name a model answers under at the Gateway."""
    return names.host_name(model.name, model.namespace, settings.domain)


def inside_host(model: Model) -> str:
    """Return the host name a model answers under inside the cluster."""
    return f"{model.name}.{model.namespace}.svc"


def inside_url(model: Model) -> str:
    """Return the URL of a model for clients inside the cluster."""
    return f"http://{inside_host(model)}"
