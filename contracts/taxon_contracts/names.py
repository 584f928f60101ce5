"""Every name that two parts share, defined once."""

import hashlib
from typing import Literal

GROUP = "taxon.dev"
API_VERSION = f"{GROUP}/v1alpha1"
KIND = "ClassifierModel"
PLURAL = "classifiermodels"
SINGULAR = "classifiermodel"
SHORT_NAME = "clm"

LABEL_MODEL = f"{GROUP}/model"
LABEL_VERSION = f"{GROUP}/version"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_MODEL_NAMESPACE = f"{GROUP}/model-namespace"
LABEL_TRACKING = f"{GROUP}/tracking"
"""On trainers that report to a tracking service; a NetworkPolicy of the chart selects it."""
ANNOTATION_RETRAIN = f"{GROUP}/retrain"
ANNOTATION_RECORD = f"{GROUP}/version-record"
"""On a version's InferenceService and last training Job: its record of status.versions, from which
a lost status is rebuilt."""
ANNOTATION_RUN = f"{GROUP}/run"
"""On a training Job: trigger and token of its run."""
ANNOTATION_RUNTIME = f"{GROUP}/runtime"
"""On an InferenceService: the runtime it was created with, which it keeps."""
ANNOTATION_DIGEST = f"{GROUP}/manifest-digest"
"""On an InferenceService and its pods: digest of the bundle's manifest."""
FINALIZER = f"{GROUP}/bundles"
FIELD_MANAGER = "taxon-controller"

MODEL_NAME_PATTERN = r"^[a-z]([-a-z0-9]{0,34}[a-z0-9])?$"
"""At most 36 characters, so that ``isvc.<model>-<version>-predictor`` fits a label's 63."""

VERSION_PATTERN = r"^v[0-9a-f]{10}$"
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"


def serving_name(model: str, version: str) -> str:
    """Return the name of a version's InferenceService."""
    return f"{model}-{version}"


def predictor_name(model: str, version: str) -> str:
    """Return KServe's name of a version's Deployment and Service."""
    return f"{serving_name(model, version)}-predictor"


def job_name(model: str, version: str, attempt: int) -> str:
    """Return the name of one attempt's Job."""
    return f"{model}-{version}-{attempt}"


DatabaseUse = Literal["servers", "trainers", "datasets"]
"""Who connects to the database for a namespace: servers add predictions and labels, trainers read
data sets, and people load them."""
DATABASE_SECRETS: dict[DatabaseUse, str] = {
    "servers": "taxon-postgres",
    "trainers": "taxon-datasets-read",
    "datasets": "taxon-datasets",
}
"""Secret of a model namespace, by use; its key ``url`` is the database's URL."""
MONITOR_DATABASE_SECRET = "taxon-monitor-database"  # noqa: S105 - a Secret's name
"""Secret of the release's namespace with the URL of the monitor, which reads every namespace."""


def database_role(namespace: str, *, database: str, use: DatabaseUse = "servers") -> str:
    """Return the database role of a namespace for a use; roles are shared by all databases."""
    if use == "servers":
        digest = hashlib.sha256(f"{database}/{namespace}".encode()).hexdigest()
        return f"taxon_{namespace[:40]}_{digest[:10]}"
    digest = hashlib.sha256(f"{database}/{namespace}/{use}".encode()).hexdigest()
    return f"taxon_{use}_{namespace[:30]}_{digest[:10]}"


def monitor_role(*, database: str) -> str:
    """Return the database role of the monitor."""
    return f"taxon_monitor_{hashlib.sha256(database.encode()).hexdigest()[:10]}"


def dataset_schema(namespace: str) -> str:
    """Return the database schema with the views of a namespace's data sets."""
    return f"datasets_{namespace[:40]}_{hashlib.sha256(namespace.encode()).hexdigest()[:10]}"


def host_name(model: str, namespace: str, domain: str) -> str:
    """Return the host a model answers under at the Gateway."""
    return f"{model}.{namespace}.{domain}"


def bundle_uri(root: str, *, namespace: str, model: str, version: str) -> str:
    """Return the folder of one bundle below ``root`` (``s3://bucket[/prefix]`` or a path)."""
    return f"{model_uri(root, namespace=namespace, model=model)}{version}/"


def model_uri(root: str, *, namespace: str, model: str) -> str:
    """Return the folder of all bundles of one model below ``root``."""
    return f"{namespace_uri(root, namespace=namespace)}{model}/"


def namespace_uri(root: str, *, namespace: str) -> str:
    """Return the folder of all bundles of one namespace below ``root``."""
    return f"{root.rstrip('/')}/{namespace}/"
