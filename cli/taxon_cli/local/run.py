"""`taxon local run`: train, gate and serve one model."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from taxon_bundle.bundle import Bundle, BundleError, open_bundle
from taxon_bundle.codec import Codec
from taxon_bundle.storage import StorageError
from taxon_cli import exits
from taxon_cli.exits import fail
from taxon_cli.local import summary
from taxon_cli.local.backends import (
    SAMPLES_BUCKET,
    Backends,
    running_backends,
    store_table,
)
from taxon_cli.local.datasets import UsedDataset, used_dataset
from taxon_cli.local.feedback import Feedback, give_feedback
from taxon_cli.local.ports import PortBlock, PortTaken
from taxon_cli.local.processes import POLL_SECONDS, ProcessFailed
from taxon_cli.local.questions import plain_question, telling, v2_question
from taxon_cli.local.serving import Server, check_port, running_server
from taxon_cli.local.state import FOLDER, State, StateError, opened_state
from taxon_cli.local.training import event_log, run_request, train
from taxon_cli.resource_file import BadFile
from taxon_cli.signals import Interrupted
from taxon_cli.table_file import TableFile, read_table_file
from taxon_contracts.manifest import GOLDEN_NAME
from taxon_contracts.prediction import PredictionEvent
from taxon_contracts.resource import ClassifierModel
from taxon_contracts.run import Champion, RunRequest, RunResult
from taxon_datastore.database import DatabaseUnavailable, engine
from taxon_datastore.predictions import recent_predictions

LOG_SECONDS = 10
MACHINE_FAULTS = (
    BundleError,
    DatabaseUnavailable,
    OSError,
    PortTaken,
    ProcessFailed,
    StateError,
    StorageError,
)


@dataclass(frozen=True)
class Call:
    """What the command was called with."""

    file: Path
    data: Path | None
    keep: bool
    port: int


def run_local(model: ClassifierModel, call: Call) -> int:
    """Train, gate and serve a model, and show what it does; return the exit code."""
    try:
        table = read_table_file(call.data) if call.data else None
        with opened_state(FOLDER) as state, PortBlock() as ports:
            port = call.port or ports.take()
            check_port(port)
            _say("starting PostgreSQL and the object store")
            with running_backends(state.folder, ports) as backends:
                dataset = _dataset(model, call.data, backends)
                if table and not dataset:
                    model = _with_source(model, store_table(table))
                run = _LocalRun(model, call, table, dataset, state, backends, port)
                return run.carry_out()
    except BadFile as error:
        return fail(exits.USAGE, str(error))
    except MACHINE_FAULTS as error:
        return fail(exits.MACHINE, str(error))


@dataclass(frozen=True)
class _LocalRun:
    """One call, with running back ends."""

    model: ClassifierModel
    call: Call
    table: TableFile | None
    dataset: UsedDataset | None
    state: State
    backends: Backends
    port: int

    def carry_out(self) -> int:
        """Train, gate, serve and show; return the exit code."""
        if self.dataset:
            _show(summary.dataset(self.dataset))
        request = run_request(
            self.model, self.state, self.dataset.version if self.dataset else None
        )
        log = event_log(self.state.folder)
        where = f" (log: {log})" if log else ""
        _say(f"training {request.model} {request.version} on {self._source}{where}")
        started = time.monotonic()
        result, code = train(request, self.state.folder, self.backends.postgres.url)
        seconds = time.monotonic() - started
        if result.outcome == "Failed":
            return fail(
                code, why_training_failed(result, self.model.spec.dataset.place, self._source)
            )
        version = _sealed(request, result)
        bundle = open_bundle(version.bundle_uri, version.manifest_digest)
        _show(summary.evaluation(request, result, bundle.manifest.features, seconds))
        if result.outcome == "Refused":
            return fail(exits.REFUSED, self._refusal(request, result))
        _say(f"starting the server on port {self.port}")
        with running_server(
            self.model, version, self.backends, self.state.folder, self.port
        ) as server:
            self.state.switch(self.model, version)
            self._show_off(bundle, server)
            return self._keep(server) if self.call.keep else exits.DONE

    @property
    def _source(self) -> str:
        if self.dataset:
            version = self.dataset.version
            return f"data set {version.name}, version {version.version}"
        return str(self.table.file) if self.table else self.model.spec.dataset.place

    def _refusal(self, request: RunRequest, result: RunResult) -> str:
        live = f"{request.champion.version} stays live" if request.champion else "nothing is live"
        return (
            f"the gate refused {request.model} {request.version} ({result.reason}):"
            f" {result.message}; {live}"
        )

    def _show_off(self, bundle: Bundle, server: Server) -> None:
        """Send a request with each API; show the answers and what was logged."""
        features = bundle.manifest.features
        row = telling(json.loads(bundle.read(GOLDEN_NAME))["rows"], features)
        name = self.model.metadata.name
        asked = datetime.now(UTC)
        exchanges = [
            server.post(
                f"/v2/models/{name}/infer",
                v2_question(row, Codec(features), identifier="first-look"),
            ),
            server.post("/predict", plain_question(row, features)),
        ]
        questions = self.state.folder / "questions" / name
        questions.mkdir(parents=True, exist_ok=True)
        (questions / "infer.json").write_text(json.dumps(exchanges[0].question))
        (questions / "predict.json").write_text(json.dumps(exchanges[1].question))
        _show(summary.exchanges(exchanges))
        _show(summary.log(self._logged(asked, len(exchanges))))
        if feedback := self._feedback(bundle, server):
            _show(summary.feedback(feedback))
        _show(summary.metrics(server.get("/metrics")))
        _show(summary.endpoints(server, self.backends, self.state.folder))
        _show(summary.next_steps(self.call.file, exchanges[1], questions, keep=self.call.keep))

    def _feedback(self, bundle: Bundle, server: Server) -> Feedback | None:
        """Label rows of the data set a file was loaded into; None for other models."""
        csv = self.table and self.table.file.suffix.lower() == ".csv"
        if not (self.dataset and self.table and csv) or self._log_mode == "Disabled":
            return None
        return give_feedback(
            self.model,
            bundle.manifest.features,
            self.table.content,
            server,
            self.backends.postgres.url,
        )

    @property
    def _log_mode(self) -> str:
        return self.model.spec.serving.prediction_log.mode

    def _logged(self, since: datetime, count: int) -> list[PredictionEvent] | None:
        """Return this call's rows of the log once all are stored; None if the log is disabled."""
        if self._log_mode == "Disabled":
            return None
        database = engine(self.backends.postgres.url)
        names = self.model.metadata
        deadline = time.monotonic() + LOG_SECONDS
        while time.monotonic() < deadline:
            events = recent_predictions(
                database, namespace=names.namespace, model=names.name, limit=count
            )
            if sum(event.time >= since for event in events) == count:
                return events
            time.sleep(POLL_SECONDS)
        raise ProcessFailed(
            f"the answers did not reach PostgreSQL within {LOG_SECONDS} s: see"
            f" {self.state.folder / 'server.log'}"
        )

    def _keep(self, server: Server) -> int:
        """Serve until interrupted."""
        _say("serving until Ctrl-C")
        try:
            code = server.process.wait()
        except Interrupted:
            _say("stopping")
            return exits.DONE
        return fail(exits.MACHINE, f"the server ended by itself with exit code {code}")


