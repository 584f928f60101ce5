"""What a person applies by hand to serve bundles, as plain objects; and how they ask over V2."""

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.kubectl import Object, find

from hack.cluster import layout
from taxon_bundle.bundle import Bundle
from taxon_contracts.names import ANNOTATION_DIGEST, LABEL_COMPONENT, LABEL_MODEL, LABEL_VERSION

MODEL = "by-hand"
GATEWAY: Object = {"name": "kserve-ingress-gateway", "namespace": "kserve"}
OBJECT_STORE = "taxon-object-store.taxon-system.svc:8333"
POD_SECURITY: Object = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


TrainVersion = Callable[[], Bundle]
"""Trains a small bundle into the cluster's object store, each time another version."""


@dataclass(frozen=True)
class Served:
    """A bundle and the InferenceService that serves it."""

    name: str
    namespace: str
    bundle: Bundle
    runtime: str

    @property
    def service(self) -> str:
        """Return the Service KServe makes for it."""
        return f"{self.name}-predictor"


def stranger(name: str, namespace: str) -> list[Object]:
    """Return a ServiceAccount whose pods show the object store keys it does not know."""
    keys = {"AWS_ACCESS_KEY_ID": "stranger", "AWS_SECRET_ACCESS_KEY": "stranger"}
    annotations = {
        "serving.kserve.io/s3-endpoint": OBJECT_STORE,
        "serving.kserve.io/s3-usehttps": "0",
        "serving.kserve.io/s3-region": "us-east-1",
    }
    metadata = {"name": name, "namespace": namespace}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata | {"annotations": annotations},
            "stringData": keys,
        },
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata,
            "automountServiceAccountToken": False,
            "secrets": [{"name": name}],
        },
    ]


def inference_service(
    served: Served,
    *,
    uri: str | None = None,
    digest: str | None = None,
    account: str = "taxon-server",
) -> Object:
    """Return the InferenceService of a bundle; ``uri`` and ``digest`` ask for another one."""
    bundle = served.bundle
    digest = digest or bundle.digest
    resources = {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"cpu": "1", "memory": "512Mi"},
    }
    model = {
        "modelFormat": {"name": "taxon"},
        "protocolVersion": "v2",
        "runtime": served.runtime,
        "storageUri": f"taxon+{uri or bundle.uri}?manifest={digest}",
        "resources": resources,
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": served.name,
            "namespace": served.namespace,
            "labels": {
                "networking.kserve.io/visibility": "cluster-local",
                "app.kubernetes.io/part-of": "taxon",
                LABEL_COMPONENT: "model-server",
                LABEL_MODEL: MODEL,
                LABEL_VERSION: bundle.manifest.version,
            },
            "annotations": {
                "serving.kserve.io/deploymentMode": "Standard",
                "serving.kserve.io/autoscalerClass": "none",
                ANNOTATION_DIGEST: digest,
            },
        },
        "spec": {
            "predictor": {"minReplicas": 1, "serviceAccountName": account, "model": model},
        },
    }


def route(name: str, namespace: str, weights: dict[str, int]) -> Object:
    """Return an HTTPRoute of the host ``name``.test over Services with weights."""
    backends = [
        {"name": service, "port": 80, "weight": weight} for service, weight in weights.items()
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": [GATEWAY],
            "hostnames": [f"{name}.test"],
            "rules": [{"backendRefs": backends}],
        },
    }


def asking_pod(name: str, served: Served, script: str) -> Object:
    """Return a pod of the server's own image that runs a Python script."""
    runtime = find("clusterservingruntime", served.runtime, served.namespace)
    assert runtime
    container = {
        "name": "ask",
        "image": runtime["spec"]["containers"][0]["image"],
        "command": ["python", "-c", script],
        "securityContext": CONTAINER_SECURITY,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": served.namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [container],
            "restartPolicy": "Never",
            "securityContext": POD_SECURITY,
        },
    }


class Outside:
    """A client on this machine that asks a host of the Gateway over one connection."""

    def __init__(self, host: str) -> None:
        """Prepare to ask for ``host``."""
        self._headers = {"Host": host, "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection("127.0.0.1", layout.GATEWAY_PORT, timeout=10)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def status(self, path: str) -> int:
        """Return the status of a GET."""
        return self._ask("GET", path, None)[0]

    def infer(self, rows: list[list[float]]) -> Any:
        """Return the answer of V2 inference."""
        status, answer = self._ask("POST", f"/v2/models/{MODEL}/infer", infer_request(rows))
        assert status == http.HTTPStatus.OK, answer
        return json.loads(answer)

    def _ask(self, method: str, path: str, body: Object | None) -> tuple[int, bytes]:
        text = json.dumps(body) if body else None
        self._connection.request(method, path, body=text, headers=self._headers)
        response = self._connection.getresponse()
        return response.status, response.read()


def infer_request(rows: list[list[float]]) -> Object:
    """Return a V2 inference request."""
    shape = [len(rows), len(rows[0])]
    tensor = {"name": "input", "datatype": "FP64", "shape": shape, "data": rows}
    return {"inputs": [tensor]}


def output(answer: Any, name: str) -> list[Any]:
    """Return the values of one output of a V2 answer."""
    [values] = [tensor["data"] for tensor in answer["outputs"] if tensor["name"] == name]
    found: list[Any] = values
    return found
