"""KServe in Standard mode, routed by the Gateway."""

from pathlib import Path

import yaml

from hack.cluster import builds, certificates
from hack.cluster.gateway import GATEWAY
from hack.cluster.kubectl import Object, template
from hack.cluster.stand_ins import Images

KSERVE = "github.com/kserve/kserve"
WEBHOOK_SERVICE = "kserve-webhook-server-service.kserve.svc"
WEBHOOK = certificates.Identity("kserve-webhook", WEBHOOK_SERVICE, addresses=(WEBHOOK_SERVICE,))


def kserve_chart(name: str) -> Path:
    """Return the folder of one of KServe's charts."""
    return builds.source(builds.KUBERNETES, KSERVE) / "charts" / name


def kserve(images: Images | None) -> list[Object]:
    """Return KServe in Standard mode with the Gateway API, and its certificate.

    Its chart expects cert-manager to fill in a certificate, and a proxy in front of its metrics. A
    certificate of the cluster's authority replaces the first; the second is left out.
    """
    image, tag = images.kserve.rsplit(":", 1) if images else ("kserve/kserve-controller", "")
    values = {
        "kserve": {
            "storagecontainer": {"enabled": False},
            "controller": {
                "deploymentMode": "Standard",
                "image": image,
                "tag": tag,
                "imagePullPolicy": "IfNotPresent",
                "gateway": {
                    "ingressGateway": {
                        "enableGatewayApi": True,
                        "kserveGateway": f"kserve/{GATEWAY}",
                    }
                },
                "resources": {
                    "requests": {"cpu": "50m", "memory": "128Mi"},
                    "limits": {"cpu": "1", "memory": "512Mi"},
                },
            },
        }
    }
    text = template("kserve", kserve_chart("kserve-resources"), "kserve", values)
    objects = [document for document in yaml.safe_load_all(text) if document]
    return [webhook_secret(), *(adapted(each) for each in objects if wanted(each))]


def wanted(manifest: Object) -> bool:
    """Return whether an object of KServe's chart is needed without cert-manager."""
    return not str(manifest["apiVersion"]).startswith("cert-manager.io/")


def adapted(manifest: Object) -> Object:
    """Return an object of KServe's chart as it must be without cert-manager and proxy."""
    authority = certificates.encode(certificates.pair(certificates.AUTHORITY).certificate)
    for webhook in manifest.get("webhooks", []):
        webhook["clientConfig"]["caBundle"] = authority
    if manifest["kind"] == "Deployment":
        pod = manifest["spec"]["template"]["spec"]
        pod["containers"] = [c for c in pod["containers"] if c["name"] != "kube-rbac-proxy"]
        pod["containers"][0]["readinessProbe"]["initialDelaySeconds"] = 1
    return manifest


def webhook_secret() -> Object:
    """Return the certificate KServe's webhooks answer with."""
    issued = certificates.issue(WEBHOOK)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "kserve-webhook-server-cert", "namespace": "kserve"},
        "data": {
            "tls.crt": certificates.encode(issued.certificate),
            "tls.key": certificates.encode(issued.key),
        },
    }
