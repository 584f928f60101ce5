"""Measure the controller against a real kube-apiserver; figures of one run on this machine.

No other controllers run: a small loop here completes Jobs and makes InferenceServices ready, and
shares the cores with what is measured. The programs are those of the cluster without containers.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hack.cluster.api_server import TOKEN, ApiServer, running_api_server
from hack.cluster.played import playing
from hack.cluster.steps import wait
from taxon_cli.local.ports import PortBlock
from taxon_contracts import names
from taxon_kube.api import JOB, MODEL, Manifest

ROOT = Path(__file__).resolve().parent.parent
FEW, MANY = 100, 1000
PER_NAMESPACE = 50
TRIES = 10
"""Models applied one after the other to measure the time until their Job exists.

The first does not count: the API server needs 2 s to report the first object of a new kind.
"""
IDLE_MINUTES = 10
"""Length of the idle window: it includes the resync of every model."""
LONGEST_SECONDS = 1800.0
SYSTEM = "taxon-system"
CONDITION = re.compile(
    r'^model_condition\{model="([^"]+)",namespace="([^"]+)",status="True",type="Ready"\} 1',
    re.MULTILINE,
)
STATUS_WRITES = re.compile(
    r'^apiserver_request_total\{.*resource="classifiermodels".*subresource="status"'
    r'.*verb="(?:PUT|PATCH|APPLY)".*\} (\d+)', re.MULTILINE
)  # fmt: skip
IMAGE_SETTINGS = re.compile(r"\b(MALLOC_\w+)=(\d+)")
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print every figure."""
    folder = tempfile.TemporaryDirectory(prefix="taxon-bench-")
    with folder as name, PortBlock() as ports, running_api_server(Path(name), ports) as server:
        server.install_kinds()
        for namespace in (SYSTEM, *sorted({_place(number)[0] for number in range(MANY)})):
            server.cluster().put_namespace(namespace)
        with playing(server) as gateway:
            _measure(Bench(server, Path(name), ports.take(), gateway))


def _measure(bench: "Bench") -> None:
    with bench.controller():
        seconds = [bench.until_job(number) for number in range(TRIES)][1:]
        _say("apply to Job created, median", statistics.median(seconds), "s", "under 2")
        _say("apply to Job created, longest", max(seconds), "s", "under 2")
        print("sealed to Ready: needs servers that load a bundle; `make test-cluster` waits for it")
        bench.apply(range(TRIES, FEW))
        bench.await_ready(FEW)
        _say(f"resident memory after making {FEW} models", bench.resident_mb(), "MB")
    written = bench.status_writes()
    if written < FEW:
        sys.exit(f"bench: the API server counts {written} status writes, too few to be all")
    with bench.controller():
        bench.await_looks(FEW)
        _idle(bench)
    looks = bench.status_writes() - written
    _say("status writes per model, from its start on", looks / FEW, "", "0")
    with bench.controller():
        began = time.monotonic()
        bench.apply(range(FEW, MANY))
        bench.await_ready(MANY)
        _say(f"from {FEW} to {MANY} models, applied to Ready", time.monotonic() - began, "s")
        _say(f"resident memory after making {MANY} models", bench.resident_mb(), "MB")
    began = time.monotonic()
    with bench.controller():
        bench.await_looks(MANY)
        cold = time.monotonic() - began
        _say(f"{MANY} models reconciled after a cold start", cold, "s", "under 60")
        _say(f"resident memory with {MANY} models", bench.resident_mb(), "MB", "under 240")
        _say("  at its highest", bench.resident_mb("VmHWM"), "MB")


def _idle(bench: "Bench") -> None:
    before = bench.cpu_seconds()
    time.sleep(IDLE_MINUTES * 60)
    share = (bench.cpu_seconds() - before) / (IDLE_MINUTES * 60)
    print(f"idle with {FEW} models, restarted, over {IDLE_MINUTES} min:")
    _say("  resident memory", bench.resident_mb(), "MB", "under 140")
    _say("  share of a core", share * 100, "%", "under 1")


