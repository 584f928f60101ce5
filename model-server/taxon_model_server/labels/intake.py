"""Taking labels: each is judged by itself, and all that are not refused are kept on disk."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog

from taxon_datastore.prediction_names import KnownPredictions, time_of
from taxon_datastore.rows import Rows
from taxon_model_server.errors import NotKept
from taxon_model_server.labels.items import (
    Classes,
    Observation,
    Unfit,
    read_item,
    read_items,
)
from taxon_model_server.labels.lookup import BoundedLookup, Find
from taxon_model_server.labels.rows import label_rows
from taxon_model_server.protocol.json_text import Content
from taxon_model_server.state import ServerState
from taxon_model_server.telemetry import Telemetry

Outcome = Literal["accepted", "pending", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("accepted", "pending", "refused")
KeepRows = Callable[[Rows], object]
"""Returns once rows are on disk; raises where they cannot be."""

RECENT = timedelta(hours=24)
"""How long a prediction may take to the database, before an unknown id counts as wrong."""
AWAIT_THE_LOG = "the log does not have its prediction yet: the label counts once it has"
RETRY_SECONDS = 5
THREADS = 2

_log = structlog.get_logger("taxon_model_server")


@dataclass(frozen=True)
class Judged:
    """What became of an item; ``prediction`` is the one it is stored under, if one is known."""

    outcome: Outcome
    reason: str | None = None
    prediction: UUID | None = None


class LabelIntake:
    """Takes labels of the model that is served."""

    def __init__(
        self,
        state: ServerState,
        telemetry: Telemetry,
        *,
        namespace: str,
        keep: KeepRows,
        find: Find,
    ) -> None:
        self._state = state
        self._telemetry = telemetry
        self._namespace = namespace
        self._keep = keep
        self._lookup = BoundedLookup(find)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="labels")

    async def take(self, body: Content) -> list[Judged]:
        """Return what became of each item of a request; what is not refused is on disk.

        Raises:
            InvalidInput: it is not what a request must be.
            TooLarge: it has too many items.
            NotLoaded: no model is loaded yet.
            NotKept: the labels cannot be written to disk now.
        """
        loop = asyncio.get_running_loop()
        model, now = self._state.model, datetime.now(UTC)
        classes = Classes(model.classifier.classes)
        read = await loop.run_in_executor(self._pool, _read, body, classes, now)
        seen = [one for one in read if isinstance(one, Observation)]
        known = await self._lookup.known(
            [one.prediction_id for one in seen if one.prediction_id],
            [one.request_id for one in seen if one.request_id],
        )
        judged = [
            judge(one, known, self._state.name, now)
            if isinstance(one, Observation)
            else Judged("refused", one)
            for one in read
        ]
        kept = [
            (one, verdict.prediction)
            for one, verdict in zip(read, judged, strict=True)
            if isinstance(one, Observation) and verdict.outcome != "refused"
        ]
        if kept:
            await loop.run_in_executor(self._pool, self._write, kept, now)
        self._telemetry.labelled(model.version, Counter(one.outcome for one in judged))
        return judged

    def _write(self, kept: Sequence[tuple[Observation, UUID | None]], now: datetime) -> None:
        try:
            self._keep(label_rows(self._namespace, self._state.name, kept, now))
        except Exception as error:
            _log.warning("labels_not_kept", rows=len(kept), exc_info=True)
            raise NotKept(
                f"the labels cannot be written to the server's spool now: try again in"
                f" {RETRY_SECONDS} s",
                RETRY_SECONDS,
            ) from error


def judge(seen: Observation, known: KnownPredictions | None, model: str, now: datetime) -> Judged:
    """Return what becomes of an observation, given what is known: None while the log is away."""
    if known is None:
        reason = "the log cannot be asked now: the label counts if it has the prediction"
        return Judged("pending", reason, seen.prediction_id)
    if seen.request_id is not None:
        return _judge_request(seen.request_id, known)
    assert seen.prediction_id is not None  # noqa: S101 - an observation has one of the two
    of = known.models.get(seen.prediction_id)
    if of == model:
        return Judged("accepted", None, seen.prediction_id)
    if of is not None:
        return Judged("refused", f"the prediction is of model {of!r}: send its label there")
    if time_of(seen.prediction_id) < now - RECENT:
        return Judged("refused", f"the log has no prediction {seen.prediction_id}")
    return Judged("pending", AWAIT_THE_LOG, seen.prediction_id)


def _judge_request(request_id: str, known: KnownPredictions) -> Judged:
    answers = known.requests.get(request_id)
    if answers is None:
        return Judged("pending", AWAIT_THE_LOG)
    if answers.count > 1:
        return Judged(
            "refused",
            f"request {request_id!r} has {answers.count} predictions: label them by prediction_id",
        )
    return Judged("accepted", None, answers.one)


def _read(body: Content, classes: Classes, now: datetime) -> list[Observation | str]:
    """Return each item of a request, or the sentence why it is none."""
    return [_read_one(item, classes, now) for item in read_items(body)]


def _read_one(item: object, classes: Classes, now: datetime) -> Observation | str:
    try:
        return read_item(item, classes, now)
    except Unfit as error:
        return str(error)
