"""Trains a tiny model in the cluster and sends it one request.

`helm test` runs it, with rights of its own on models of one namespace. It tests everything
together: training, gate, object storage, KServe, and an answer.
"""

import json
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any, Protocol
from urllib.parse import urlsplit

import tenacity
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from taxon_contracts import names
from taxon_kube.api import MODEL, AlreadyExists, ApiError, Kind, Manifest

Ask = Callable[[str, str], Any]
ASK_SECONDS = 10
ROW = [13.2, 1.8, 2.1, 11.2, 100.0, 2.6, 2.8, 0.3, 1.3, 4.4, 1.05, 3.4, 1050.0]
"""A wine, as the sample table describes one."""


class Settings(BaseSettings):
    """Settings from environment variables with the prefix ``TAXON_SELFTEST_``."""

    model_config = SettingsConfigDict(env_prefix="TAXON_SELFTEST_", frozen=True)

    namespace: str = Field(description="Namespace of the model.")
    name: str = Field(default="taxon-selftest", description="Name of the model.")
    table: str = Field(default="s3://samples/wine.csv", description="Table it is trained on.")
    patience_seconds: float = Field(
        default=300, ge=0, description="Seconds until it must be Ready."
    )
    answer_seconds: float = Field(
        default=15, ge=0, description="Seconds a Ready model may take to answer inside the cluster."
    )
    pause_seconds: float = Field(default=1, gt=0, description="Seconds between two checks.")


class Models(Protocol):
    """What this needs of a cluster; see ``api.Api`` for what each call promises."""

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return one object, or None when there is none."""

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object."""

    def delete(self, kind: Kind, manifest: Manifest) -> None:
        """Delete exactly the object that was read."""


class TestFailed(Exception):  # noqa: N818 - an outcome, not a fault here
    """The test failed; the message has the reason."""

    __test__ = False  # pytest would collect it by its name


def carry_out(api: Models, ask: Ask, settings: Settings) -> str:
    """Create the model, wait until it is Ready, send a row, delete it; return the answer.

    Args:
        api: the cluster.
        ask: takes the model's URL and name; returns the answer to one row.
        settings: settings from the environment.

    Raises:
        TestFailed: the model was not Ready in time, or did not answer.
        ApiError: a request to the API server failed.
    """
    try:
        api.create(_model(settings))
    except AlreadyExists as exists:
        raise TestFailed(
            f"{settings.namespace}/{settings.name} exists already: delete it, then test again"
        ) from exists
    try:
        url = _await_ready(api, settings)
        return _label(ask, url, settings)
    finally:
        there = api.get(MODEL, settings.namespace, settings.name)
        if there is not None:
            api.delete(MODEL, there)


def _model(settings: Settings) -> Manifest:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": settings.name, "namespace": settings.namespace},
        "spec": {
            "dataset": {"uri": settings.table, "target": "cultivar"},
            "pipeline": {"classifier": {"type": "LogisticRegression"}},
            "search": {"folds": 2},
            "deletionPolicy": "Delete",
        },
    }


def _await_ready(api: Models, settings: Settings) -> str:
    """Return the URL of the model once it is Ready."""
    deadline = time.monotonic() + settings.patience_seconds
    while True:
        body = api.get(MODEL, settings.namespace, settings.name) or {}
        status = body.get("status", {})
        conditions = {one["type"]: one for one in status.get("conditions", ())}
        ready = conditions.get("Ready", {})
        if ready.get("status") == "True":
            return str(status["address"]["url"])
        why = f"{ready.get('reason', 'no condition')}: {ready.get('message', 'none')}"
        if "Stalled" in conditions:
            raise TestFailed(f"the model is stalled, {why}")
        if time.monotonic() >= deadline:
            raise TestFailed(f"not Ready after {settings.patience_seconds:.0f} s, {why}")
        time.sleep(settings.pause_seconds)


def _label(ask: Ask, url: str, settings: Settings) -> str:
    """Return the answer to one row; retry, because nodes need a moment to know a new Service."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TestFailed),
        stop=tenacity.stop_after_delay(settings.answer_seconds),
        wait=tenacity.wait_fixed(settings.pause_seconds),
        reraise=True,
    )
    return str(retrying(ask, url, settings.name))


def ask(url: str, model: str) -> Any:
    """Return a model's label for one row.

    Raises:
        TestFailed: it did not answer with one.
    """
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port or 80, timeout=ASK_SECONDS)
    tensor = {"name": "input", "shape": [1, len(ROW)], "datatype": "FP64", "data": ROW}
    try:
        connection.request("POST", f"/v2/models/{model}/infer", json.dumps({"inputs": [tensor]}))
        response = connection.getresponse()
        content = response.read()
        outputs = {one["name"]: one for one in json.loads(content)["outputs"]}
        return outputs["label"]["data"][0]
    except (OSError, HTTPException, ValueError, KeyError) as error:
        raise TestFailed(f"{url} gave no label ({type(error).__name__})") from error
    finally:
        connection.close()


def main() -> None:
    """Run once; a failure is one sentence."""
    from taxon_kube.client import Cluster  # noqa: PLC0415 - the Kubernetes client takes a second; settings are refused at once

    settings = Settings()
    try:
        label = carry_out(Cluster(), ask, settings)
    except (ApiError, TestFailed) as error:
        sys.exit(f"{error}.")
    sys.stdout.write(f"A model was trained and served, and it answered: the wine is {label}.\n")


if __name__ == "__main__":
    main()
