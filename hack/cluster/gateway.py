"""Envoy Gateway, and the one Gateway every route hangs on."""

from hack.cluster import builds, layout
from hack.cluster.kubectl import Object, template
from hack.cluster.stand_ins import Images

ENVOY_GATEWAY = "github.com/envoyproxy/gateway"
GATEWAY = "kserve-ingress-gateway"


def envoy_gateway(images: Images | None) -> str:
    """Return Envoy Gateway and the Gateway API's definitions."""
    chart = builds.source(builds.ADDONS, ENVOY_GATEWAY) / "charts" / "gateway-helm"
    release = builds.version(builds.ADDONS, ENVOY_GATEWAY)
    image = images.envoy_gateway if images else f"envoyproxy/gateway:{release}"
    filled = (chart / "values.tmpl.yaml").read_text()
    filled = filled.replace("${GatewayImage}", image)
    filled = filled.replace("${GatewayImagePullPolicy}", "IfNotPresent")
    path = layout.CONFIG / "values" / "gateway-defaults.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(filled)
    values = {
        "topologyInjector": {"enabled": False},
        "deployment": {
            "envoyGateway": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}}
        },
        "config": {
            "envoyGateway": {
                "provider": {
                    "type": "Kubernetes",
                    "kubernetes": {"shutdownManager": {"image": image}},
                }
            }
        },
    }
    return template("envoy-gateway", chart, "envoy-gateway-system", values, path)


def gateway(images: Images | None) -> list[Object]:
    """Return the one Gateway, reached from outside on a fixed port of the node."""
    container: Object = {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}}
    if images:
        container["image"] = images.envoy
    service = {
        "name": GATEWAY,
        "type": "NodePort",
        "externalTrafficPolicy": "Cluster",
        "patch": {
            "type": "StrategicMerge",
            "value": {"spec": {"ports": [{"port": 80, "nodePort": layout.GATEWAY_PORT}]}},
        },
    }
    provider = {
        "type": "Kubernetes",
        "kubernetes": {
            "envoyService": service,
            "envoyDeployment": {"replicas": 1, "container": container},
        },
    }
    parameters = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": GATEWAY}
    listener = {
        "name": "http",
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "envoy"},
            "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
        },
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyProxy",
            "metadata": {"name": GATEWAY, "namespace": "kserve"},
            "spec": {"provider": provider},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": GATEWAY, "namespace": "kserve"},
            "spec": {
                "gatewayClassName": "envoy",
                "infrastructure": {"parametersRef": parameters},
                "listeners": [listener],
            },
        },
    ]
