"""Plain endpoints for people and existing clients: features by name in, one answer out."""

from dataclasses import dataclass

from prometheus_client.exposition import choose_encoder
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from taxon_bundle.classifier import BadRow
from taxon_model_server.errors import InvalidFields, Problem
from taxon_model_server.exchange import Answer, Asked, Exchange
from taxon_model_server.loader import Model
from taxon_model_server.rest.plain_rows import MANY_ROWS, ONE_ROW, Form
from taxon_model_server.rest.transport import Endpoint, Intake
from taxon_model_server.settings import Settings


def plain_routes(exchange: Exchange, intake: Intake, settings: Settings) -> list[BaseRoute]:
    """Return the route table."""
    endpoints = PlainEndpoints(exchange, intake, settings)
    return [
        Endpoint("/predict", endpoints.predict, methods=["POST"]),
        Endpoint("/predict-batch", endpoints.predict_batch, methods=["POST"]),
        Endpoint("/health", endpoints.health),
        Endpoint("/info", endpoints.info),
        Endpoint("/metrics", endpoints.metrics),
    ]


@dataclass(frozen=True)
class PlainCall:
    """One request of features by name; the response is its body."""

    form: Form
    name: str
    body: bytes
    max_rows: int

    def read(self, model: Model) -> Asked:
        """Return the rows."""
        return Asked(self.form.read(self.body, model.features, self.max_rows))

    def write(self, answer: Answer) -> bytes:
        """Return the response's body."""
        return to_json(self.form.write(answer, self.name))

    def refuse(self, bad: BadRow) -> InvalidFields:
        """Return the error for a bad value, with its place in the request."""
        path = self.form.path(bad.row, bad.feature)
        return InvalidFields([Problem(path, f"it {bad.reason}", "finite_number")])


class PlainEndpoints:
    """What a person calls by hand."""

    def __init__(self, exchange: Exchange, intake: Intake, settings: Settings) -> None:
        self._exchange = exchange
        self._state = exchange.state
        self._intake = intake
        self._settings = settings

    async def predict(self, request: Request) -> Response:
        """Answer one row."""
        return await self._predict(request, ONE_ROW)

    async def predict_batch(self, request: Request) -> Response:
        """Answer several rows."""
        return await self._predict(request, MANY_ROWS)

    async def health(self, _: Request) -> Response:
        """Report whether requests should be sent here."""
        state = self._state
        return JSONResponse(
            {"status": state.phase, "model": state.name, "version": state.version or None},
            200 if state.ready else 503,
        )

    async def info(self, _: Request) -> Response:
        """Describe the model."""
        model = self._state.model
        manifest = model.classifier.manifest
        return JSONResponse(
            {
                "model": self._state.name,
                "namespace": self._settings.namespace,
                "version": model.version,
                "classifier": manifest.classifier,
                "classes": manifest.classes,
                "positive_class": manifest.positive_class,
                "threshold": manifest.threshold,
                "features": [feature.model_dump() for feature in manifest.features],
                "metrics": model.metrics,
                "manifest_digest": model.digest,
                "dataset_digest": manifest.dataset_digest,
                "libraries": manifest.libraries,
            }
        )

    async def metrics(self, request: Request) -> Response:
        """Return the metrics for Prometheus."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            encode(self._exchange.telemetry.registry), headers={"content-type": content_type}
        )

    async def _predict(self, request: Request, form: Form) -> Response:
        body = await self._intake.body(request)
        call = PlainCall(form, self._state.name, body, self._settings.max_rows)
        answer = self._exchange.begin(call, request.headers.get("x-request-id"))
        content = await self._intake.answer(answer, body_bytes=len(body))
        return Response(content, media_type="application/json")
