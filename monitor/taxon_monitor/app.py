"""The monitor's HTTP: what the controller, Prometheus and probes ask."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import structlog
from anyio.to_thread import run_sync
from fastapi import FastAPI, Path, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from taxon_contracts.datasets import DatasetName, DatasetVersions
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable
from taxon_monitor.settings import Settings
from taxon_monitor.telemetry import Telemetry

VERSIONS = "dataset_versions"
SILENT_SECONDS = 60.0
"""A database that has not answered for this long is away."""

Namespace = Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]

VersionsOf = Callable[[str, str], DatasetVersions]
"""Returns the versions of a data set, by namespace and name."""

_log = structlog.get_logger("taxon_monitor")


def create_app(settings: Settings, versions_of: VersionsOf, telemetry: Telemetry) -> FastAPI:
    """Return the application; ``versions_of`` asks the database, and may wait for it."""
    app = FastAPI(title="Taxon monitor", openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> PlainTextResponse:
        """The process lives; the database may be away."""
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> PlainTextResponse:
        """The database has answered within the last minute."""
        silent = telemetry.silent_seconds
        if silent > SILENT_SECONDS:
            sentence = f"the database has not answered for {silent:.0f} s\n"
            return PlainTextResponse(sentence, status_code=503)
        return PlainTextResponse("ok\n")

    @app.get("/metrics")
    async def metrics() -> Response:
        """What was read last; a scrape never waits for the database."""
        content = generate_latest(telemetry.registry)
        return Response(content, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    @app.get("/v1/namespaces/{namespace}/datasets/{name}")
    async def datasets(namespace: Namespace, name: DatasetName) -> Response:
        """Return a data set's versions, newest first; none if it does not exist."""

        def read() -> DatasetVersions:
            with telemetry.query(VERSIONS):
                return versions_of(namespace, name)

        seconds = settings.answer_seconds
        try:
            versions = await asyncio.wait_for(run_sync(read, abandon_on_cancel=True), seconds)
        except TimeoutError:
            return _unavailable(f"the database did not answer within {seconds:.0f} s")
        except (DatabaseRefused, DatabaseUnavailable) as error:
            return _unavailable(f"the database does not answer: {error}")
        return Response(versions.model_dump_json(), media_type="application/json")

    return app


def _unavailable(sentence: str) -> JSONResponse:
    _log.warning("not_answered", reason=sentence)
    return JSONResponse({"error": sentence}, status_code=503)
