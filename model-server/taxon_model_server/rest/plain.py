"""Plain endpoints: features by name in, one answer out."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from taxon_model_server.exchange import Exchange
from taxon_model_server.memory import MemoryBudget
from taxon_model_server.rest.bodies import Intake
from taxon_model_server.rest.features import described
from taxon_model_server.rest.metrics_format import choose_format
from taxon_model_server.rest.plain_rows import BatchCall, RowCall
from taxon_model_server.rest.transport import Endpoint, PredictionEndpoint, json_response
from taxon_model_server.settings import Settings


def plain_routes(
    exchange: Exchange, intake: Intake, budget: MemoryBudget, settings: Settings
) -> list[BaseRoute]:
    """Return the route table."""
    endpoints = PlainEndpoints(exchange, intake, settings)
    return [
        PredictionEndpoint("/predict", endpoints.predict, budget),
        PredictionEndpoint("/predict-batch", endpoints.predict_batch, budget),
        Endpoint("/health", endpoints.health),
        Endpoint("/info", endpoints.info),
        Endpoint("/metrics", endpoints.metrics),
    ]


class PlainEndpoints:
    """What a person calls by hand."""

    def __init__(self, exchange: Exchange, intake: Intake, settings: Settings) -> None:
        self._exchange = exchange
        self._state = exchange.state
        self._intake = intake
        self._settings = settings

    async def predict(self, request: Request) -> Response:
        """Answer one row."""
        body = await self._intake.body(request)
        return await self._answer(request, RowCall(self._state.name, body))

    async def predict_batch(self, request: Request) -> Response:
        """Answer several rows."""
        body = await self._intake.body(request)
        call = BatchCall(self._state.name, body, self._settings.max_rows)
        return await self._answer(request, call)

    async def health(self, _: Request) -> Response:
        """Report whether requests should be sent here."""
        state = self._state
        health = await self._exchange.health()
        return JSONResponse(
            {
                "status": health,
                "model_loaded": state.loaded is not None,
                "model": state.name,
                "version": state.version or None,
                "timestamp": datetime.now(UTC).isoformat(),
            },
            200 if health == "healthy" else 503,
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
                "features": [described(feature) for feature in manifest.features],
                "metrics": model.metrics,
                "manifest_digest": model.digest,
                "dataset_digest": manifest.dataset_digest,
                "libraries": manifest.libraries,
            }
        )

    async def metrics(self, request: Request) -> Response:
        """Return the metrics for Prometheus."""
        accept = ",".join(request.headers.getlist("accept"))
        encode, content_type = choose_format(accept)
        return Response(
            encode(self._exchange.telemetry.registry), headers={"content-type": content_type}
        )

    async def _answer(self, request: Request, call: RowCall | BatchCall) -> Response:
        pieces = await self._exchange.answer(
            call, request_id=request.headers.get("x-request-id"), size=len(call.body)
        )
        return json_response(pieces)
