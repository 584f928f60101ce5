import json
from typing import Any

import numpy as np
import pytest
from model_server.client import Client
from model_server.conftest import MakeClient

from taxon_bundle.bundle import Bundle
from taxon_bundle.classifier import Classifier
from taxon_contracts.manifest import GOLDEN_NAME
from taxon_contracts.v2 import INFERENCE_HEADER, InferResponse, ModelMetadata, ServerMetadata

VERSION = "v0123456789"
MODEL = "/v2/models/small"
ROWS = [[0.1, 0.2, 7.0], [1.1, 2.2, 7.0]]


def question(**changes: Any) -> dict[str, Any]:
    """Return a question of two rows."""
    tensor = {"name": "input", "shape": [2, 3], "datatype": "FP64", "data": ROWS}
    return {"inputs": [tensor]} | changes


def test_the_server_names_its_extensions(client: Client) -> None:
    """/v2 tells the server's name, its version and the extensions it speaks."""
    answer = ServerMetadata.model_validate(client.get("/v2").json())

    assert answer.extensions == ("binary_tensor_data", "model_repository")


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/{VERSION}"])
def test_metadata_describes_both_outputs(client: Client, path: str) -> None:
    """Metadata gives the version, the inputs and the outputs, with and without the version."""
    answer = ModelMetadata.model_validate(client.get(path).json())

    assert answer.versions == (VERSION,)
    assert [(i.name, i.datatype, i.shape) for i in answer.inputs] == [("input", "FP64", (-1, 3))]
    assert [(o.name, o.datatype, o.shape) for o in answer.outputs] == [
        ("label", "BYTES", (-1,)),
        ("probabilities", "FP64", (-1, 2)),
    ]
    assert answer.parameters is not None
    assert json.loads(answer.parameters["features"]) == ["length", "width", "batch"]
    assert json.loads(answer.parameters["classes"]) == ["benign", "malignant"]


def test_integer_labels_are_int64(make_client: MakeClient, three_classes: Bundle) -> None:
    """A model with integer labels declares and answers INT64 labels."""
    client = make_client(served=three_classes)
    declared = client.get(MODEL).json()["outputs"][0]
    answered = client.post(f"{MODEL}/infer", json=question()).json()["outputs"][0]

    assert (declared["datatype"], answered["datatype"]) == ("INT64", "INT64")
    assert set(answered["data"]) <= {10, 20, 30}


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/{VERSION}"])
def test_a_loaded_model_is_ready(client: Client, path: str) -> None:
    """A loaded model is ready, with and without the version."""
    answer = client.get(f"{path}/ready")

    assert (answer.status_code, answer.json()) == (200, {"name": "small", "ready": True})


def test_the_models_are_listed_as_kserves_own_server_lists_them(client: Client) -> None:
    """GET /v2/models holds the one model's name."""
    answer = client.get("/v2/models").json()

    assert answer == {"models": ["small"]}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_repository_index_lists_the_model(client: Client, method: str) -> None:
    """The index lists the one model by GET and, as the extension has it, by POST."""
    answer = client.request(method, "/v2/repository/index")

    assert answer.json() == [{"name": "small", "version": VERSION, "state": "READY", "reason": ""}]


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/{VERSION}"])
def test_inference_gives_the_classifiers_own_figures(
    client: Client, bundle: Bundle, path: str
) -> None:
    """Labels and probabilities are the classifier's, bit for bit, after the way over JSON."""
    answer = InferResponse.model_validate(client.post(f"{path}/infer", json=question()).json())
    expected = Classifier.load(bundle).probabilities(np.array(ROWS))

    assert (answer.model_name, answer.model_version) == ("small", VERSION)
    assert [(o.name, o.shape, o.data) for o in answer.outputs] == [
        ("label", (2,), ["benign", "malignant"]),
        ("probabilities", (2, 2), expected.ravel().tolist()),
    ]


