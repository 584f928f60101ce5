"""Access to a cluster through the user's kubectl, with the user's rights."""

import base64
import binascii
import contextlib
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

from taxon_contracts.names import GROUP, PLURAL

CALL_SECONDS = 30
FORWARD_SECONDS = 15
REACHABLE_STORE = "set keys and an AWS_ENDPOINT_URL that you can reach"
FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:([0-9]+) ->")


class ClusterError(Exception):
    """A request to the cluster failed; the message is one sentence with the remedy."""


def secret_values(namespace: str, name: str) -> dict[str, str]:
    """Return the values of a Secret.

    Raises:
        ClusterError: kubectl is missing, or the Secret cannot be read.
    """
    found = _read("secret", namespace, name, what=f"Secret {namespace}/{name}")
    try:
        data = json.loads(found).get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}
    except (ValueError, AttributeError, binascii.Error) as error:
        raise ClusterError(
            f"Secret {namespace}/{name} contains values that are not text"
        ) from error


def status_url(namespace: str, model: str) -> str | None:
    """Return the URL a model answers under, None if it has none.

    Raises:
        ClusterError: kubectl is missing, or the model cannot be read.
    """
    found = _read(f"{PLURAL}.{GROUP}", namespace, model, what=f"model {namespace}/{model}")
    try:
        url = json.loads(found).get("status", {}).get("url")
    except (ValueError, AttributeError) as error:
        raise ClusterError(f"model {namespace}/{model} is not what it should be") from error
    return url if isinstance(url, str) else None


def models_of(namespace: str) -> list[dict[str, Any]]:
    """Return the models of a namespace, as the cluster has them.

    Raises:
        ClusterError: kubectl is missing, or they cannot be read.
    """
    what = f"the models of namespace {namespace}"
    try:
        found: list[dict[str, Any]] = json.loads(_read(f"{PLURAL}.{GROUP}", namespace, what=what))[
            "items"
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterError(f"{what} are not what they should be") from error
    return found


def _read(kind: str, namespace: str, *name: str, what: str) -> str:
    """Return an object, or all of a kind, as JSON.

    Raises:
        ClusterError: kubectl is missing, or the object cannot be read.
    """
    command = [_kubectl(), "get", kind, *name, f"--namespace={namespace}", "--output=json"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=CALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(
            f"the cluster did not answer within {CALL_SECONDS} s: check `kubectl cluster-info`"
        ) from error
    if done.returncode:
        raise ClusterError(
            f"{what} cannot be read ({_last_line(done.stderr)}): check the namespace, your rights"
            " and kubectl's context"
        )
    return done.stdout


@contextlib.contextmanager
def forwarded(
    namespace: str, service: str, port: int, *, otherwise: str = REACHABLE_STORE
) -> Iterator[int]:
    """Yield a port of 127.0.0.1 that is forwarded to a Service's pod.

    Args:
        namespace: the Service's.
        service: its name.
        port: its port.
        otherwise: what else a user may do who may not forward ports.

    Raises:
        ClusterError: kubectl is missing, or does not forward.
    """
    command = [
        _kubectl(),
        "port-forward",
        f"--namespace={namespace}",
        "--address=127.0.0.1",
        f"service/{service}",
        f":{port}",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield _announced_port(process, f"{namespace}/{service}", otherwise)
        finally:
            process.terminate()


def _announced_port(process: "subprocess.Popen[str]", what: str, otherwise: str) -> int:
    """Return the port kubectl reports; read and drop its later output."""
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    timer = threading.Timer(FORWARD_SECONDS, process.terminate)
    timer.start()
    said = ""
    try:
        for line in process.stdout:
            if found := FORWARDING.match(line):
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return int(found[1])
            said = line
    finally:
        timer.cancel()
    raise ClusterError(
        f"no connection to Service {what} ({_last_line(said) or 'kubectl port-forward ended'}):"
        f" you need the right to forward ports there; or {otherwise}"
    )


def _kubectl() -> str:
    path = shutil.which("kubectl")
    if path is None:
        raise ClusterError("kubectl is not installed: install it, or put it on the PATH")
    return path


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].removesuffix(".") if lines else ""
