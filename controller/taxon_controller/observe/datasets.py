"""Asks the monitor which versions data sets have; a changed answer makes their models due.

Each data set is asked for once per interval, however many models follow it. The last good answer
is kept: a monitor that is away changes nothing.
"""

import asyncio
import json
import logging
import random
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from taxon_contracts.datasets import DATASET_VERSION_MAX
from taxon_controller.observe.asker import Asker
from taxon_controller.observe.exchange import BadAnswer, authorities, get, why_none
from taxon_controller.observe.observed import Newest
from taxon_controller.observe.prober import Key

logger = logging.getLogger(__name__)

Dataset = tuple[str, str]
"""Namespace and name of a data set."""
Ask = Callable[[Dataset], Awaitable[Newest]]

AT_A_TIME = 8
"""Requests to the monitor at a time; more are queued."""
EVERY_SECONDS = 30.0
"""Shortest pause between two requests for one data set."""
JITTER = 1.2
SECONDS = 10.0
"""Timeout of one request in total."""
MOST_BYTES = 4 * 1024 * 1024


@dataclass(eq=False)
class _Followed:
    """What is known about one data set, and which models follow it."""

    dataset: Dataset
    asks: Ask
    every: float
    models: set[Key] = field(default_factory=set)
    newest: Newest | None = None
    away: bool = False

    async def ask(self) -> bool:
        """Ask once; an answer that says nothing does not replace a good one."""
        answer = await self.asks(self.dataset)
        self._note(answer)
        if answer.why and self.newest is not None and not self.newest.why:
            return False
        changed, self.newest = answer != self.newest, answer
        return changed

    def pause(self) -> float:
        """Return the seconds until the next request; the jitter spreads them."""
        return self.every * random.uniform(1.0, JITTER)  # noqa: S311 - jitter, not a secret

    def is_wanted(self) -> bool:
        """Return whether a model follows it."""
        return bool(self.models)

    def _note(self, answer: Newest) -> None:
        """Log the first answer that says nothing, and the first that does again."""
        fields = {"dataset": "/".join(self.dataset)}
        if answer.why and not self.away:
            logger.warning("Versions of a data set stay as before: %s", answer.why, extra=fields)
        if self.away and not answer.why:
            logger.info("The monitor answers again", extra=fields)
        self.away = bool(answer.why)


class Datasets:
    """Asks for the newest versions of the data sets that models follow, in the thread that runs it.

    Args:
        changed: called with each model whose data set has another newest version.
        ask: sends one request in bounded time and never raises.
        every: seconds between two requests for one data set.
    """

    def __init__(
        self, changed: Callable[[Key], None], ask: Ask, *, every: float = EVERY_SECONDS
    ) -> None:
        self._changed, self._ask, self._every = changed, ask, every
        self._asker: Asker[Dataset, _Followed] = Asker(self._tell, AT_A_TIME)
        self._follows: dict[Key, Dataset] = {}

    def newest(self, model: Key, name: str) -> Newest | None:
        """Return the last good answer about a model's data set, or None before the first answer.

        Args:
            model: the model, which follows this data set from now on and no other.
            name: the data set of the model's namespace.
        """
        dataset = (model[0], name)
        with self._asker.lock:
            if self._follows.get(model) != dataset:
                self.forget(model)
            followed = self._asker.get(dataset)
            if followed is None:
                followed = _Followed(dataset, self._ask, self._every, {model})
                self._asker.put(dataset, followed)
            self._follows[model] = dataset
            followed.models.add(model)
            return followed.newest

    def forget(self, model: Key) -> None:
        """Note that a model follows no data set; one that nobody follows is asked for no more."""
        with self._asker.lock:
            followed = self._asker.get(self._follows.pop(model, ("", "")))
            if followed is not None:
                followed.models.discard(model)

    def run(self, stop: threading.Event) -> None:
        """Ask until stopped."""
        self._asker.run(stop)

    def _tell(self, dataset: Dataset) -> None:
        with self._asker.lock:
            followed = self._asker.get(dataset)
            models = tuple(followed.models) if followed is not None else ()
        for model in models:
            self._changed(model)


def monitor_at(base: str) -> Ask:
    """Return what asks the monitor with this base URL."""
    return partial(answer_of, base.rstrip("/"))


async def answer_of(
    base: str,
    dataset: Dataset,
    *,
    seconds: float = SECONDS,
    trust: Callable[[], ssl.SSLContext] = authorities,
) -> Newest:
    """Ask the monitor once for the newest version of a data set."""
    namespace, name = dataset
    url = f"{base}/v1/namespaces/{namespace}/datasets/{name}"
    try:
        async with asyncio.timeout(seconds):
            return Newest(newest_of(await get(url, trust=trust(), most_bytes=MOST_BYTES)))
    except BadAnswer as error:
        return Newest(None, f"the monitor {error}")
    except Exception as error:  # noqa: BLE001 - every error that an unknown server causes becomes a sentence
        return Newest(None, why_none("the monitor", error, seconds=seconds))


def newest_of(content: bytes) -> int | None:
    """Return the newest version in the monitor's answer, or None if there are no versions.

    A version that cannot be read is left out.

    Raises:
        BadAnswer: it is not an answer, or none of its versions can be read.
    """
    try:
        stated = json.loads(content)["versions"]
    except (ValueError, KeyError, TypeError, RecursionError):
        stated = None
    if not isinstance(stated, list):
        raise BadAnswer("did not return the versions of a data set")
    known = [version for one in stated if (version := _version(one)) is not None]
    if stated and not known:
        raise BadAnswer("returned versions of a data set that cannot be read")
    return max(known, default=None)


def _version(stated: object) -> int | None:
    """Return the number of a version, which is all that is needed of it."""
    version = stated.get("version") if isinstance(stated, dict) else None
    readable = isinstance(version, int) and 1 <= version <= DATASET_VERSION_MAX
    return version if readable else None