def test_golden_rows_come_back_as_scikit_learn_answered_them(
    client: Client, bundle: Bundle
) -> None:
    """The golden rows, asked over HTTP, get the answers recorded at training."""
    golden = json.loads(bundle.read(GOLDEN_NAME))
    shape = [len(golden["rows"]), 3]
    tensor = {"name": "input", "shape": shape, "datatype": "FP64", "data": golden["rows"]}
    outputs = client.post(f"{MODEL}/infer", json={"inputs": [tensor]}).json()["outputs"]

    assert outputs[0]["data"] == golden["labels"]
    assert outputs[1]["data"] == np.ravel(golden["probabilities"]).tolist()


def test_id_and_parameters_echo(client: Client) -> None:
    """An answer repeats the id and the parameters, beside the classes."""
    asked = question(id="q1", parameters={"trace": "abc", "depth": 3, "binary_data_output": False})
    answer = client.post(f"{MODEL}/infer", json=asked).json()

    assert answer["id"] == "q1"
    assert answer["parameters"] == {
        "trace": "abc",
        "depth": 3,
        "classes": '["benign", "malignant"]',
    }


@pytest.mark.parametrize("name", ["label", "probabilities"])
def test_outputs_selects(client: Client, name: str) -> None:
    """Only the outputs that are asked for are answered."""
    answer = client.post(f"{MODEL}/infer", json=question(outputs=[{"name": name}])).json()

    assert [output["name"] for output in answer["outputs"]] == [name]


def test_tensors_travel_as_bytes_both_ways(client: Client, bundle: Bundle) -> None:
    """A binary tensor is answered with binary tensors when they are asked for."""
    rows = np.array(ROWS)
    tensor = {
        "name": "input",
        "shape": [2, 3],
        "datatype": "FP64",
        "parameters": {"binary_data_size": rows.nbytes},
    }
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    answer = client.post(
        f"{MODEL}/infer",
        content=head + rows.tobytes(),
        headers={INFERENCE_HEADER: str(len(head))},
    )
    length = int(answer.headers[INFERENCE_HEADER])
    labels, probabilities = json.loads(answer.content[:length])["outputs"]
    split = length + labels["parameters"]["binary_data_size"]

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content[length:split] == b"\x06\0\0\0benign\x09\0\0\0malignant"
    assert probabilities["parameters"]["binary_data_size"] == len(answer.content) - split
    assert answer.content[split:] == Classifier.load(bundle).probabilities(rows).tobytes()


def test_binary_integer_labels_are_int64(make_client: MakeClient, three_classes: Bundle) -> None:
    """Integer labels are eight bytes each in the binary extension."""
    asked = question(outputs=[{"name": "label", "parameters": {"binary_data": True}}])
    answer = make_client(served=three_classes).post(f"{MODEL}/infer", json=asked)
    length = int(answer.headers[INFERENCE_HEADER])

    assert set(np.frombuffer(answer.content[length:], "<i8").tolist()) <= {10, 20, 30}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v2/models/other/infer", "model 'other' is not here: this server has 'small'"),
        (f"{MODEL}/versions/v9999999999/infer", "version 'v9999999999' of model 'small'"),
        ("/v2/models/small/versions/1/ready", "this server has 'v0123456789'"),
    ],
)
def test_another_model_or_version_is_404(client: Client, path: str, said: str) -> None:
    """A model or version that is not here is a 404 that names the one that is."""
    method = "GET" if path.endswith("ready") else "POST"
    answer = client.request(method, path)

    assert answer.status_code == 404
    assert said in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "EOF while parsing an object"),
        (b"", "the body is empty: send an inference request"),
        (b"{}", "inputs: Field required"),
        (
            json.dumps(
                question() | {"inputs": [{**question()["inputs"][0], "data": "x"}]}
            ).encode(),
            "inputs.0.data: Input should be a valid array",
        ),
        (
            json.dumps(question()).replace("0.1", "NaN").encode(),
            "row 0: length is missing, and the model takes no missing value there",
        ),
        (
            json.dumps(question()).replace("2.2", "1e300").encode(),
            "row 1: width is too large for the classifier",
        ),
    ],
)
def test_a_bad_question_is_400_in_the_protocols_words(
    client: Client, body: bytes, said: str
) -> None:
    """What the model does not take is a 400 whose error says where and what."""
    answer = client.post(f"{MODEL}/infer", content=body)

    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_null_means_absent(client: Client) -> None:
    """Null parameters, of a request or of a tensor, are taken as absent, as a null id is."""
    tensor = {**question()["inputs"][0], "parameters": None}
    asked = {"id": None, "parameters": None, "inputs": [tensor], "outputs": None}
    answer = client.post(f"{MODEL}/infer", json=asked)

    assert answer.status_code == 200
    assert answer.json()["parameters"] == {"classes": '["benign", "malignant"]'}


