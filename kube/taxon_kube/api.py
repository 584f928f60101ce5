"""What Taxon's parts need of a cluster, in its own words; ``client`` is the real one."""

from dataclasses import dataclass
from typing import Any, Protocol

from taxon_contracts import names

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of object and where the API server keeps it."""

    name: str
    api_version: str
    plural: str

    @property
    def path(self) -> str:
        """Return the folder of the API that serves this kind."""
        return f"/{'apis' if '/' in self.api_version else 'api'}/{self.api_version}"


MODEL = Kind(names.KIND, names.API_VERSION, names.PLURAL)
JOB = Kind("Job", "batch/v1", "jobs")
POD = Kind("Pod", "v1", "pods")
SERVICE = Kind("Service", "v1", "services")
DEPLOYMENT = Kind("Deployment", "apps/v1", "deployments")
DISRUPTION_BUDGET = Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets")
SERVICE_ACCOUNT = Kind("ServiceAccount", "v1", "serviceaccounts")
EVENT = Kind("Event", "v1", "events")
LEASE = Kind("Lease", "coordination.k8s.io/v1", "leases")
INFERENCE_SERVICE = Kind("InferenceService", "serving.kserve.io/v1beta1", "inferenceservices")
HTTP_ROUTE = Kind("HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes")
GATEWAY = Kind("Gateway", "gateway.networking.k8s.io/v1", "gateways")

KINDS = {
    kind.name: kind
    for kind in (
        MODEL, JOB, POD, DEPLOYMENT, DISRUPTION_BUDGET, SERVICE, SERVICE_ACCOUNT, EVENT, LEASE,
        INFERENCE_SERVICE, HTTP_ROUTE, GATEWAY,
    )
}  # fmt: skip


class ApiError(Exception):
    """A request to the API server failed."""

    reason = "Error"


class Unavailable(ApiError):  # noqa: N818 - a state, not a fault
    """It does not answer, or answers that it cannot now."""

    reason = "Unavailable"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Conflict(ApiError):  # noqa: N818 - a state, not a fault
    """The object was changed in between: read it again."""

    reason = "Conflict"


class AlreadyExists(ApiError):  # noqa: N818 - a state, not a fault
    """An object of this name exists already."""

    reason = "AlreadyExists"


class KindMissing(ApiError):  # noqa: N818 - a state, not a fault
    """The kind does not exist: its CustomResourceDefinition is not installed."""

    reason = "KindMissing"


class WebhookUnavailable(ApiError):  # noqa: N818 - a state, not a fault
    """KServe's admission webhook does not answer."""

    reason = "WebhookUnavailable"


class Refused(ApiError):  # noqa: N818 - a state, not a fault
    """It refuses the request as it is: forbidden or invalid."""

    reason = "Refused"


class NotTheWriter(ApiError):  # noqa: N818 - a state, not a fault
    """This process does not hold the Lease, so it must not write."""

    reason = "NotTheWriter"


class Api(Protocol):
    """Reads and writes of one cluster; every call is bounded in time.

    Every method may raise :class:`Unavailable` or :class:`Refused`.
    """

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return one object, or None when there is none."""

    def list(
        self, kind: Kind, namespace: str | None, *, labels: dict[str, str] | None = None
    ) -> list[Manifest]:
        """Return the objects of a namespace (None: of all) that carry these labels.

        Raises:
            KindMissing: the kind is not installed.
        """

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object.

        Raises:
            AlreadyExists: there is one of this name.
            WebhookUnavailable: KServe's admission webhook does not answer.
        """

    def apply(self, manifest: Manifest) -> Manifest:
        """Apply an object server-side; with ``metadata.resourceVersion`` only over that one.

        Raises:
            Conflict: the object has changed since that version.
            WebhookUnavailable: KServe's admission webhook does not answer.
        """

    def try_admission(self, manifest: Manifest) -> None:
        """Send an existing object through admission without changing it.

        Raises:
            WebhookUnavailable: KServe's admission webhook does not answer.
        """

    def replace(self, manifest: Manifest, *, part: str = "") -> Manifest:
        """Replace an object, or its ``status``, if its resource version is still current.

        Raises:
            Conflict: the object has changed since, or no longer exists.
        """

    def delete(self, kind: Kind, manifest: Manifest) -> None:
        """Delete exactly the object that was read, and what it owns in the background.

        Raises:
            Conflict: the object has changed since.
        """
