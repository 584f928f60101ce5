"""`taxon-controller`: reconciles every ClassifierModel until it is stopped."""

import logging
import signal
import sys
import threading

from taxon_contracts import logs
from taxon_controller.loop.controller import Controller
from taxon_controller.loop.handlers import login
from taxon_controller.settings import Settings
from taxon_kube.client import load_configuration

logger = logging.getLogger(__name__)

NOISY = ("kopf", "aiohttp", "urllib3")
"""Libraries whose messages are logged only from warnings on."""


def main() -> None:
    """Run the command; exit 0 when stopped, 1 when the process has to start again."""
    settings = Settings()
    logs.configure()
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        Controller(settings, load_configuration(), login, stop).run()
    except Exception:
        logger.exception("The controller stops")
        sys.exit(1)


if __name__ == "__main__":
    main()
