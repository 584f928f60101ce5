"""The Open Inference Protocol (KServe V2) over HTTP."""

import json
import time
from importlib import metadata
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from taxon_bundle.classifier import BadRow
from taxon_contracts.v2 import (
    INFERENCE_HEADER,
    INPUT_NAME,
    LABEL_NAME,
    PROBABILITIES_NAME,
    ModelMetadata,
    RepositoryModel,
    ServerMetadata,
    TensorMetadata,
)
from taxon_model_server.dataplane import DataPlane
from taxon_model_server.errors import InvalidInput, RequestError
from taxon_model_server.tensors import label_datatype, read_question, write_answer
from taxon_model_server.transport import Endpoint, Intake

EXTENSIONS = ("binary_tensor_data", "model_repository")
MODEL_PATHS = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
LONGEST_LENGTH = 12
"""Digits of a header that counts bytes."""


def v2_routes(plane: DataPlane, intake: Intake) -> list[BaseRoute]:
    """Return the protocol's route table."""
    endpoints = V2Endpoints(plane, intake)
    routes: list[BaseRoute] = []
    for path in MODEL_PATHS:
        routes += [
            Endpoint(f"{path}/infer", endpoints.infer, methods=["POST"]),
            Endpoint(f"{path}/ready", endpoints.model_ready),
            Endpoint(path, endpoints.model_metadata),
        ]
    return [
        *routes,
        Endpoint("/v2", endpoints.server_metadata),
        Endpoint("/v2/health/live", endpoints.live),
        Endpoint("/v2/health/ready", endpoints.ready),
        Endpoint("/v2/repository/index", endpoints.repository_index, methods=["GET", "POST"]),
    ]


class V2Endpoints:
    """The protocol's calls, named as the protocol names them."""

    def __init__(self, plane: DataPlane, intake: Intake) -> None:
        self._plane = plane
        self._intake = intake
        self._server = ServerMetadata(
            name="taxon", version=metadata.version("taxon"), extensions=EXTENSIONS
        )

    async def infer(self, request: Request) -> Response:
        """Answer rows."""
        plane = self._plane
        self._named(request)
        body = await self._intake.body(request)
        started = time.perf_counter()
        header_length = _header_length(request)
        request_id = request.headers.get("x-request-id")

        def answer() -> tuple[bytes, int | None]:
            return _inferred(plane, body, header_length, request_id, started)

        content, json_length = await self._intake.answer(answer, body_bytes=len(body))
        if json_length is None:
            return Response(content, media_type="application/json")
        return Response(
            content,
            media_type="application/octet-stream",
            headers={INFERENCE_HEADER: str(json_length)},
        )

    def _named(self, request: Request) -> None:
        self._plane.named(request.path_params["model"], request.path_params.get("version"))

    async def server_metadata(self, _: Request) -> Response:
        """Tell what the server is."""
        return _message(self._server)

    async def live(self, _: Request) -> Response:
        """Tell that the process answers."""
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        """Tell whether requests should be sent here."""
        ready = self._plane.ready
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def model_ready(self, request: Request) -> Response:
        """Tell whether the model can be asked."""
        plane = self._plane
        self._named(request)
        return JSONResponse({"name": plane.name, "ready": plane.ready}, 200 if plane.ready else 503)

    async def model_metadata(self, request: Request) -> Response:
        """Tell what the model takes and gives."""
        plane = self._plane
        self._named(request)
        model = plane.model
        classes = model.classifier.classes
        return _message(
            ModelMetadata(
                name=plane.name,
                versions=(plane.version,),
                platform="taxon",
                inputs=(_tensor(INPUT_NAME, "FP64", -1, len(model.features)),),
                outputs=(
                    _tensor(LABEL_NAME, label_datatype(classes), -1),
                    _tensor(PROBABILITIES_NAME, "FP64", -1, len(classes)),
                ),
                parameters={
                    "features": json.dumps(model.features, ensure_ascii=False),
                    "classes": model.classes_json,
                },
            )
        )

    async def repository_index(self, _: Request) -> Response:
        """List the one model."""
        plane = self._plane
        entry = RepositoryModel(
            name=plane.name,
            version=plane.version,
            state="READY" if plane.ready else "UNAVAILABLE",
            reason="" if plane.ready else plane.state,
        )
        return JSONResponse([entry.model_dump()])


def _inferred(
    plane: DataPlane,
    body: bytes,
    header_length: int | None,
    request_id: str | None,
    started: float,
) -> tuple[bytes, int | None]:
    """Read, predict, write; a failure is logged before it is raised."""
    try:
        model = plane.model
        question = read_question(
            body, header_length, model.features, max_rows=plane.settings.max_rows
        )
        request_id = question.identifier or request_id
        answer = plane.predict(question.rows, request_id, started)
    except (BadRow, RequestError) as error:
        plane.refused(request_id, started)
        raise (InvalidInput(str(error)) if isinstance(error, BadRow) else error) from error
    parameters = {**question.parameters, "classes": model.classes_json}
    if answer.ids:
        parameters["prediction_ids"] = json.dumps([str(identifier) for identifier in answer.ids])
    head: dict[str, Any] = {"model_name": plane.name, "model_version": model.version}
    if question.identifier is not None:
        head["id"] = question.identifier
    head["parameters"] = parameters
    return write_answer(head, answer.labels, answer.probabilities, question.outputs)


def _header_length(request: Request) -> int | None:
    text = request.headers.get(INFERENCE_HEADER)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > LONGEST_LENGTH:
        raise InvalidInput(f"header {INFERENCE_HEADER}: {text[:20]!r} is not a number of bytes")
    return int(text)


def _tensor(name: str, datatype: Any, *shape: int) -> TensorMetadata:
    return TensorMetadata(name=name, datatype=datatype, shape=shape)


def _message(message: BaseModel) -> Response:
    return Response(message.model_dump_json(exclude_none=True), media_type="application/json")
