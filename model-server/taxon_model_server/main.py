"""`taxon-server`: load a bundle and serve it over HTTP until a signal stops it."""

import logging
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import TextIO

import structlog
import uvicorn
from prometheus_client import disable_created_metrics

from taxon_bundle.bundle import BundleError
from taxon_bundle.storage import StorageError
from taxon_contracts import logs
from taxon_datastore.rows import Rows
from taxon_model_server.exchange import Exchange, KeepBatch
from taxon_model_server.labels.intake import LabelIntake
from taxon_model_server.labels.lookup import PredictionLookup
from taxon_model_server.loader import load_model
from taxon_model_server.prediction_log.log import PredictionLog
from taxon_model_server.prediction_log.spool import Spool, SpoolUnusable
from taxon_model_server.prediction_log.store import PredictionStore
from taxon_model_server.rest.app import create_app
from taxon_model_server.rest.http_protocol import HttpProtocol
from taxon_model_server.settings import InvalidSettings, Settings, read_settings
from taxon_model_server.state import ServerState
from taxon_model_server.telemetry import Telemetry

_log = structlog.get_logger("taxon_model_server")

EXIT_REFUSED = 1
EXIT_USAGE = 2
FINISH_SECONDS = 10
"""How long requests in progress may take once no new ones are accepted."""
FLUSH_SECONDS = 10.0
EVERY_ADDRESS = "::"
KEEP_ALIVE_SECONDS = 120
"""Longer than the idle timeout of proxies in front, so that the proxy closes first."""


class ListenError(Exception):
    """The server cannot listen on the address; the message has the reason and the remedy."""


class Server(uvicorn.Server):
    """Shuts down in order: not ready at once, accepts for a while, then finishes its requests."""

    def __init__(self, config: uvicorn.Config, state: ServerState, drain_seconds: float) -> None:
        super().__init__(config)
        self._state = state
        self._drain_seconds = drain_seconds
        self._closes_at = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Begin the shutdown; a second signal, or Ctrl-C, does not wait for load balancers."""
        waits = sig == signal.SIGTERM and self._state.ready
        self._state.draining = True
        self._closes_at = time.monotonic() + (self._drain_seconds if waits else 0)

    async def on_tick(self, counter: int) -> bool:
        """Check, ten times a second, whether to stop accepting."""
        if time.monotonic() >= self._closes_at:
            self.should_exit = True
        return await super().on_tick(counter)


def main() -> None:
    """Run the command; exit 0 (stopped by a signal), 1 (refused to serve) or 2 (wrong settings)."""
    try:
        settings = read_settings(sys.argv[1:])
    except InvalidSettings as error:
        sys.stderr.write(f"taxon-server: {error}\n")
        sys.exit(EXIT_USAGE)
    sys.exit(serve(settings))


def serve(settings: Settings) -> int:
    """Serve until a signal stops it; return the exit code."""
    configure_logging()
    disable_created_metrics()  # type: ignore[no-untyped-call] # it has no annotations
    try:
        with listen(settings.host, settings.port) as listener:
            refusal = _serve(settings, listener)
    except ListenError as error:
        refusal = str(error)
    if refusal:
        return refuse(settings, refusal)
    _log.info("stopped")
    return 0


def configure_logging(stream: TextIO | None = None) -> None:
    """Log the server's own lines, and only warnings of the libraries, to standard error."""
    logs.configure(level=logging.WARNING, stream=stream)
    logging.getLogger("taxon_model_server").setLevel(logging.INFO)


