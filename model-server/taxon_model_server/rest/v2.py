"""The Open Inference Protocol (KServe V2) over HTTP."""

import json
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from taxon_bundle.codec import BadRow, Codec
from taxon_contracts.v2 import (
    INFERENCE_HEADER,
    INPUT_NAME,
    LABEL_NAME,
    PROBABILITIES_NAME,
    ModelList,
    ModelMetadata,
    RepositoryModel,
    ServerMetadata,
    TensorMetadata,
)
from taxon_model_server.errors import InvalidInput
from taxon_model_server.exchange import Answer, Asked, Exchange
from taxon_model_server.loader import Model
from taxon_model_server.memory import MemoryBudget
from taxon_model_server.protocol.datatypes import OF_FEATURES
from taxon_model_server.protocol.json_text import Content
from taxon_model_server.protocol.request import Inference, read_request
from taxon_model_server.protocol.response import label_datatype, write_response
from taxon_model_server.rest.bodies import Intake
from taxon_model_server.rest.transport import (
    Endpoint,
    PiecesResponse,
    PredictionEndpoint,
    json_response,
)

EXTENSIONS = ("binary_tensor_data", "model_repository")
MODEL_PATHS = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
LONGEST_LENGTH = 12
"""Digits of a header that counts bytes."""


def v2_routes(
    exchange: Exchange, intake: Intake, budget: MemoryBudget, *, max_rows: int
) -> list[BaseRoute]:
    """Return the protocol's route table."""
    endpoints = V2Endpoints(exchange, intake, max_rows)
    routes: list[BaseRoute] = []
    for path in MODEL_PATHS:
        routes += [
            PredictionEndpoint(f"{path}/infer", endpoints.infer, budget),
            Endpoint(f"{path}/ready", endpoints.model_ready),
            Endpoint(path, endpoints.model_metadata),
        ]
    return [
        *routes,
        Endpoint("/v2", endpoints.server_metadata),
        Endpoint("/v2/models", endpoints.models),
        Endpoint("/v2/health/live", endpoints.live),
        Endpoint("/v2/health/ready", endpoints.ready),
        Endpoint("/v2/repository/index", endpoints.repository_index, methods=["GET", "POST"]),
    ]


@dataclass
class InferCall:
    """One inference request; the response is its body and, if not all of it, its JSON's length."""

    name: str
    body: Content
    header: str | None
    max_rows: int
    _inference: Inference = field(init=False)

    def read(self, model: Model) -> Asked:
        """Return the rows."""
        self._inference = read_request(
            self.body, _header_length(self.header), model.codec, max_rows=self.max_rows
        )
        return Asked(self._inference.encoded, self._inference.identifier)

    def write(self, answer: Answer) -> tuple[list[bytes], int | None]:
        """Return the response."""
        inference = self._inference
        parameters = {**inference.parameters, "classes": answer.model.classes_json}
        if answer.ids:
            parameters["prediction_ids"] = json.dumps(answer.ids)
        if answer.warnings:
            warnings = [f"row {row}: {sentence}" for row, sentence in answer.warnings]
            parameters["warnings"] = json.dumps(warnings, ensure_ascii=False)
        head: dict[str, Any] = {"model_name": self.name, "model_version": answer.model.version}
        if inference.identifier is not None:
            head["id"] = inference.identifier
        head["parameters"] = parameters
        return write_response(head, answer.labels, answer.probabilities, inference.outputs)

    def refuse(self, bad: BadRow) -> InvalidInput:
        """Return the error for a bad value."""
        return InvalidInput(str(bad))


class V2Endpoints:
    """The protocol's calls, named as the protocol names them."""

    def __init__(self, exchange: Exchange, intake: Intake, max_rows: int) -> None:
        self._exchange = exchange
        self._state = exchange.state
        self._intake = intake
        self._max_rows = max_rows
        self._server = ServerMetadata(
            name="taxon", version=metadata.version("taxon"), extensions=EXTENSIONS
        )

    async def infer(self, request: Request) -> Response:
        """Answer rows."""
        self._check_name(request)
        body = await self._intake.body(request)
        call = InferCall(
            self._state.name, body, request.headers.get(INFERENCE_HEADER), self._max_rows
        )
        pieces, json_length = await self._exchange.answer(
            call, request_id=request.headers.get("x-request-id"), size=len(body)
        )
        if json_length is None:
            return json_response(pieces)
        return PiecesResponse(
            pieces, "application/octet-stream", {INFERENCE_HEADER: str(json_length)}
        )

    async def server_metadata(self, _: Request) -> Response:
        """Describe the server."""
        return _message(self._server)

    async def live(self, _: Request) -> Response:
        """Report that the process answers."""
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        """Report whether requests should be sent here."""
        ready = await self._ready()
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def models(self, _: Request) -> Response:
        """List the one model by its name."""
        return _message(ModelList(models=(self._state.name,)))

    async def model_ready(self, request: Request) -> Response:
        """Report whether the model takes requests."""
        self._check_name(request)
        ready = await self._ready()
        return JSONResponse({"name": self._state.name, "ready": ready}, 200 if ready else 503)

    async def model_metadata(self, request: Request) -> Response:
        """Describe the model's inputs and outputs."""
        self._check_name(request)
        model = self._state.model
        classes = model.classifier.classes
        parameters = {
            "features": json.dumps(model.features, ensure_ascii=False),
            "classes": model.classes_json,
        }
        if not model.codec.is_numeric:
            gaps = [one.name for one in model.codec.features if one.gaps]
            parameters["gaps"] = json.dumps(gaps, ensure_ascii=False)
        return _message(
            ModelMetadata(
                name=self._state.name,
                versions=(model.version,),
                platform="taxon",
                inputs=_inputs(model.codec),
                outputs=(
                    _tensor(LABEL_NAME, label_datatype(classes), -1),
                    _tensor(PROBABILITIES_NAME, "FP64", -1, len(classes)),
                ),
                parameters=parameters,
            )
        )

    async def repository_index(self, _: Request) -> Response:
        """List the one model with its state."""
        state = self._state
        health = await self._exchange.health()
        ready = health == "healthy"
        entry = RepositoryModel(
            name=state.name,
            version=state.version,
            state="READY" if ready else "UNAVAILABLE",
            reason="" if ready else health,
        )
        return JSONResponse([entry.model_dump()])

    async def _ready(self) -> bool:
        return await self._exchange.health() == "healthy"

    def _check_name(self, request: Request) -> None:
        self._state.check_name(request.path_params["model"], request.path_params.get("version"))


def _header_length(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or len(text) > LONGEST_LENGTH:
        raise InvalidInput(f"header {INFERENCE_HEADER}: {text[:20]!r} is not a number of bytes")
    return int(text)


def _inputs(codec: Codec) -> tuple[TensorMetadata, ...]:
    """Return the inputs: one matrix of numbers, or one tensor per feature."""
    if codec.is_numeric:
        return (_tensor(INPUT_NAME, "FP64", -1, len(codec.features)),)
    return tuple(_tensor(one.name, OF_FEATURES[one.type], -1) for one in codec.features)


def _tensor(name: str, datatype: Any, *shape: int) -> TensorMetadata:
    return TensorMetadata(name=name, datatype=datatype, shape=shape)


def _message(message: BaseModel) -> Response:
    return Response(message.model_dump_json(exclude_none=True), media_type="application/json")
