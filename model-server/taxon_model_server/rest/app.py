"""The server as an ASGI application: its routes, its errors and what surrounds them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from taxon_model_server.exchange import Exchange
from taxon_model_server.labels.intake import LabelIntake
from taxon_model_server.memory import MemoryBudget, free_memory, request_memory
from taxon_model_server.rest.access import SWAGGER_PATH, Counted
from taxon_model_server.rest.bodies import Intake
from taxon_model_server.rest.failures import add_handlers
from taxon_model_server.rest.labels import label_memory, label_routes
from taxon_model_server.rest.openapi import api_description
from taxon_model_server.rest.plain import plain_routes
from taxon_model_server.rest.rate_limit import RateLimit
from taxon_model_server.rest.transport import Endpoint
from taxon_model_server.rest.v2 import v2_routes
from taxon_model_server.settings import Settings
from taxon_model_server.state import ServerState


class Api(FastAPI):
    """FastAPI with the description of the model that is loaded, and routes outside it."""

    def __init__(self, state: ServerState) -> None:
        super().__init__(
            docs_url=None,
            redoc_url=None,
            swagger_ui_oauth2_redirect_url=None,
            redirect_slashes=False,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # tenth of a request
        )
        self._state = state

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return api_description(self._state)


def create_app(
    settings: Settings, exchange: Exchange, labels: LabelIntake | None = None
) -> ASGIApp:
    """Return the application that answers with ``exchange``, and takes labels where it can."""

    def need(size: int) -> int:
        model = exchange.state.model
        return request_memory(
            size,
            features=len(model.features),
            classes=len(model.classifier.classes),
            max_rows=settings.max_rows,
            categories=model.codec.has_categories,
        )

    limit = RateLimit(settings.rate_limit) if settings.rate_limit else None
    intake = Intake(max_bytes=settings.max_body_bytes, rate_limit=limit, need=need)
    of_labels = Intake(max_bytes=settings.max_body_bytes, rate_limit=limit, need=label_memory)
    budget = MemoryBudget(free_memory)
    api = Api(exchange.state)
    api.router.routes[:0] = [
        *v2_routes(exchange, intake, budget, max_rows=settings.max_rows),
        *plain_routes(exchange, intake, budget, settings),
        *label_routes(exchange.state, of_labels, budget, labels),
        Endpoint("/docs", _docs),
        Mount(SWAGGER_PATH, StaticFiles(packages=[("fastapi_swagger", "resources")])),
    ]
    add_handlers(api)
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
        )
    api.add_middleware(Counted, exchange=exchange, access_log=settings.access_log)
    return api


async def _docs(_: Request) -> Response:
    """Answer the page that shows the description."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Taxon",
        swagger_js_url=f"{SWAGGER_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{SWAGGER_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{SWAGGER_PATH}/favicon-32x32.png",
        swagger_ui_parameters={"tryItOutEnabled": True, "displayRequestDuration": True},
    )
