"""Weights & Biases: recorded offline, then synced if possible, without effect on the run.

All of it runs in a process of its own, which is ended after a timeout.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

from taxon_contracts.manifest import METRICS_NAME, MODEL_CARD_NAME
from taxon_contracts.run import RunRequest
from taxon_training_job.fit.training import Training
from taxon_training_job.progress import Progress
from taxon_training_job.run import Outcome
from taxon_training_job.settings import Settings

DONE = "done"
MARK = "TAXON_TRACKING_MARK"
"""Variable that every process of one tracking inherits; W&B's own leave the process group."""


def track(request: RunRequest, outcome: Outcome, progress: Progress, settings: Settings) -> None:
    """Record the run if the spec names a project; log and ignore every error."""
    wandb, training = request.tracking.wandb, outcome.training
    if wandb is None or training is None:
        return
    folder = settings.tracking_folder / f"{request.namespace}-{request.model}-{request.version}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report = folder / "report.json"
        report.write_text(json.dumps(_report(wandb.project, training, outcome), default=str))
        recorded = bounded(
            [sys.executable, "-m", f"{__package__}.wandb_record", str(report)],
            folder / "record.log",
            settings.tracking_record_seconds,
            recording_environment(folder),
        )
        synced = sync(folder, settings.tracking_sync_seconds) if recorded == DONE else "not tried"
    except OSError as error:
        recorded, synced = f"failed ({error})", "not tried"
    progress.event(
        "Tracked", project=wandb.project, folder=str(folder), recorded=recorded, synced=synced
    )


def recording_environment(folder: Path) -> dict[str, str]:
    """Return the environment for recording, without W&B settings, because a wrong one fails it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return kept | _own_settings(folder)


def _own_settings(folder: Path) -> dict[str, str]:
    """Return the settings that keep W&B in its folder and from reporting its errors elsewhere."""
    folders = {
        f"WANDB_{kind}_DIR": str(folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")
    }
    return folders | {"WANDB_ERROR_REPORTING": "false"}


def sync(folder: Path, seconds: float) -> str:
    """Try to sync the newest offline run below ``folder``; return the outcome."""
    if not os.environ.get("WANDB_API_KEY"):
        return "not tried, WANDB_API_KEY is not set"
    newest = max(folder.glob("wandb/offline-run-*"))
    command = [sys.executable, "-m", "wandb", "sync", str(newest)]
    environment = {**os.environ, **_own_settings(folder)}
    log = folder / "sync.log"
    ended = bounded(command, log, seconds, environment)
    if ended == DONE and not any(newest.glob("*.wandb.synced")):
        return f"failed, see {log}"  # the command exits with 0 all the same, as for a refused key
    return ended


def bounded(command: list[str], log: Path, seconds: float, environment: dict[str, str]) -> str:
    """Run a command and its children for at most ``seconds``; return the outcome."""
    mark = uuid4().hex
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**environment, MARK: mark},
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return f"stopped after {seconds:g} s, see {log}"
        finally:
            _end_all(process, mark)
    return DONE if code == 0 else f"failed, see {log}"


def _end_all(process: "subprocess.Popen[bytes]", mark: str) -> None:
    """End the process group, and what left it with the mark still in its environment."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    variable = f"{MARK}={mark}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if variable in environment.read_bytes():
                os.kill(int(environment.parent.name), signal.SIGKILL)


def _report(project: str, training: Training, outcome: Outcome) -> dict[str, Any]:
    """Return all that the recording process needs; it reads nothing else."""
    request, result = training.request, outcome.result
    figures, features = json.loads(outcome.files[METRICS_NAME]), training.codec.features
    return {
        "project": project,
        "group": f"{request.namespace}/{request.model}",
        "name": f"{request.model}-{request.version}",
        "config": {
            "identity": request.identity.model_dump(mode="json"),
            "parameters": training.parameters,
            "rows": training.rows.model_dump(),
            "features": {
                **Counter(feature.type for feature in features),
                "with_missing_values": sum(feature.gaps for feature in features),
            },
            "split": figures["split"],
            "dataset_digest": training.dataset_digest,
        },
        "trials": [{"parameters": t.parameters, "scores": t.scores} for t in training.trials],
        "confusion": figures["confusion"],
        "summary": {
            **{value.name: value.value for value in result.metrics},
            **{f"{value.name}_low": value.low for value in result.metrics},
            **{f"{value.name}_high": value.high for value in result.metrics},
            "training_seconds": outcome.seconds,
            "outcome": result.outcome,
            "bundle_uri": result.bundle_uri,
            "manifest_digest": result.manifest_digest,
        },
        "files": {name: outcome.files[name].decode() for name in (METRICS_NAME, MODEL_CARD_NAME)},
    }
