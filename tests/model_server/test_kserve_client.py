"""KServe's own client of the protocol against a real server."""

import asyncio
import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx import HTTPStatusError
from model_server.conftest import MakeClient
from model_server.serving import serving
from support.kserve_sdk import kserve_sdk

from taxon_bundle.bundle import Bundle
from taxon_bundle.classifier import Classifier

ROWS = np.array([[0.1, 0.2, 7.0], [1.1, 2.2, 7.0]])

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Yield a function that calls one method of the client of a running server."""
    with asking(bundle, tmp_path_factory.mktemp("server")) as ask:
        yield ask


@pytest.fixture(scope="module")
def mixed_ask(mixed: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Yield the same for a running server of the mixed model."""
    with asking(mixed, tmp_path_factory.mktemp("mixed")) as ask:
        yield ask


@contextmanager
def asking(bundle: Bundle, folder: Path) -> Iterator[Ask]:
    """Yield a function that calls one method of the client of a running server."""
    sdk = kserve_sdk()
    with serving(bundle, folder) as server:

        async def call(method: str, *given: Any, **named: Any) -> Any:
            async with sdk.InferenceRESTClient(sdk.RESTConfig(protocol="v2")) as client:
                return await getattr(client, method)(f"http://{server.address}", *given, **named)

        yield lambda *given, **named: asyncio.run(call(*given, **named))


def request(values: Any, *, binary: bool = False, binary_answer: bool = False) -> Any:
    """Return a request of the client about some rows."""
    sdk = kserve_sdk()
    tensor = sdk.InferInput("input", list(values.shape), "FP64")
    tensor.set_data_from_numpy(values, binary_data=binary)
    return sdk.InferRequest(
        "small", [tensor], request_id="q1", parameters={"binary_data_output": binary_answer}
    )


def test_it_checks(ask: Ask) -> None:
    """The client finds the server alive and ready, and the model ready."""
    assert ask("is_server_live")
    assert ask("is_server_ready")
    assert ask("is_model_ready", "small")
    assert not ask("is_model_ready", "other")


@pytest.mark.parametrize("binary_answer", [True, False])
@pytest.mark.parametrize("binary", [True, False])
def test_it_infers(ask: Ask, bundle: Bundle, *, binary: bool, binary_answer: bool) -> None:
    """JSON and binary tensors, both ways, give the classifier's answers bit for bit."""
    answer = ask("infer", request(ROWS, binary=binary, binary_answer=binary_answer), "small")
    probabilities = answer.get_output_by_name("probabilities").as_numpy()

    assert np.array_equal(probabilities, Classifier.load(bundle).probabilities(ROWS))
    assert answer.get_output_by_name("label").data == ["benign", "malignant"]


@pytest.mark.parametrize("binary", [True, False])
def test_it_infers_mixed_rows(mixed_ask: Ask, mixed: Bundle, *, binary: bool) -> None:
    """Arrays of text and booleans beside numbers, an empty text as a missing value."""
    columns = {
        "age": ("FP64", np.array([20.5, 3.0])),
        "fare": ("INT32", np.array([7, 8], np.int32)),
        "member": ("BOOL", np.array([True, False])),
        "port": ("BYTES", np.array(["Åbo", ""], np.object_)),
        "deck": ("BYTES", np.array(["A", "Z"], np.object_)),
    }
    sdk = kserve_sdk()
    tensors = []
    for name, (datatype, array) in columns.items():
        tensor = sdk.InferInput(name, [2], datatype)
        tensor.set_data_from_numpy(array, binary_data=binary)
        tensors.append(tensor)
    answer = mixed_ask("infer", sdk.InferRequest("small", tensors), "small")
    rows = np.array([[20.5, 7, 1, 2, 0], [3, 8, 0, np.nan, -1]])

    assert np.array_equal(
        answer.get_output_by_name("probabilities").as_numpy(),
        Classifier.load(mixed).probabilities(rows),
    )


def test_it_reads_what_goes_with_an_answer(ask: Ask) -> None:
    """The model, the request's id and the classes."""
    answer = ask("infer", request(ROWS), "small")

    assert (answer.model_name, answer.id) == ("small", "q1")
    assert json.loads(answer.parameters["classes"]) == ["benign", "malignant"]


def test_it_reports_what_is_wrong(ask: Ask) -> None:
    """The client raises the server's own sentence."""
    with pytest.raises(HTTPStatusError, match=r"shape \[2, 2\] is not \[rows, 3\], '400"):
        ask("infer", request(ROWS[:, :2].copy()), "small")


def test_the_list_of_models_is_one_of_kserves(bundle: Bundle, make_client: MakeClient) -> None:
    """KServe's own type reads what GET /v2/models returns, and nothing is left over."""
    kserve_sdk()
    types = importlib.import_module("kserve.protocol.rest.v2_datamodels")
    answer = make_client(served=bundle).get("/v2/models").json()

    assert types.ListModelsResponse.model_validate(answer).model_dump() == answer
