"""Where a model's bundles are, also those an earlier setting put elsewhere."""

from taxon_contracts import names
from taxon_contracts.status import VersionRecord
from taxon_controller.domain.history import Records
from taxon_controller.domain.model import Model
from taxon_controller.settings import Settings


def version_folder(model: Model, record: VersionRecord, settings: Settings) -> str:
    """Return the folder of one bundle: the one in its record, if that is the model's."""
    recorded = (record.bundle_uri or "").rstrip("/") + "/"
    if recorded.endswith(_own(model, record)):
        return recorded
    return names.bundle_uri(
        settings.bundle_root, namespace=model.namespace, model=model.name, version=record.version
    )


def model_folders(model: Model, records: Records, settings: Settings) -> tuple[str, ...]:
    """Return every folder with bundles of a model, the current one first."""
    today = names.model_uri(settings.bundle_root, namespace=model.namespace, model=model.name)
    folders = [version_folder(model, one, settings) for one in records]
    parents = [folder.rstrip("/").rpartition("/")[0] + "/" for folder in folders]
    return tuple(dict.fromkeys((today, *parents)))


def _own(model: Model, record: VersionRecord) -> str:
    """Return the end of the URI of the model's own bundle.

    A record repeats what a training pod reported, which must not name another model's folder.
    """
    return f"/{model.namespace}/{model.name}/{record.version}/"
