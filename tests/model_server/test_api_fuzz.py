"""Whatever a client sends is its own mistake or gets an answer; never is it the server's fault."""

import json
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server.client import Client
from model_server.mixed import CODEC, PORTS

from taxon_contracts.v2 import INFERENCE_HEADER
from taxon_model_server.protocol.datatypes import OF_FEATURES

FEATURES = {"client": ("length", "width", "batch"), "mixed_client": CODEC.names}
every_model = pytest.mark.parametrize("model", FEATURES)
HUGE = [0, 1, 2**31, 2**62, 2**63, 10**30, -1]
# The client is only asked, and no example changes the server.
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([2**53, 2**64, 10**400, 1e308, *PORTS, "nan", "a\0b"])
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


def rows_of(model: str) -> st.SearchStrategy[Any]:
    """Return rows of a model: objects with some of its features, and anything else."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(FEATURES[model], scalars)) | values


def tensors_of(model: str) -> st.SearchStrategy[Any]:
    """Return tensors called as a model's are, with anything inside."""
    return st.fixed_dictionaries(
        {
            "name": st.sampled_from(["input", *FEATURES[model]]),
            "shape": st.lists(st.sampled_from(HUGE), max_size=3),
            "datatype": st.sampled_from(["FP64", "FP32", "INT64", "UINT8", "BOOL", "BYTES"]),
        },
        optional={
            "data": st.just([]) | st.lists(scalars, max_size=4),
            "parameters": st.none()
            | st.dictionaries(st.sampled_from(["binary_data_size"]), scalars),
        },
    )


@every_model
@pytest.mark.parametrize("path", ["/predict", "/predict-batch"])
def test_no_plain_request_is_the_servers_fault(
    request: pytest.FixtureRequest, path: str, model: str
) -> None:
    """Objects, lists and anything else are answered or refused as the client's mistake."""
    client: Client = request.getfixturevalue(model)
    rows = rows_of(model)

    @EXAMPLES
    @given(rows | st.lists(rows, max_size=3) | st.fixed_dictionaries({"rows": st.lists(rows)}))
    def check(document: Any) -> None:
        assert client.post(path, content=json.dumps(document)).status_code in (200, 422)

    check()


@every_model
def test_no_inference_request_is_the_servers_fault(
    request: pytest.FixtureRequest, model: str
) -> None:
    """Any shape and any data, zero and huge dimensions among them, are answered or refused."""
    client: Client = request.getfixturevalue(model)

    @EXAMPLES
    @given(st.lists(tensors_of(model), max_size=3), st.none() | st.text("0123456789", max_size=13))
    def check(inputs: list[Any], header: str | None) -> None:
        headers = {} if header is None else {INFERENCE_HEADER: header}
        content = json.dumps({"inputs": inputs})
        answer = client.post("/v2/models/small/infer", content=content, headers=headers)
        assert answer.status_code in (200, 400, 413)

    check()


def test_whole_mixed_rows_are_answered_or_refused(mixed_client: Client) -> None:
    """Rows with every feature, and one tensor for each, with any value: the same end in both."""
    row = st.fixed_dictionaries(
        {
            "age": st.none() | st.floats() | st.integers(),
            "fare": st.floats(allow_nan=False),
            "member": st.booleans(),
            "port": st.none() | st.text(max_size=8) | st.sampled_from(PORTS),
            "deck": st.text(max_size=3),
        }
    )

    @EXAMPLES
    @given(row)
    def check(document: dict[str, Any]) -> None:
        plain = mixed_client.post("/predict", content=json.dumps(document))
        inputs = [
            {
                "name": feature.name,
                "shape": [1],
                "datatype": OF_FEATURES[feature.type],
                "data": [document[feature.name]],
            }
            for feature in CODEC.features
        ]
        v2 = mixed_client.post("/v2/models/small/infer", content=json.dumps({"inputs": inputs}))
        assert (plain.status_code, v2.status_code) in ((200, 200), (422, 400))
        if v2.status_code == HTTPStatus.OK:
            probabilities = [*plain.json()["probabilities"].values()]
            assert v2.json()["outputs"][1]["data"] == probabilities

    check()
