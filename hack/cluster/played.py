"""Simulates the controllers of a cluster: the Job controller, KServe and the Gateway.

Every training Job succeeds at once, and every InferenceService is ready at once.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hack.cluster.api_server import Admin, ApiServer
from taxon_contracts import names
from taxon_contracts.document import read
from taxon_contracts.run import RunRequest, RunResult
from taxon_controller import clock
from taxon_kube.api import (
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    JOB,
    POD,
    AlreadyExists,
    ApiError,
    Kind,
    Manifest,
)


@contextmanager
def playing(server: ApiServer) -> Iterator[str]:
    """Simulate until the block ends; yield the URL of the Gateway."""
    played = Played(server, server.cluster())
    gateway = ThreadingHTTPServer(("127.0.0.1", 0), _gateway(played.admin))
    for part in (played.jobs, played.servers, gateway.serve_forever):
        threading.Thread(target=part, daemon=True).start()
    yield f"http://127.0.0.1:{gateway.server_port}"
    gateway.shutdown()
    gateway.server_close()


@dataclass(frozen=True)
class Played:
    """Sets the status of objects that have none, as long as the server runs."""

    server: ApiServer
    admin: Admin

    def jobs(self) -> None:
        """End every training Job."""
        self._follow(JOB, self._end)

    def servers(self) -> None:
        """Make every InferenceService ready."""
        self._follow(INFERENCE_SERVICE, self._serve)

    def _follow(self, kind: Kind, play: Callable[[Manifest], None]) -> None:
        """Call ``play`` with each object of a kind that is new or has changed."""
        path = f"{kind.path}/{kind.plural}?watch=1&timeoutSeconds=7200"
        with suppress(OSError, HTTPException), self.server.open(path) as lines:
            for line in lines:
                event = json.loads(line)
                if event["type"] in {"ADDED", "MODIFIED"}:
                    play(event["object"])

    def _serve(self, body: Manifest) -> None:
        if "status" not in body:
            self._status(body, {"conditions": [{"type": "PredictorReady", "status": "True"}]})

    def _end(self, job: Manifest) -> None:
        """Complete a training Job; its pod is written first, because the Job completes after it."""
        if job.get("status", {}).get("conditions"):
            return
        with suppress(AlreadyExists):
            self._leave_result(job)
        now = clock.text(datetime.now(UTC))
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": now}
            for kind in ("SuccessCriteriaMet", "Complete")
        ]
        times = {"startTime": now, "completionTime": now}
        self._status(job, times | {"succeeded": 1, "conditions": conditions})

    def _leave_result(self, job: Manifest) -> None:
        """Create the pod of a training Job, terminated with its result."""
        metadata, template = job["metadata"], job["spec"]["template"]
        environment = template["spec"]["containers"][0]["env"]
        run = next(one["value"] for one in environment if one["name"] == "TAXON_RUN")
        labels = template["metadata"]["labels"] | {"batch.kubernetes.io/job-name": metadata["name"]}
        place = {"name": metadata["name"], "namespace": metadata["namespace"], "labels": labels}
        pod = self.admin.create(
            {"apiVersion": "v1", "kind": POD.name, "metadata": place, "spec": template["spec"]}
        )
        ended = {"exitCode": 0, "message": _result(read(RunRequest, run))}
        container = {"name": "trainer", "image": "", "imageID": "", "ready": False}
        state = container | {"restartCount": 0, "state": {"terminated": ended}}
        self._status(pod, {"phase": "Succeeded", "containerStatuses": [state]})

    def _status(self, body: Manifest, status: Manifest) -> None:
        with suppress(ApiError):  # it has changed meanwhile, and is seen again
            self.admin.replace(body | {"status": status}, part="status")


def _result(request: RunRequest) -> str:
    figures = [
        {"name": name, "value": 0.99, "low": 0.98, "high": 1.0} for name in ("roc_auc", "accuracy")
    ]
    result = {
        "version": request.version,
        "outcome": "Accepted",
        "reason": "LimitsMet",
        "message": "roc_auc 0.9900 >= 0.8",
        "bundle_uri": request.destination,
        "manifest_digest": "sha256:" + "5" * 64,
        "metrics": figures,
    }
    return RunResult.model_validate(result).encode()


def _gateway(admin: Admin) -> type[BaseHTTPRequestHandler]:
    class Gateway(BaseHTTPRequestHandler):
        """Answers as the version a model's HTTPRoute points at."""

        def do_GET(self) -> None:
            model, namespace, _ = self.headers["Host"].split(".", 2)
            route = admin.get(HTTP_ROUTE, namespace, model)
            version = route["metadata"]["labels"][names.LABEL_VERSION] if route else ""
            self.send_response(HTTPStatus.OK if route else HTTPStatus.NOT_FOUND)
            self.end_headers()
            self.wfile.write(json.dumps({"name": model, "versions": [version]}).encode())

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    return Gateway
