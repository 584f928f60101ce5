"""Waits for the API server, and for what others do, until stopped."""

import logging
import threading
from collections.abc import Callable

import tenacity

from taxon_kube.api import ApiError

logger = logging.getLogger(__name__)


def wait_until(
    holds: Callable[[], bool], stop: threading.Event, *, every: float, what: str
) -> bool:
    """Call ``holds`` until it returns True; return False if stopped first.

    Args:
        holds: the condition; an error of the API server counts as False.
        stop: ends the waiting.
        every: the longest pause in seconds; each is jittered.
        what: the condition's name in the log.
    """

    def log(state: tenacity.RetryCallState) -> None:
        outcome = state.outcome
        error = outcome.exception() if outcome is not None else None
        logger.log(logging.WARNING if error else logging.DEBUG, "Waiting for %s: %s", what, error)

    asked = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda held: not held)
        | tenacity.retry_if_exception_type(ApiError),
        wait=tenacity.wait_random(every / 2, every),
        sleep=tenacity.sleep_using_event(stop),
        stop=tenacity.stop_when_event_set(stop),
        before_sleep=log,
        retry_error_callback=lambda _: False,
    )
    return not stop.is_set() and asked(holds)
