"""`taxon-monitor`: answer the controller and Prometheus from the database."""

import logging
import os
import sys
from types import FrameType
from typing import NoReturn

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import disable_created_metrics
from pydantic import ValidationError

from taxon_contracts import logs
from taxon_contracts.datasets import DatasetVersions
from taxon_datastore.database import engine
from taxon_datastore.datasets.versions import dataset_versions
from taxon_monitor.app import VERSIONS, create_app
from taxon_monitor.readings import Watch, readings
from taxon_monitor.settings import Settings
from taxon_monitor.telemetry import Telemetry

_log = structlog.get_logger("taxon_monitor")

EXIT_USAGE = 2
EVERY_ADDRESS = "::"
"""Of IPv6 and IPv4; to asyncio it would be IPv6 alone."""
FINISH_SECONDS = 1
"""How long requests in progress may take after a signal."""


class Server(uvicorn.Server):
    """Ends on the first signal, with exit code 0."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Accept nothing more, and end."""
        self.should_exit = True


def main() -> None:
    """Run the command; exit 0 (stopped by a signal), 1 (cannot listen) or 2 (wrong settings)."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        _refuse(f"TAXON_MONITOR_{str(first['loc'][0]).upper()}: {first['msg']}")
    try:
        serve(settings)
    except ValueError as error:
        _refuse(f"TAXON_MONITOR_DATABASE_URL: {error}")


def _refuse(sentence: str) -> NoReturn:
    sys.stderr.write(f"taxon-monitor: {sentence}\n")
    sys.exit(EXIT_USAGE)


def serve(settings: Settings) -> None:
    """Answer until a signal stops the process.

    Raises:
        ValueError: the database's URL is not one of PostgreSQL.
    """
    logs.configure(level=logging.WARNING)
    logging.getLogger("taxon_monitor").setLevel(logging.INFO)
    disable_created_metrics()  # type: ignore[no-untyped-call] # it has no annotations
    url = settings.database_url.get_secret_value()
    database = engine(url, statement_seconds=settings.answer_seconds)
    watched = readings(url)
    telemetry = Telemetry([*watched, VERSIONS])

    def versions_of(namespace: str, name: str) -> DatasetVersions:
        return dataset_versions(database, namespace=namespace, name=name)

    Watch(watched, telemetry, settings.interval_seconds).start()
    Server(_configuration(settings, create_app(settings, versions_of, telemetry))).run()
    _log.info("stopped")
    sys.stderr.flush()
    os._exit(0)  # a thread may be waiting for a silent database; it has nothing to lose


def _configuration(settings: Settings, app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host="" if settings.host == EVERY_ADDRESS else settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )


if __name__ == "__main__":
    main()
