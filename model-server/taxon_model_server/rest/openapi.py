"""The API's description: OpenAPI, with the features of the model that is loaded."""

from importlib import metadata
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from taxon_contracts import v2
from taxon_model_server.rest import plain_schema
from taxon_model_server.rest.features import schema
from taxon_model_server.rest.json_rows import ROWS
from taxon_model_server.rest.label_schema import LabelResults, Labels, labels_schema
from taxon_model_server.state import ServerState

COMPONENT = "#/components/schemas/{model}"
TYPES: tuple[type[BaseModel], ...] = (
    plain_schema.Prediction,
    plain_schema.Predictions,
    plain_schema.InvalidRequest,
    plain_schema.Failure,
    plain_schema.Health,
    plain_schema.Info,
    Labels,
    LabelResults,
    v2.InferRequest,
    v2.InferResponse,
    v2.ModelList,
    v2.ModelMetadata,
    v2.ServerMetadata,
    v2.RepositoryModel,
    v2.ErrorResponse,
)
PLAIN_REFUSALS = {
    413: "the body or its rows are over their limit",
    429: "the client is over its rate limit",
    503: "no model is loaded yet",
}
NOT_LOGGED = {409: "the predictions of this server are not logged"}
V2_REFUSALS = PLAIN_REFUSALS | {400: "the request does not fit the model"}


def api_description(state: ServerState) -> dict[str, Any]:
    """Return the OpenAPI document of the server as it stands."""
    row = _row(state)
    several = {"type": "array", "items": row, "minItems": 1}
    named = {"type": "object", "properties": {ROWS: several}, "required": [ROWS]}
    rows: dict[str, Any] = {"anyOf": [several, named]}
    if "example" in row:
        rows["example"] = [row["example"]]
    predictions = {
        "anyOf": [
            {"type": "array", "items": _reference("Prediction")},
            _reference("Predictions"),
        ]
    }
    _, schemas = models_json_schema(
        [(kind, "validation") for kind in TYPES], ref_template=COMPONENT
    )
    labels = labels_schema(state, _reference("Labels"))
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Taxon: {state.name}", "version": metadata.version("taxon")},
        "paths": {
            "/predict": _predicting("Predict one row", row, _reference("Prediction")),
            "/predict-batch": _predicting("Predict several rows", rows, predictions),
            "/labels": _labelling(
                labels,
                _refusals(PLAIN_REFUSALS | NOT_LOGGED, "Failure")
                | {"422": _response("it has no labels", _reference("InvalidRequest"))},
            ),
            "/health": _getting("Whether requests should be sent here", "Health"),
            "/info": _getting("Describe the model", "Info"),
            "/metrics": {"get": {"summary": "Metrics for Prometheus", "responses": _ok(None)}},
            **_v2_paths(state.name, labels),
        },
        "components": {"schemas": schemas["$defs"]},
    }


def _row(state: ServerState) -> dict[str, Any]:
    """Return the schema of one row: exactly one value per feature."""
    model = state.loaded
    if model is None:
        return {"type": "object"}
    return {
        "type": "object",
        "properties": {one.name: schema(one) for one in model.codec.features},
        "required": list(model.features),
        "additionalProperties": False,
        "example": dict(zip(model.features, model.example, strict=True)),
    }


def _v2_paths(name: str, labels: dict[str, Any]) -> dict[str, Any]:
    model = f"/v2/models/{name}"
    infer = {
        "summary": "Predict rows",
        "requestBody": _body(_reference("InferRequest")),
        "responses": _ok(_reference("InferResponse")) | _refusals(V2_REFUSALS, "ErrorResponse"),
    }
    return {
        "/v2": _getting("Describe the server", "ServerMetadata"),
        "/v2/health/live": {
            "get": {"summary": "Whether the process answers", "responses": _ok(None)}
        },
        "/v2/health/ready": {"get": {"summary": "Whether it is ready", "responses": _ok(None)}},
        "/v2/models": _getting("List the model", "ModelList"),
        model: _getting("Describe the model's inputs and outputs", "ModelMetadata"),
        f"{model}/ready": {"get": {"summary": "Whether it is ready", "responses": _ok(None)}},
        f"{model}/infer": {"post": infer},
        f"{model}/labels": _labelling(labels, _refusals(V2_REFUSALS | NOT_LOGGED, "ErrorResponse")),
        "/v2/repository/index": {
            "post": {
                "summary": "List the models",
                "responses": _ok({"type": "array", "items": _reference("RepositoryModel")}),
            }
        },
    }


def _labelling(body: dict[str, Any], refusals: dict[str, Any]) -> dict[str, Any]:
    responses = _ok(_reference("LabelResults")) | refusals
    return {
        "post": {
            "summary": "Say what was observed of predictions",
            "requestBody": _body(body),
            "responses": responses,
        }
    }


def _predicting(summary: str, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    responses = _ok(answer) | _refusals(PLAIN_REFUSALS, "Failure")
    responses["422"] = _response("a field is wrong", _reference("InvalidRequest"))
    return {"post": {"summary": summary, "requestBody": _body(body), "responses": responses}}


def _getting(summary: str, answer: str) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": _ok(_reference(answer))}}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _ok(schema: dict[str, Any] | None) -> dict[str, Any]:
    return {"200": _response("the answer", schema)}


def _refusals(codes: dict[int, str], answer: str) -> dict[str, Any]:
    return {str(code): _response(reason, _reference(answer)) for code, reason in codes.items()}


def _response(description: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    if schema is None:
        return {"description": description}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": COMPONENT.format(model=name)}
