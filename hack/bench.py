"""Measure a training, one call and the served model on this machine: values and ratios of one run.

Needs wrk on the path (Debian: ``apt-get install wrk``). All load stays on loopback and stops by
itself.
"""

import http.client
import io
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

import joblib
import numpy as np
import onnxruntime
import yaml
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from hack.bench_mixed import print_row, print_training
from hack.measured import BIN, Trained, figure, memory_mb, microseconds, trained
from taxon_bundle.bundle import Bundle
from taxon_bundle.classifier import GRAPH_INPUT, GRAPH_OUTPUTS, Classifier
from taxon_cli.local.postgres import running_postgres
from taxon_contracts.manifest import MODEL_NAME
from taxon_contracts.resource import ClassifierModel
from taxon_datastore.schema import migrate
from taxon_training_job.bundle.serving import serving_graph

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "manifests" / "samples" / "breast-cancer"
LOOPBACK = "127.0.0.1"
BATCHES = (1, 100)
CONNECTIONS = (1, 8, 64)
LOAD_SECONDS = 2
MEBIBYTE = 2**20
LARGE_BODY = 16 * MEBIBYTE - 64 * 1024
READY_SECONDS = 30.0
ROUNDS = 3
REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("RATE %f %d\\n", summary.requests / summary.duration * 1e6, failed))
end
"""
"""The script wrk runs at its end: it prints requests per second, and how many failed."""
CLASSES = (2, 10, 100)
ROWS_OF_CLASSES = 4000
FOREST = {"n_estimators": "100", "max_depth": "10"}


@dataclass(frozen=True)
class Server:
    """A running server: its address, seconds until it was ready, resident memory in MB, process."""

    url: str
    ready_seconds: float
    resident_mb: float
    pid: int


def main() -> None:
    """Print every figure."""
    if shutil.which("wrk") is None:
        sys.exit("bench needs wrk, which is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="taxon-bench-") as folder:
        sample = _train(Path(folder) / "sample", forest=None)
        print(figure("training    the sample: search, fit, proof, seal", sample.seconds, "s"))
        forest = _train(Path(folder) / "forest", forest=FOREST)
        print(figure("training    100 trees of depth 10, no search", forest.seconds, "s") + "\n")
        bundle = forest.bundle
        _print_calls(bundle)
        _print_classes()
        print_row(Path(folder))
        print_training(Path(folder))
        with _served(sample.bundle) as server:
            print(figure("server      ready after start", server.ready_seconds, "s"))
            print(figure("server      resident memory", server.resident_mb, "MB") + "\n")
        with _served(bundle) as server:
            _print_load(server, bundle, Path(folder))
        with _served(bundle) as server:
            _print_memory(server, bundle)
        _print_log(bundle, Path(folder))


def _train(folder: Path, *, forest: dict[str, str] | None) -> Trained:
    """Train the sample's table with ``taxon-train``."""
    model = ClassifierModel.model_validate(yaml.safe_load(SAMPLE.with_suffix(".yaml").read_text()))
    identity = model.spec.identity().model_dump(mode="json", by_alias=True, exclude_none=True)
    if forest:
        parameters = [{"name": name, "values": [value]} for name, value in forest.items()]
        identity["pipeline"]["classifier"]["parameters"] = parameters
        identity["search"] = {"strategy": "None"}
    return trained(folder, SAMPLE.with_suffix(".csv"), identity, model.metadata.name)


def _print_calls(bundle: Bundle) -> None:
    """Print the time of one call and scikit-learn's for the same rows."""
    classifier = Classifier.load(bundle)
    pipeline = joblib.load(io.BytesIO(bundle.read(MODEL_NAME)))  # written by _train a moment ago
    for count in BATCHES:
        rows = _rows(bundle, count)
        own = microseconds(partial(classifier.probabilities, rows), 400)
        reference = microseconds(partial(pipeline.predict_proba, rows), 20)
        line = figure(f"call        {count} rows, in process", own, "us")
        print(f"{line}   scikit-learn {reference:9,.0f} us, {reference / own:.0f} times as long")
    print()


def _print_classes() -> None:
    """Print the serving file's size and the time of one row by the number of classes."""
    for count in CLASSES:
        generator = np.random.default_rng(0)
        target = np.arange(ROWS_OF_CLASSES) % count
        rows = generator.normal(size=(ROWS_OF_CLASSES, 10)) + 0.2 * target[:, None]
        forest = RandomForestClassifier(40, random_state=0)
        pipeline = Pipeline([("classifier", forest)]).fit(rows, target)
        graph = serving_graph(pipeline, features=10, kept=range(10))
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        call = partial(session.run, GRAPH_OUTPUTS, {GRAPH_INPUT: rows[:1]})
        line = figure(
            f"classes     {count} classes, 40 trees: one row", microseconds(call, 400), "us"
        )
        print(f"{line}   serving file {len(graph) / 1e6:9.2f} MB")
    print()


def _rows(bundle: Bundle, count: int) -> NDArray[np.float64]:
    names = [feature.name for feature in bundle.manifest.features]
    lines = SAMPLE.with_suffix(".csv").read_text().splitlines()
    header = lines[0].split(",")
    columns = [header.index(name) for name in names]
    chosen = [line.split(",") for line in lines[1 : count + 1]]
    return np.array([[float(row[column]) for column in columns] for row in chosen])


