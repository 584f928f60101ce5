"""The messages of the Open Inference Protocol, version 2 (KServe V2), over HTTP.

Source: the Open Inference Protocol's REST specification and its binary tensor data extension.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
Parameters = Annotated[
    dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)
]
"""Parameters of a request; null means absent."""
INPUT_NAME = "input"
LABEL_NAME = "label"
PROBABILITIES_NAME = "probabilities"
INFERENCE_HEADER = "Inference-Header-Content-Length"


class Message(BaseModel):
    """A message of the protocol; fields it does not know are ignored, as the protocol grows."""

    model_config = ConfigDict(frozen=True)


class RequestInput(Message):
    """A tensor sent to the model; ``data`` is flat or nested, absent when it is binary."""

    name: str
    shape: tuple[int, ...]
    datatype: Datatype
    parameters: Parameters = Field(default_factory=dict)
    data: list[Any] | None = None


class RequestOutput(Message):
    """A tensor requested from the model."""

    name: str
    parameters: Parameters = Field(default_factory=dict)


class InferRequest(Message):
    """A request for predictions."""

    id: str | None = None
    parameters: Parameters = Field(default_factory=dict)
    inputs: tuple[RequestInput, ...] = Field(min_length=1)
    outputs: tuple[RequestOutput, ...] | None = None


class ResponseOutput(Message):
    """A tensor the model answered with."""

    name: str
    shape: tuple[int, ...]
    datatype: Datatype
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferResponse(Message):
    """The response to a request for predictions."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: tuple[ResponseOutput, ...]


class TensorMetadata(Message):
    """An input or output of a model; -1 means any number of rows."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


class ModelList(Message):
    """The names of a server's models, as KServe's own server lists them."""

    models: tuple[str, ...]


class ModelMetadata(Message):
    """What a model is."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
    parameters: dict[str, Any] | None = None


class ServerMetadata(Message):
    """What a server is."""

    name: str
    version: str
    extensions: tuple[str, ...]


class RepositoryModel(Message):
    """One entry of the repository index."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str = ""


class ErrorResponse(Message):
    """The response of every failed call under ``/v2``."""

    error: str
