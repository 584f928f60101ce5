"""The bundle in storage: the one a run finds there, or the one it seals."""

import json
import platform

from taxon_bundle.bundle import Bundle, BundleError, find_bundle, seal, verify
from taxon_contracts.names import ANNOTATION_RETRAIN
from taxon_contracts.run import RunRequest
from taxon_training_job.bundle.manifest import manifest
from taxon_training_job.data.table import Table
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.training import Training


def existing_bundle(request: RunRequest, table: Table) -> Bundle | None:
    """Return the version's bundle if it is sealed already, verified.

    Raises:
        RunFailed: it is another version's, damaged, or the table behind it has changed.
        StorageError: storage did not answer.
    """
    try:
        bundle = find_bundle(request.destination)
        if bundle is None:
            return None
        made_for = (bundle.manifest.namespace, bundle.manifest.model, bundle.manifest.version)
        if made_for != (request.namespace, request.model, request.version):
            raise RunFailed(
                "BundleCorrupt",
                f"{request.destination} holds the bundle of {'/'.join(made_for)}: choose another"
                " destination",
            )
        if bundle.manifest.dataset_digest != table.digest:
            raise RunFailed(
                "DatasetChanged",
                f"{request.source} has changed since version {request.version} was trained: set"
                f" the annotation {ANNOTATION_RETRAIN} to a new value to ask for a new version",
            )
        verify(bundle)
    except BundleError as error:
        raise RunFailed("BundleCorrupt", f"{request.destination}: {error}") from error
    return bundle


def sealed_bundle(training: Training, files: dict[str, bytes], seconds: float) -> Bundle:
    """Seal a training's files; ``run.json`` beside them says how it went.

    Raises:
        RunFailed: another bundle is sealed there already.
        StorageError: storage did not answer.
    """
    record = {
        "seconds": round(seconds, 3),
        "host": platform.platform(),
        "machine": platform.machine(),
        "trials": [{**vars(trial), "mean": trial.mean} for trial in training.trials],
    }
    try:
        return seal(
            training.request.destination,
            manifest(training, files),
            files,
            run_record=json.dumps(record, indent=1).encode(),
        )
    except BundleError as error:
        raise RunFailed("BundleCorrupt", str(error)) from error
