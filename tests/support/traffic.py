"""Steady traffic in an open loop: every request at its time, whatever became of the others."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

SECONDS = 10
THREADS = 64


@dataclass(frozen=True)
class Target:
    """What is asked, and where."""

    port: int
    host: str
    path: str
    body: dict[str, Any]

    def ask(self) -> str:
        """Ask once, on a connection of its own; return the status or what failed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            headers = {"Host": self.host, "Content-Type": "application/json"}
            connection.request("POST", self.path, json.dumps(self.body), headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()
        return str(response.status)


@dataclass
class Answers:
    """How many requests were sent, how each ended, and how long the slowest took."""

    by_outcome: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    @property
    def failed(self) -> Counter[str]:
        """Return how those ended that were not answered with 200."""
        return Counter({key: count for key, count in self.by_outcome.items() if key != "200"})


@contextmanager
def traffic(target: Target, *, rate: float) -> Iterator[Answers]:
    """Send ``rate`` requests a second meanwhile, none of them twice."""
    answers, stop, lock = Answers(), threading.Event(), threading.Lock()

    def one() -> None:
        started = time.monotonic()
        outcome = target.ask()
        with lock:
            answers.by_outcome[outcome] += 1
            answers.slowest = max(answers.slowest, time.monotonic() - started)

    def send(pool: ThreadPoolExecutor) -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            pool.submit(one)
            due += 1 / rate

    with ThreadPoolExecutor(THREADS) as pool:
        sender = threading.Thread(target=send, args=(pool,))
        sender.start()
        try:
            yield answers
        finally:
            stop.set()
            sender.join()
