"""The HTTPRoute from a model's host to its live version, and from each version's path to it."""

from collections.abc import Iterable

from taxon_contracts import names
from taxon_controller.domain.model import Model
from taxon_controller.objects import shared
from taxon_kube.api import Manifest


def http_route(
    model: Model,
    version: str,
    *,
    versions: Iterable[str],
    gateway: str,
    host: str,
    listener: str | None = None,
) -> Manifest:
    """Return the model's route; the rule that has the traffic stays the first.

    Envoy Gateway identifies a rule's back end by the rule's index: a rule that moves up when
    another is removed answers 503 until the whole change has arrived.

    Args:
        model: owner of the route.
        version: the version that gets the traffic.
        versions: versions with a path of their own; each must have ready servers.
        gateway: the Gateway, as namespace/name.
        host: the model's host name.
        listener: the Gateway's listener it attaches to; None: any that accepts it.
    """
    namespace, _, name = gateway.partition("/")
    rules = [_rule(model, version, "/")] + [
        _rule(model, served, f"/v2/models/{model.name}/versions/{served}")
        for served in sorted(versions)
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": shared.metadata(
            model, model.name, shared.labels(model, version, "model-server")
        ),
        "spec": {
            "parentRefs": [
                {
                    "group": "gateway.networking.k8s.io",
                    "kind": "Gateway",
                    "namespace": namespace,
                    "name": name,
                    **({"sectionName": listener} if listener else {}),
                }
            ],
            "hostnames": [host],
            "rules": rules,
        },
    }


def _rule(model: Model, version: str, path: str) -> Manifest:
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "backendRefs": [
            {
                "group": "",
                "kind": "Service",
                "name": names.predictor_name(model.name, version),
                "port": 80,
                "weight": 100,
            }
        ],
    }
