"""The rate limit of prediction requests per client."""

import math
import time

from taxon_model_server.errors import TooManyRequests


class RateLimit:
    """Counts each client's requests of the present second, minute, hour or day."""

    def __init__(self, rule: str) -> None:
        """Take a rule like ``100/second``."""
        from limits import parse  # noqa: PLC0415 - only servers with a limit pay for it
        from limits.storage import MemoryStorage  # noqa: PLC0415
        from limits.strategies import FixedWindowRateLimiter  # noqa: PLC0415

        self._rule = parse(rule)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def check(self, client: str) -> None:
        """Count one request.

        Raises:
            TooManyRequests: the client is over the limit; with the seconds to wait.
        """
        if self._limiter.hit(self._rule, client):
            return
        left = self._limiter.get_window_stats(self._rule, client).reset_time - time.time()
        seconds = max(1, math.ceil(left))
        raise TooManyRequests(
            f"{client} is over the limit of {self._rule}: try again in {seconds} s", seconds
        )
