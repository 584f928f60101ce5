"""One request for predictions, for every transport.

The only place where predictions are timed, counted and logged, and where failures become errors a
transport can translate. A transport brings a ``Call``: how to read its request and write its
response.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from taxon_bundle.codec import BadRow, Encoded
from taxon_model_server.errors import InvalidInput, RequestError, TooLarge
from taxon_model_server.loader import Model
from taxon_model_server.prediction_log.batches import Batch, LoggedVersion
from taxon_model_server.prediction_log.ids import id_texts, prediction_ids
from taxon_model_server.state import ServerState
from taxon_model_server.telemetry import Telemetry
from taxon_model_server.unseen import Warned, kept, warnings_of
from taxon_model_server.workers import Workers

REQUEST_ID_CHARACTERS = 256
"""How much of a client's own id the log keeps."""

TRANSPORT = "http"
"""How every request comes today; the log keeps it."""

_log = structlog.get_logger("taxon_model_server")

Written = TypeVar("Written")
Written_co = TypeVar("Written_co", covariant=True)


@dataclass(frozen=True)
class Asked:
    """A request that was read: rows for the classifier.

    ``request_id`` is the id inside the request, None where it has none.
    """

    encoded: Encoded
    request_id: str | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to some rows; ``ids`` is empty if nothing is logged.

    ``labels`` has one class per row, ``confidence`` its probability, ``probabilities`` is an array
    [rows, classes], ``warnings`` has the first sentences about rows by their position.
    """

    model: Model
    labels: Sequence[str] | Sequence[int]
    confidence: list[float]
    probabilities: NDArray[np.float64]
    ids: list[str]
    warnings: Sequence[Warned] = ()


class Call(Protocol[Written_co]):
    """One request in the form of its transport."""

    def read(self, model: Model) -> Asked:
        """Return the rows to predict.

        Raises:
            RequestError: the request does not fit the model.
        """

    def write(self, answer: Answer) -> Written_co:
        """Return the answer in the transport's form."""

    def refuse(self, bad: BadRow) -> RequestError:
        """Return the error for a value that the classifier refuses."""


Health = Literal["healthy", "loading", "draining", "unhealthy"]
"""``unhealthy``: a model is loaded, but the threads that answer large requests hang."""
KeepBatch = Callable[[Batch], object]
"""Takes the predictions of one request, without waiting."""


class Exchange:
    """Answers calls with the model of ``state``."""

    def __init__(
        self,
        state: ServerState,
        telemetry: Telemetry,
        log: KeepBatch | None = None,
        *,
        keep_features: bool = True,
        exclude_features: Collection[str] = (),
    ) -> None:
        """Take where predictions are logged, None for nowhere, and which features with them."""
        self.state = state
        self.telemetry = telemetry
        self._log = log
        self._keep_features = keep_features
        self._exclude_features = frozenset(exclude_features)
        self._workers = Workers()

    def start(self, model: Model) -> None:
        """Count from zero for a model and answer with it from now on."""
        self.telemetry.loaded(
            model.version,
            model.classifier.classes,
            model.importances,
            categorical=[
                one.name
                for one in model.codec.features
                if one.type == "Categorical" and not one.dropped
            ],
        )
        self._logged = LoggedVersion(
            model.version, model.codec, model.classifier.classes, self._exclude_features
        )
        unknown = sorted(self._exclude_features - {*model.codec.names})
        if unknown and self._keep_features:
            self._keep_features = False
            _log.warning(
                "features_not_logged",
                reason=f"excludeFeatures has {', '.join(map(repr, unknown))}, which version"
                f" {model.version} has no feature for: correct spec.serving.predictionLog",
            )
        self.state.serve(model)

    @property
    def threads(self) -> int:
        """Return how many large requests are answered at a time."""
        return self._workers.threads

    async def health(self) -> Health:
        """Return what keeps requests from being sent here, else ``healthy``."""
        phase = self.state.phase
        if phase != "ready":
            return phase
        return "healthy" if await self._workers.respond() else "unhealthy"

    async def answer(self, call: Call[Written], *, request_id: str | None, size: int) -> Written:
        """Answer a request that has arrived in full.

        Args:
            call: how its transport reads and writes it.
            request_id: what the client calls it outside the request itself.
            size: its bytes.

        Raises:
            RequestError: it gets no answer.
        """
        return await self._workers.run(
            partial(self._answer, call, request_id, time.perf_counter()), size=size
        )

    def _answer(self, call: Call[Written], request_id: str | None, started: float) -> Written:
        try:
            model = self.state.model
            asked = _read(call, model)
            request_id = asked.request_id or request_id
            answer = self._predict(model, asked.encoded, request_id, started)
        except BadRow as error:
            self._refused(request_id, started)
            raise call.refuse(error) from error
        except Exception:
            self._refused(request_id, started)
            raise
        return call.write(answer)

    def _predict(
        self, model: Model, encoded: Encoded, request_id: str | None, started: float
    ) -> Answer:
        """Answer rows, count them and log them."""
        classifier = model.classifier
        probabilities = classifier.probabilities(encoded.rows)
        chosen = classifier.labels(probabilities)
        places = np.arange(len(chosen))
        confidence = probabilities[places, chosen].tolist()
        classes: Sequence[Any] = classifier.classes
        labels = [classes[index] for index in chosen.tolist()]
        seconds = time.perf_counter() - started
        self.telemetry.predicted(labels, confidence, seconds)
        warnings = self._unseen(model, encoded) if encoded.unseen else ()
        ids = self._keep(
            len(labels),
            request_id,
            seconds,
            inputs=encoded if self._keep_features else None,
            chosen=chosen,
            probabilities=probabilities,
        )
        return Answer(model, labels, confidence, probabilities, ids, warnings)

    def _unseen(self, model: Model, encoded: Encoded) -> Sequence[Warned]:
        """Count the categories no training row had, where they matter; return their warnings."""
        unseen = kept(model.codec, encoded.unseen)
        for feature, texts in unseen.items():
            self.telemetry.unseen(feature, len(texts))
        return warnings_of(unseen)

    def _refused(self, request_id: str | None, started: float) -> None:
        """Log a request for predictions that gets none."""
        if self.state.loaded:
            self._keep(1, request_id, time.perf_counter() - started)

    def _keep(self, count: int, request_id: str | None, seconds: float, **arrays: Any) -> list[str]:
        """Log a request; return the ids of its predictions, none where nothing is logged."""
        if self._log is None:
            return []
        ids = prediction_ids(count)
        batch = Batch(
            ids=ids,
            of=self._logged,
            time=time.time(),
            latency_seconds=seconds,
            request_id=request_id and request_id[:REQUEST_ID_CHARACTERS],
            transport=TRANSPORT,
            **arrays,
        )
        try:
            self._log(batch)
        except Exception:  # noqa: BLE001 - no error of the log may fail an answer
            self.telemetry.dropped.labels("log_failed").inc(count)
            _log.warning("prediction_not_logged", exc_info=True)
        return id_texts(ids)


def _read(call: Call[Any], model: Model) -> Asked:
    """Return the rows of a request. Every error here is the client's mistake.

    Raises:
        RequestError: it cannot be read.
    """
    try:
        return call.read(model)
    except RequestError:
        raise
    except MemoryError as error:
        raise TooLarge(
            "the request needs more memory than the server has: send fewer rows"
        ) from error
    except Exception as error:
        _log.warning("unreadable_request", exc_info=True)
        raise InvalidInput("the request cannot be read: correct its body") from error
