"""What the server knows and answers, apart from any transport."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from taxon_bundle.bundle import Bundle, BundleError, open_bundle, verify
from taxon_bundle.classifier import Classifier, Rows, check_golden
from taxon_contracts.manifest import GOLDEN_NAME, MANIFEST_NAME, METRICS_NAME
from taxon_model_server.errors import NotLoaded, UnknownModel
from taxon_model_server.identifiers import prediction_ids
from taxon_model_server.prediction_log import Batch, PredictionLog
from taxon_model_server.settings import Settings
from taxon_model_server.telemetry import Telemetry

REQUEST_ID_CHARACTERS = 256
"""What the log keeps of a client's own id."""


@dataclass(frozen=True)
class Model:
    """A bundle that was verified, loaded and has answered its golden rows.

    ``example`` is one of these rows, in the order of the features.
    """

    classifier: Classifier
    digest: str
    metrics: list[dict[str, Any]]
    example: list[float]

    @cached_property
    def version(self) -> str:
        """Return the version's id."""
        return self.classifier.manifest.version

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Return every input's name in order, dropped ones included."""
        return self.classifier.features

    @cached_property
    def classes_json(self) -> str:
        """Return the classes as the JSON text V2 parameters carry, which hold no lists."""
        return json.dumps(self.classifier.classes, ensure_ascii=False)


@dataclass(frozen=True)
class Answer:
    """The answer to some rows; ``ids`` is empty where nothing is logged.

    ``labels`` has one class per row, ``confidence`` its probability, ``probabilities`` is an array
    [rows, classes].
    """

    model: Model
    labels: Sequence[str] | Sequence[int]
    confidence: list[float]
    probabilities: NDArray[np.float64]
    ids: list[UUID]


class DataPlane:
    """One model: loading it, whether it is ready, and its predictions."""

    def __init__(
        self, settings: Settings, telemetry: Telemetry, log: PredictionLog | None = None
    ) -> None:
        self.settings = settings
        self.telemetry = telemetry
        self.draining = False
        self._log = log
        self._keeps_features = settings.log_mode == "Full"
        self._model: Model | None = None

    @property
    def name(self) -> str:
        """Return what clients call the model."""
        return self.settings.name

    @property
    def version(self) -> str:
        """Return the loaded version's id; empty while none is loaded."""
        return self._model.version if self._model else ""

    @property
    def state(self) -> Literal["loading", "ready", "draining"]:
        """Tell what the server is doing."""
        if self.draining:
            return "draining"
        return "loading" if self._model is None else "ready"

    @property
    def ready(self) -> bool:
        """Tell whether requests should be sent here."""
        return self.state == "ready"

    @property
    def loaded(self) -> Model | None:
        """Return the model, None while it is being loaded."""
        return self._model

    @property
    def model(self) -> Model:
        """Return the loaded model.

        Raises:
            NotLoaded: there is none yet.
        """
        if self._model is None:
            raise NotLoaded(f"model {self.name!r} is not loaded yet: try again shortly")
        return self._model

    def load(self) -> None:
        """Verify the bundle, load it, and see that it answers its golden rows.

        Raises:
            BundleError: it is not the bundle that was asked for, or not whole.
            StorageError: storage did not give it.
        """
        bundle = open_bundle(self.settings.bundle, self.settings.digest)
        verify(bundle)
        self._is_asked_for(bundle)
        classifier = Classifier.load(bundle)
        golden = bundle.read(GOLDEN_NAME)
        check_golden(classifier, golden)
        figures = json.loads(bundle.read(METRICS_NAME))
        model = Model(
            classifier,
            bundle.digest,
            metrics=figures["metrics"],
            example=json.loads(golden)["rows"][0],
        )
        self.telemetry.loaded(model.version, classifier.classes, figures["importances"])
        self._model = model

    def _is_asked_for(self, bundle: Bundle) -> None:
        asked = self.settings.version
        if asked and asked != bundle.manifest.version:
            raise BundleError(
                MANIFEST_NAME,
                f"{bundle.uri} holds version {bundle.manifest.version}, asked for is {asked}:"
                " name the bundle of that version, or leave the version out",
            )

    def named(self, name: str, version: str | None = None) -> None:
        """See that a client means the model that is here.

        Raises:
            UnknownModel: it does not.
        """
        if name != self.name:
            raise UnknownModel(f"model {name!r} is not here: this server has {self.name!r}")
        if version is not None and self._model is not None and version != self.version:
            raise UnknownModel(
                f"version {version!r} of model {name!r} is not here: this server has"
                f" {self.version!r}"
            )

    def predict(self, rows: Rows, request_id: str | None, started: float) -> Answer:
        """Answer rows, shape [rows, features], count and log the predictions.

        Args:
            rows: float64, every feature of the signature in its order.
            request_id: what the client calls the request.
            started: ``time.perf_counter()`` when the request was complete.

        Raises:
            BadRow: a value is not one the classifier takes.
            NotLoaded: no model is loaded.
        """
        model = self.model
        classifier = model.classifier
        probabilities = classifier.probabilities(rows)
        chosen = classifier.labels(probabilities)
        places = np.arange(len(chosen))
        confidence = probabilities[places, chosen].tolist()
        classes: Sequence[Any] = classifier.classes
        labels = [classes[index] for index in chosen.tolist()]
        seconds = time.perf_counter() - started
        self.telemetry.predicted(labels, confidence, seconds)
        ids = self._keep(
            len(rows),
            request_id,
            seconds,
            rows=rows if self._keeps_features else None,
            labels=labels,
            probabilities=probabilities,
            confidence=confidence,
        )
        return Answer(model, labels, confidence, probabilities, ids)

    def refused(self, request_id: str | None, started: float) -> None:
        """Log a request for a prediction that got none."""
        if self._model:
            self._keep(1, request_id, time.perf_counter() - started)

    def _keep(
        self, count: int, request_id: str | None, seconds: float, **arrays: Any
    ) -> list[UUID]:
        """Log a request; return the ids of its predictions, none where nothing is logged."""
        if self._log is None:
            return []
        ids = prediction_ids(count)
        batch = Batch(
            ids=ids,
            version=self.version,
            time=time.time(),
            request_id=request_id and request_id[:REQUEST_ID_CHARACTERS],
            latency_seconds=seconds,
            **arrays,
        )
        self._log.put(batch)
        return ids
