"""One ClassifierModel as it was read."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from taxon_contracts import names
from taxon_contracts.document import salvage
from taxon_contracts.identity import retrain_trigger, version_id
from taxon_contracts.resource import ClassifierModel, Spec
from taxon_contracts.status import Status, TrainedDataset, VersionRecord
from taxon_controller import clock
from taxon_controller.domain import tokens
from taxon_kube.api import Manifest


@dataclass(frozen=True)
class Model:
    """A model: its spec, and its last status."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    deleted: datetime | None
    finalizers: tuple[str, ...]
    retrain: str
    parsed: Spec | None
    spec_error: str
    status: Status
    body: Manifest

    @property
    def spec(self) -> Spec:
        """Return the spec; only call this for a readable one."""
        assert self.parsed is not None  # noqa: S101 - plan() turns to nothing else without a spec
        return self.parsed

    @property
    def key(self) -> str:
        """Return ``namespace/name``, as logs name a model."""
        return f"{self.namespace}/{self.name}"

    def version(self, token: str) -> str:
        """Return the id of this spec's version for a trigger's token."""
        return version_id(self.spec.identity(), trigger=token)

    @property
    def follows(self) -> str | None:
        """Return the data set whose newest version the model is trained on, if it is so."""
        table = self.spec.dataset.table
        return table.name if table is not None and table.version is None else None

    def cause(self, token: str) -> str:
        """Return what caused the run with this token: the token without a followed data set."""
        return tokens.cause_of(token) if self.follows else token

    def dataset(self, token: str) -> TrainedDataset | None:
        """Return the data set of this spec's run with this token; None for a file."""
        table = self.spec.dataset.table
        if table is None:
            return None
        version = table.version or tokens.dataset_version_of(token)
        return TrainedDataset(name=table.name, version=version) if version else None

    def asks_for(self, record: VersionRecord) -> bool:
        """Return whether a version has this spec's identity, for any trigger."""
        return self.version(record.token or "") == record.version


def read_model(body: Manifest) -> Model:
    """Return the model a resource describes; a spec that cannot be read is reported, not raised."""
    metadata = body["metadata"]
    spec, error = _spec(body)
    deleted = metadata.get("deletionTimestamp")
    return Model(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created=clock.parse(metadata["creationTimestamp"]),
        deleted=clock.parse(deleted) if deleted else None,
        finalizers=tuple(metadata.get("finalizers", ())),
        retrain=retrain_trigger(metadata.get("annotations", {}).get(names.ANNOTATION_RETRAIN)),
        parsed=spec,
        spec_error=error,
        status=_status(body.get("status")),
        body=body,
    )


def _spec(body: Manifest) -> tuple[Spec | None, str]:
    wanted = {key: body.get(key) for key in ("apiVersion", "kind", "metadata", "spec")}
    try:
        return ClassifierModel.model_validate(wanted).spec, ""
    except ValidationError as error:
        first = error.errors()[0]
        return None, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _status(written: Manifest | None) -> Status:
    """Return what was last written, as far as this release can read it; the rest is rebuilt."""
    try:
        return salvage(Status, written or {})
    except ValidationError:
        return Status()


def is_ready(model: Model) -> bool:
    """Return whether the model was Ready when its status was written."""
    return any(
        one.type == "Ready" and one.status == "True" for one in model.status.conditions or ()
    )