@contextmanager
def _served(bundle: Bundle, *flags: str) -> Iterator[Server]:
    """Run ``taxon-server`` on a free port of loopback until the block ends."""
    port = _free_port()
    command = [str(BIN / "taxon-server"), "--bundle", bundle.uri, "--digest", bundle.digest]
    command += ["--name", bundle.manifest.model, "--port", str(port), "--drain-seconds", "0"]
    command += flags
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        while not _ready(port):
            if process.poll() is not None or time.perf_counter() - started > READY_SECONDS:
                process.kill()
                sys.exit(f"bench: the server did not become ready: {process.communicate()[1]}")
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        yield Server(
            f"http://{LOOPBACK}:{port}", seconds, memory_mb(process.pid, "VmRSS"), process.pid
        )
    finally:
        process.terminate()
        process.communicate(timeout=READY_SECONDS)


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _print_load(server: Server, bundle: Bundle, folder: Path) -> None:
    """Print requests per second, also as a share of the rate of empty answers."""
    floor = {c: _wrk(server.url + "/v2/health/live", c, folder, body=None) for c in CONNECTIONS}
    print("requests per second                     1 connection   8 connections  64 connections")
    print(
        "  health check (the floor)           " + "".join(f"{floor[c]:16,.0f}" for c in CONNECTIONS)
    )
    for count in BATCHES:
        rows = _rows(bundle, count)
        tensor = {
            "name": "input",
            "shape": rows.shape,
            "datatype": "FP64",
            "data": rows.ravel().tolist(),
        }
        body = json.dumps({"inputs": [tensor]})
        url = f"{server.url}/v2/models/{bundle.manifest.model}/infer"
        rates = {c: _wrk(url, c, folder, body=body) for c in CONNECTIONS}
        cells = "".join(f"{rates[c]:9,.0f} ({rates[c] / floor[c]:4.0%})" for c in CONNECTIONS)
        print(f"  V2 JSON, {count:3d} rows of {rows.shape[1]} features       {cells}")


def _print_memory(server: Server, bundle: Bundle) -> None:
    """Print what large bodies add to the idle server's memory, one and then four at once."""
    rows = _rows(bundle, BATCHES[-1])
    values = json.dumps(rows.ravel().tolist())[1:-1]
    count = LARGE_BODY // (len(values) + 2)
    tensor = {"name": "input", "shape": [count * len(rows), rows.shape[1]], "datatype": "FP64"}
    data = ", ".join([values] * count)
    body = json.dumps({"inputs": [tensor]}).removesuffix("}]}") + f', "data": [{data}]}}]}}'
    path = f"/v2/models/{bundle.manifest.model}/infer"
    print()
    for clients in (1, 4):
        with ThreadPoolExecutor(clients) as pool:
            answered = list(pool.map(partial(_post, server, path), [body.encode()] * clients))
        if answered != [HTTPStatus.OK] * clients:
            sys.exit(f"bench: large requests were answered with {answered}")
        peak = memory_mb(server.pid, "VmHWM") - server.resident_mb
        what = f"memory      peak over idle, {clients} bodies of {len(body) / MEBIBYTE:.1f} MiB"
        print(figure(what, peak, "MB"))


def _print_log(bundle: Bundle, folder: Path) -> None:
    """Print requests per second with the prediction log as a share of those without, in turn."""
    tensor = {"name": "input", "shape": [1, len(bundle.manifest.features)], "datatype": "FP64"}
    body = json.dumps({"inputs": [tensor | {"data": _rows(bundle, 1)[0].tolist()}]})
    path = f"/v2/models/{bundle.manifest.model}/infer"
    state = folder / "database"
    state.mkdir()
    with running_postgres(state, _free_port()) as postgres:
        migrate(postgres.url)
        flags = ("--database-url", postgres.url, "--spool-folder", str(folder / "spool"))
        shares, costs = [], []
        for _ in range(ROUNDS):
            with _served(bundle) as server:
                without = _wrk(server.url + path, CONNECTIONS[-1], folder, body=body)
            with _served(bundle, *flags) as server:
                _post(server, path, body.encode())
                before = _stored(server)  # it has loaded its libraries now
                rate = _wrk(server.url + path, CONNECTIONS[-1], folder, body=body)
                after = _stored(server)
            shares.append(rate / without)
            costs.append((after[0] - before[0]) / (after[1] - before[1]))
    print()
    print(figure("log         requests per second, of those without it", 100 * max(shares), "%"))
    print(figure("log         processor time of its threads per row", 1e6 * min(costs), "us"))


def _stored(server: Server) -> tuple[float, float]:
    """Return the log's processor seconds and its rows, once all of them are in the database."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        values = _metrics(server)
        rows = values["prediction_log_written_total"]
        if rows and not values["prediction_log_spool_events"]:
            return values["prediction_log_cpu_seconds_total"], rows
        if time.monotonic() > deadline:
            sys.exit("bench: the predictions do not reach the database")
        time.sleep(0.1)


def _metrics(server: Server) -> dict[str, float]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    samples = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in samples}


def _post(server: Server, path: str, body: bytes) -> int:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def _wrk(url: str, connections: int, folder: Path, *, body: str | None) -> float:
    """Return the requests per second wrk counts; every answer must be 200."""
    script = folder / "request.lua"
    posting = "" if body is None else f'wrk.method = "POST"\nwrk.body = [[{body}]]\n'
    script.write_text(posting + REPORT)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{LOAD_SECONDS}s", "-s", str(script), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("RATE"))
    rate, failed = line.split()[1:]
    if failed != "0":
        sys.exit(f"bench: {failed} requests to {url} failed")
    return float(rate)


if __name__ == "__main__":
    main()