def why_training_failed(result: RunResult, uri: str, source: str) -> str:
    """Return the trainer's sentence with the user's name of the table, and a remedy.

    Args:
        result: the result of the failed run.
        uri: the URI of the table for the trainer.
        source: the user's name of the table.
    """
    message = result.message.replace(uri, source)
    samples = f"s3://{SAMPLES_BUCKET}/"
    if result.reason == "DatasetNotFound" and not uri.startswith(samples):
        message += f"; local mode has the tables of {samples} only: pass --data TABLE"
    return f"training failed ({result.reason}): {message}"


def _dataset(model: ClassifierModel, file: Path | None, backends: Backends) -> UsedDataset | None:
    """Return the version of the data set the model names, after loading a file into it."""
    table = model.spec.dataset.table
    return used_dataset(model, table, file, backends.postgres.url) if table else None


def _with_source(model: ClassifierModel, uri: str) -> ClassifierModel:
    dataset = model.spec.dataset.model_copy(update={"uri": uri, "table": None})
    return model.model_copy(update={"spec": model.spec.model_copy(update={"dataset": dataset})})


def _sealed(request: RunRequest, result: RunResult) -> Champion:
    if result.bundle_uri is None or result.manifest_digest is None:
        raise ProcessFailed("the trainer accepted a version without naming its bundle")
    return Champion(
        version=request.version,
        bundle_uri=result.bundle_uri,
        manifest_digest=result.manifest_digest,
    )


def _say(sentence: str) -> None:
    sys.stderr.write(f"taxon: {sentence}\n")


def _show(lines: Sequence[str]) -> None:
    sys.stdout.write("\n".join(["", *lines, ""]))
    sys.stdout.flush()
