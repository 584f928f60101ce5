"""What measures: the Prometheus Operator, one Prometheus, and metrics for pods."""

import re

from hack.cluster import builds
from hack.cluster.kubectl import Object, template
from hack.cluster.stand_ins import Images

PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
METRICS_SERVER = "sigs.k8s.io/metrics-server"


def prometheus_operator(images: Images | None) -> str:
    """Return the Prometheus Operator's own bundle, moved into ``monitoring``."""
    bundle = (builds.source(builds.ADDONS, PROMETHEUS_OPERATOR) / "bundle.yaml").read_text()
    bundle = bundle.replace("namespace: default\n", "namespace: monitoring\n")
    if images is None:
        return bundle
    bundle = re.sub(r"\S+/prometheus-operator:v\S+", images.prometheus_operator, bundle)
    return re.sub(r"(?<==)\S+/prometheus-config-reloader:v\S+", images.config_reloader, bundle)


def prometheus(images: Images | None) -> list[Object]:
    """Return one Prometheus that obeys the monitors and rules of every namespace."""
    everything: Object = {
        f"{kind}{selector}": {}
        for kind in ("podMonitor", "probe", "rule", "scrapeConfig", "serviceMonitor")
        for selector in ("Selector", "NamespaceSelector")
    }
    spec = everything | {
        "replicas": 1,
        "retention": "1d",
        "scrapeInterval": "10s",
        "evaluationInterval": "10s",
        "serviceAccountName": "prometheus",
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 2000},
    }
    if images:
        source = builds.source(builds.ADDONS, "github.com/prometheus/prometheus")
        version = (source / "VERSION").read_text().strip()
        spec |= {"image": images.prometheus, "version": f"v{version}"}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "prometheus", "namespace": "monitoring"},
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "prometheus"},
            "rules": prometheus_rules(),
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "prometheus"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "prometheus",
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "prometheus", "namespace": "monitoring"}
            ],
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "taxon", "namespace": "monitoring"},
            "spec": spec,
        },
    ]


def prometheus_rules() -> list[Object]:
    """Return what Prometheus may read to find and scrape its targets."""
    watch = ["get", "list", "watch"]
    return [
        {
            "apiGroups": [""],
            "resources": ["nodes", "nodes/metrics", "services", "endpoints", "pods"],
            "verbs": watch,
        },
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": watch},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    ]


def metrics_server(images: Images | None) -> str:
    """Return metrics-server, for `kubectl top` and autoscalers."""
    chart = builds.source(builds.ADDONS, METRICS_SERVER) / "charts" / "metrics-server"
    values: Object = {
        "fullnameOverride": "metrics-server",
        # metrics-server lacks the cluster's authority, which signs the kubelet's certificate.
        "args": ["--kubelet-insecure-tls"],
        "readinessProbe": {"initialDelaySeconds": 2},
        "resources": {"requests": {"cpu": "20m", "memory": "50Mi"}},
    }
    if images:
        repository, tag = images.metrics_server.rsplit(":", 1)
        values["image"] = {"repository": repository, "tag": tag}
    return template("metrics-server", chart, "kube-system", values)
