"""Plain endpoints for people and existing clients: features by name in, one answer out."""

import time

from prometheus_client.exposition import choose_encoder
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from taxon_bundle.classifier import BadRow
from taxon_model_server.dataplane import DataPlane
from taxon_model_server.errors import InvalidFields, Problem, RequestError
from taxon_model_server.plain_rows import MANY_ROWS, ONE_ROW, Form
from taxon_model_server.transport import Endpoint, Intake


def plain_routes(plane: DataPlane, intake: Intake) -> list[BaseRoute]:
    """Return the route table."""
    endpoints = PlainEndpoints(plane, intake)
    return [
        Endpoint("/predict", endpoints.predict, methods=["POST"]),
        Endpoint("/predict-batch", endpoints.predict_batch, methods=["POST"]),
        Endpoint("/health", endpoints.health),
        Endpoint("/info", endpoints.info),
        Endpoint("/metrics", endpoints.metrics),
    ]


class PlainEndpoints:
    """What a person calls by hand."""

    def __init__(self, plane: DataPlane, intake: Intake) -> None:
        self._plane = plane
        self._intake = intake

    async def predict(self, request: Request) -> Response:
        """Answer one row."""
        return await self._predicted(request, ONE_ROW)

    async def predict_batch(self, request: Request) -> Response:
        """Answer several rows."""
        return await self._predicted(request, MANY_ROWS)

    async def health(self, _: Request) -> Response:
        """Tell whether requests should be sent here."""
        plane = self._plane
        return JSONResponse(
            {"status": plane.state, "model": plane.name, "version": plane.version or None},
            200 if plane.ready else 503,
        )

    async def info(self, _: Request) -> Response:
        """Tell what the model is."""
        plane, model = self._plane, self._plane.model
        manifest = model.classifier.manifest
        return JSONResponse(
            {
                "model": plane.name,
                "namespace": plane.settings.namespace,
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
            encode(self._plane.telemetry.registry), headers={"content-type": content_type}
        )

    async def _predicted(self, request: Request, form: Form) -> Response:
        plane = self._plane
        body = await self._intake.body(request)
        started = time.perf_counter()
        request_id = request.headers.get("x-request-id")

        def answer() -> bytes:
            try:
                rows = form.read(body, plane.model.features, plane.settings.max_rows)
                return to_json(form.write(plane.predict(rows, request_id, started), plane.name))
            except BadRow as error:
                plane.refused(request_id, started)
                path = form.path(error.row, error.feature)
                problem = Problem(path, f"it {error.reason}", "finite_number")
                raise InvalidFields([problem]) from error
            except RequestError:
                plane.refused(request_id, started)
                raise

        content = await self._intake.answer(answer, body_bytes=len(body))
        return Response(content, media_type="application/json")
