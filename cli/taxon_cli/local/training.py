"""One run of the trainer, with the settings of its Job."""

import os
import sys
import sysconfig
from pathlib import Path

from taxon_cli.local.backends import BUNDLES_BUCKET
from taxon_cli.local.processes import Process, ProcessFailed
from taxon_cli.local.state import State
from taxon_contracts.datasets import DatasetReference
from taxon_contracts.document import salvage
from taxon_contracts.identity import retrain_trigger, version_id
from taxon_contracts.names import ANNOTATION_RETRAIN, bundle_uri
from taxon_contracts.resource import ClassifierModel
from taxon_contracts.run import RUN_VARIABLE, RunRequest, RunResult


def run_request(
    model: ClassifierModel, state: State, dataset: DatasetReference | None = None
) -> RunRequest:
    """Return the trainer's request: the version of this spec, compared with the live one.

    Args:
        model: what is trained.
        state: has the live version.
        dataset: version of the data set that the spec names; None where it names a file.
    """
    identity = model.spec.identity()
    asked_by = retrain_trigger(model.metadata.annotations.get(ANNOTATION_RETRAIN))
    table = identity.dataset.table
    if dataset and table and table.version is None:
        asked_by = f"{asked_by} {dataset.token}".strip()
    version = version_id(identity, trigger=asked_by)
    return RunRequest(
        version=version,
        namespace=model.metadata.namespace,
        model=model.metadata.name,
        source=dataset.source if dataset else identity.dataset.place,
        identity=identity,
        gate=model.spec.gate,
        tracking=model.spec.training.tracking,
        destination=bundle_uri(
            f"s3://{BUNDLES_BUCKET}",
            namespace=model.metadata.namespace,
            model=model.metadata.name,
            version=version,
        ),
        champion=state.live(model),
    )


def event_log(folder: Path) -> Path | None:
    """Return the trainer's log file; None on a terminal, where it shows its progress."""
    return None if sys.stderr.isatty() else folder / "trainer.log"


def train(request: RunRequest, folder: Path, database_url: str) -> tuple[RunResult, int]:
    """Carry out a run; return its result and the trainer's exit code.

    Args:
        request: the run.
        folder: takes log and result.
        database_url: of the data sets.

    Raises:
        ProcessFailed: it ended without a result.
    """
    result_file = folder / "result.json"
    result_file.unlink(missing_ok=True)
    log = event_log(folder)
    environment = os.environ | {
        RUN_VARIABLE: request.encode(),
        "DATABASE_URL": database_url,
        "TAXON_RESULT": str(result_file),
        "TAXON_TRACKING_FOLDER": str(folder / "tracking"),
    }
    command = [str(Path(sysconfig.get_path("scripts")) / "taxon-train")]
    with Process(command, log=log, environment=environment) as trainer:
        code = trainer.wait()
    try:
        return salvage(RunResult, result_file.read_bytes()), code
    except (OSError, ValueError) as error:
        seen = f": see {log}" if log else ""
        raise ProcessFailed(
            f"the trainer ended with exit code {code} and no result{seen}"
        ) from error