def test_one_matrix_may_have_any_name(client: Client) -> None:
    """One tensor [rows, features] is taken whatever it is called: KServe's examples say input-0."""
    tensor = {**question()["inputs"][0], "name": "input-0"}
    answer = client.post(f"{MODEL}/infer", json={"inputs": [tensor]})

    assert answer.json()["outputs"][0]["data"] == ["benign", "malignant"]


def test_a_huge_shape_is_the_clients_mistake(client: Client) -> None:
    """A shape with no values and a huge dimension is a 400, not a fault of the server."""
    tensor = {"name": "input", "shape": [0, 2**62], "datatype": "FP64", "data": []}
    answer = client.post(f"{MODEL}/infer", json={"inputs": [tensor]})

    assert answer.status_code == 400
    assert answer.json() == {"error": "input 'input' has no values: send at least one row"}


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 5000, "3.5"])
def test_a_header_length_is_a_number(client: Client, length: str) -> None:
    """A JSON length that is no sensible number is a 400 that names the header."""
    answer = client.post(f"{MODEL}/infer", content=b"{}", headers={INFERENCE_HEADER: length})

    assert answer.status_code == 400
    assert INFERENCE_HEADER in answer.json()["error"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v2/nope"), ("GET", f"{MODEL}/infer")])
def test_paths_and_methods_that_are_not_there(client: Client, method: str, path: str) -> None:
    """Under /v2 even an unknown path or method answers in the protocol's words."""
    answer = client.request(method, path)

    assert answer.status_code in (404, 405)
    assert path in answer.json()["error"]


def test_without_a_model_the_server_lives_but_is_not_ready(make_client: MakeClient) -> None:
    """While the model is loaded, live is 200, ready 503, and requests get a 503 that says so."""
    client = make_client(loaded=False)

    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 503
    assert client.get(f"{MODEL}/ready").status_code == 503
    assert client.get("/v2/repository/index").json()[0]["reason"] == "loading"
    answer = client.post(f"{MODEL}/infer", json=question())
    assert answer.status_code == 503
    assert answer.json() == {"error": "model 'small' is not loaded yet: try again shortly"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", MODEL),
        ("GET", f"{MODEL}/ready"),
        ("POST", f"{MODEL}/infer"),
        ("GET", f"{MODEL}/versions/{VERSION}"),
        ("GET", f"{MODEL}/versions/{VERSION}/ready"),
        ("POST", f"{MODEL}/versions/{VERSION}/infer"),
        ("GET", "/v2/health/ready"),
        ("GET", "/health"),
        ("GET", "/info"),
        ("POST", "/predict"),
        ("POST", "/predict-batch"),
    ],
)
def test_whatever_needs_the_model_is_503_until_it_is_loaded(
    make_client: MakeClient, method: str, path: str
) -> None:
    """Not loaded is 503 on every path that needs the model: worth another try, not a fault."""
    assert make_client(loaded=False).request(method, path, content=b"{}").status_code == 503


def test_a_draining_server_is_unready_and_answers(client: Client) -> None:
    """After SIGTERM the server says it is not ready and still answers."""
    client.exchange.state.draining = True

    assert client.get("/v2/health/ready").status_code == 503
    assert client.post(f"{MODEL}/infer", json=question()).status_code == 200
