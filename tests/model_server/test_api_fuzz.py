"""Whatever a client sends is its own mistake or gets an answer; never is it the server's fault."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server.client import Client

from taxon_contracts.v2 import INFERENCE_HEADER

FEATURES = ("length", "width", "batch")
HUGE = [0, 1, 2**31, 2**62, 2**63, 10**30, -1]
# The client is only asked, and no example changes the server.
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([2**53, 2**64, 10**400, 1e308])
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)
rows = st.fixed_dictionaries({}, optional=dict.fromkeys(FEATURES, scalars)) | values
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["input", *FEATURES]),
        "shape": st.lists(st.sampled_from(HUGE), max_size=3),
        "datatype": st.sampled_from(["FP64", "FP32", "INT64", "UINT8", "BYTES"]),
    },
    optional={
        "data": st.just([]) | st.lists(scalars, max_size=4),
        "parameters": st.none() | st.dictionaries(st.sampled_from(["binary_data_size"]), scalars),
    },
)


@pytest.mark.parametrize("path", ["/predict", "/predict-batch"])
def test_no_plain_request_is_the_servers_fault(client: Client, path: str) -> None:
    """Objects, lists and anything else are answered or refused as the client's mistake."""

    @EXAMPLES
    @given(rows | st.lists(rows, max_size=3) | st.fixed_dictionaries({"rows": st.lists(rows)}))
    def check(document: Any) -> None:
        assert client.post(path, content=json.dumps(document)).status_code in (200, 422)

    check()


def test_no_inference_request_is_the_servers_fault(client: Client) -> None:
    """Any shape and any data, zero and huge dimensions among them, are answered or refused."""

    @EXAMPLES
    @given(st.lists(tensors, max_size=3), st.none() | st.text("0123456789", max_size=13))
    def check(inputs: list[Any], header: str | None) -> None:
        headers = {} if header is None else {INFERENCE_HEADER: header}
        content = json.dumps({"inputs": inputs})
        answer = client.post("/v2/models/small/infer", content=content, headers=headers)
        assert answer.status_code in (200, 400, 413)

    check()
