"""The InferenceService that serves one version."""

from taxon_contracts import names
from taxon_contracts.canonical import canonical_json
from taxon_contracts.resource import Http
from taxon_contracts.status import VersionRecord
from taxon_controller.domain.model import Model
from taxon_controller.objects import shared
from taxon_controller.settings import Settings
from taxon_kube.api import Manifest

REQUESTS = {"cpu": "100m", "memory": "256Mi"}
LIMITS = {"cpu": "1", "memory": "1Gi"}
CPU_PERCENT = 80
NOT_BEFORE = {"parameters"}
"""Fields of a record that releases before them cannot read, and would lose the record for."""


def inference_service(
    model: Model, record: VersionRecord, *, runtime: str, settings: Settings
) -> Manifest:
    """Return the InferenceService of a version.

    Args:
        model: the version's model.
        record: the record at the time the version was first served. KServe copies annotations to
            the pods, so a changed record would restart a served version.
        runtime: the ClusterServingRuntime; a version keeps the one it was created with.
        settings: the controller's environment.
    """
    serving = model.spec.serving
    most = serving.max_replicas or serving.min_replicas
    grows = most > serving.min_replicas
    labels = shared.labels(model, record.version, "model-server")
    labels["networking.kserve.io/visibility"] = "cluster-local"
    metadata = shared.metadata(model, names.serving_name(model.name, record.version), labels)
    metadata["annotations"] = {
        "serving.kserve.io/autoscalerClass": "hpa" if grows else "none",
        "serving.kserve.io/deploymentMode": "Standard",
        names.ANNOTATION_DIGEST: record.manifest_digest or "",
        names.ANNOTATION_RECORD: canonical_json(
            record.model_dump(by_alias=True, exclude_none=True, exclude=NOT_BEFORE)
        ).decode(),
        names.ANNOTATION_RUNTIME: runtime,
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {
            "predictor": {
                "minReplicas": serving.min_replicas,
                "maxReplicas": most,
                **({"scaleMetric": "cpu", "scaleTarget": CPU_PERCENT} if grows else {}),
                "serviceAccountName": serving.service_account_name or settings.server_account,
                "automountServiceAccountToken": False,
                "deploymentStrategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
                },
                "securityContext": shared.POD_SECURITY,
                "model": {
                    "modelFormat": {"name": "taxon"},
                    "protocolVersion": "v2",
                    "runtime": runtime,
                    "storageUri": storage_uri(record),
                    "env": _environment(model, settings),
                    "resources": shared.resources(
                        serving.resources, requests=REQUESTS, limits=LIMITS
                    ),
                },
            }
        },
    }


def storage_uri(record: VersionRecord) -> str:
    """Return the bundle's URI for Taxon's loader, which enforces the digest in it."""
    folder = (record.bundle_uri or "").rstrip("/")
    return f"taxon+{folder}?manifest={record.manifest_digest}"


def _environment(model: Model, settings: Settings) -> list[Manifest]:
    http, log = model.spec.serving.http or Http(), model.spec.serving.prediction_log
    chosen = {**log.server_variables(), **http.server_variables()}
    variables: list[Manifest] = [{"name": name, "value": value} for name, value in chosen.items()]
    if settings.database_secret:
        reference = {"name": settings.database_secret, "key": "url", "optional": True}
        variables.append(
            {"name": "TAXON_SERVER_DATABASE_URL", "valueFrom": {"secretKeyRef": reference}}
        )
    return variables