def _say(what: str, value: float, unit: str, bound: str = "") -> None:
    limit = f"   ({bound})" if bound else ""
    print(f"{what:<56}{value:10,.2f} {unit}{limit}", flush=True)


def _place(number: int) -> tuple[str, str]:
    """Return namespace and name of a model."""
    return f"team-{number // PER_NAMESPACE}", f"model-{number}"


class Bench:
    """The API server, and every client but the controller."""

    def __init__(self, server: ApiServer, folder: Path, port: int, gateway: str) -> None:
        self._server, self._folder, self._port = server, folder, port
        self._gateway = gateway
        self._admin = server.cluster()
        self._pid = 0

    @contextmanager
    def controller(self) -> Iterator[None]:
        """Run ``taxon-controller`` as a pod runs it."""
        settings = {
            "NAMESPACE": SYSTEM,
            "IDENTITY": "bench",
            "TRAINER_IMAGE": "trainer",
            "BUNDLE_ROOT": "s3://bench",
            "GATEWAY": "bench/gateway",
            "GATEWAY_URL": self._gateway,
            "PORT": str(self._port),
        }
        chosen = {f"TAXON_CONTROLLER_{name}": value for name, value in settings.items()}
        chosen |= dict(IMAGE_SETTINGS.findall((ROOT / "controller" / "Dockerfile").read_text()))
        log = self._folder / "controller.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / "taxon-controller")],
                env=os.environ | chosen | {"KUBECONFIG": str(self._kubeconfig())},
                stderr=output,
            )
        self._pid = process.pid
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def _kubeconfig(self) -> Path:
        cluster = {"server": self._server.url, "certificate-authority": self._server.certificate}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bench", "cluster": cluster}],
            "users": [{"name": "bench", "user": {"token": TOKEN}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
            "current-context": "bench",
        }
        path = self._folder / "kubeconfig"
        path.write_text(json.dumps(content))
        return path

    def apply(self, numbers: range) -> None:
        """Create models."""
        for number in numbers:
            namespace, name = _place(number)
            self._admin.create(
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "metadata": {"name": name, "namespace": namespace},
                    "spec": {"dataset": {"uri": "s3://samples/wine.csv", "target": "cultivar"}},
                }
            )

    def until_job(self, number: int) -> float:
        """Create a model once the controller works; return the seconds until it has a Job."""
        self._await(lambda: self._page("readyz") != "", "the controller watches")
        namespace, name = _place(number)
        began = time.monotonic()
        self.apply(range(number, number + 1))
        while not self._admin.list(JOB, namespace, labels={names.LABEL_MODEL: name}):
            if time.monotonic() - began > LONGEST_SECONDS:
                sys.exit(f"bench: {name} got no Job")
            time.sleep(0.01)
        return time.monotonic() - began

    def await_ready(self, count: int) -> None:
        """Wait until the API server has ``count`` Ready models."""

        def ready() -> bool:
            models = self._admin.list(MODEL, None)
            return sum(map(_is_ready, models)) == count

        self._await(ready, f"{count} models become Ready")

    def await_looks(self, count: int) -> None:
        """Wait until the controller reports ``count`` Ready models."""
        self._await(
            lambda: len(CONDITION.findall(self._page())) == count, f"{count} models are reconciled"
        )

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        wait(condition, what=what, seconds=LONGEST_SECONDS, log="bench-controller")

    def _page(self, name: str = "metrics") -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{name}") as answer:
                text: str = answer.read().decode()
        except OSError:
            return ""
        return text

    def status_writes(self) -> int:
        """Return how many writes of a model's status the API server has counted."""
        with self._server.open("/metrics") as answer:
            return sum(map(int, STATUS_WRITES.findall(answer.read().decode())))

    def resident_mb(self, field: str = "VmRSS") -> float:
        """Return the controller's resident memory."""
        status = Path(f"/proc/{self._pid}/status").read_text()
        return (
            int(next(one for one in status.splitlines() if one.startswith(field)).split()[1]) / 1024
        )

    def cpu_seconds(self) -> float:
        """Return the processor time the controller has used."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def _is_ready(model: Manifest) -> bool:
    conditions = model.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


if __name__ == "__main__":
    main()