def _serve(settings: Settings, listener: socket.socket) -> str | None:
    """Serve connections until a signal stops it; return why it cannot serve, if so."""
    telemetry = Telemetry(settings.name)
    log, keep = _open_log(settings, telemetry)
    state = ServerState(settings.name)
    exchange = Exchange(
        state,
        telemetry,
        keep,
        keep_features=settings.log_mode == "Full",
        exclude_features=settings.log_exclude,
    )
    labels = _label_intake(settings, exchange, log)
    server = Server(_configuration(settings, exchange, labels), state, settings.drain_seconds)
    refusals: list[str] = []

    def load() -> None:
        refusal = _load(settings, exchange, log)
        if refusal:
            refusals.append(refusal)
            server.should_exit = True

    threading.Thread(target=load, name="load", daemon=True).start()
    server.run(sockets=[listener])
    if log:
        log.close(FLUSH_SECONDS)
    return refusals[0] if refusals else None


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; connections wait until the server accepts them.

    ``::`` is every address of IPv6 and IPv4, or of IPv4 alone if the kernel has no IPv6.

    Raises:
        ListenError: the port is in use, or the machine does not have the address.
    """
    if host == EVERY_ADDRESS and not socket.has_dualstack_ipv6():
        host = "0.0.0.0"  # noqa: S104 - the operator chose every address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server(
            (host, port), family=family, backlog=2048, dualstack_ipv6=host == EVERY_ADDRESS
        )
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # what follows repeats the address
        raise ListenError(
            f"cannot listen on {host} port {port} ({reason}): stop the program that uses it, or"
            " choose another with --port or --host"
        ) from error
    _log.info("listening", host=host, port=listener.getsockname()[1])
    return listener


def _open_log(
    settings: Settings, telemetry: Telemetry
) -> tuple[PredictionLog | None, KeepBatch | None]:
    """Return the prediction log and what takes a batch; neither where predictions are not logged.

    Without a usable spool there is no log, but the server serves, and counts what is dropped.
    """
    if settings.database_url is None or settings.log_mode == "Disabled":
        return None, None
    try:
        spool = Spool(settings.spool_folder, max_bytes=settings.spool_max_bytes)
    except SpoolUnusable as error:
        _log.error("prediction_log_unusable", reason=str(error))
        dropped = telemetry.dropped.labels("spool_failed")
        return None, lambda batch: dropped.inc(batch.count)
    store = PredictionStore(settings.database_url.get_secret_value(), telemetry.connections)
    log = PredictionLog(
        settings.namespace,
        settings.name,
        spool,
        store,
        telemetry,
        retention_days=settings.log_retention_days,
    )
    return log, log.put


def _label_intake(
    settings: Settings, exchange: Exchange, log: PredictionLog | None
) -> LabelIntake | None:
    """Return what takes labels; None where predictions are not logged."""
    if settings.database_url is None or settings.log_mode == "Disabled":
        return None
    return LabelIntake(
        exchange.state,
        exchange.telemetry,
        namespace=settings.namespace,
        keep=log.keep if log else _no_spool,
        find=PredictionLookup(
            settings.database_url.get_secret_value(),
            namespace=settings.namespace,
            model=settings.name,
        ),
    )


def _no_spool(rows: Rows) -> None:
    raise SpoolUnusable(f"there is no spool for {rows.count} labels")


def refuse(settings: Settings, sentence: str) -> int:
    """Report why the server cannot serve; return the exit code."""
    _log.error("not_serving", reason=sentence)
    if settings.termination_log.is_file():
        try:
            settings.termination_log.write_text(f"{sentence}\n")
        except OSError as error:
            _log.warning("termination_log_failed", reason=str(error))
    return EXIT_REFUSED


def _configuration(
    settings: Settings, exchange: Exchange, labels: LabelIntake | None
) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings, exchange, labels),
        loop="uvloop",
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )


def _load(settings: Settings, exchange: Exchange, log: PredictionLog | None) -> str | None:
    """Load the model, then start the log; return why not, in one sentence."""
    started = time.monotonic()
    try:
        model = load_model(settings.bundle, settings.digest, version=settings.version)
        exchange.start(model)
    except (BundleError, StorageError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a server without a model must exit on every error
        return f"{settings.bundle}: {type(error).__name__}: {error}"
    _start_log(log)
    seconds = round(time.monotonic() - started, 3)
    _log.info("ready", model=settings.name, version=model.version, seconds=seconds)
    return None


def _start_log(log: PredictionLog | None) -> None:
    """Start the log; a server whose log does not start serves, and drops what fills its queue."""
    try:
        if log:
            log.start()
    except Exception:  # noqa: BLE001 - no error of the log may prevent serving
        _log.exception("prediction_log_unusable")


if __name__ == "__main__":
    main()
