"""Run documents fit where they have to pass through."""

import json
import math

import pytest

from taxon_contracts.resource import Identity
from taxon_contracts.run import RESULT_MAX_BYTES, MetricValue, RunRequest, RunResult


def request(**dataset: object) -> RunRequest:
    """Return a run request whose dataset has these fields too."""
    fields = {"uri": "s3://samples/wine.csv", "target": "cultivar", **dataset}
    return RunRequest(
        version="v0123456789",
        namespace="default",
        model="wine",
        source="s3://samples/wine.csv",
        identity=Identity.model_validate({"dataset": fields}),
        destination="s3://taxon/default/wine/v0123456789/",
    )


def test_a_request_survives_the_environment() -> None:
    """Kubernetes expands $(NAME) in environment variables; a column may be called that."""
    asked = request(target="$(HOME)")

    assert "$" not in asked.encode()
    assert RunRequest.model_validate_json(asked.encode()) == asked


def test_a_request_too_large_for_the_environment_is_refused() -> None:
    """The remedy is in the message."""
    features = [{"name": f"{index:0128d}"} for index in range(1000)]
    with pytest.raises(ValueError, match="list fewer features"):
        request(features=features).encode()


def test_a_long_message_is_cut_and_nothing_else_is_lost() -> None:
    """A termination message holds 4,096 bytes; the figures matter more than the words."""
    metrics = tuple(
        MetricValue(name=name, value=math.pi / 10, low=math.e / 10, high=math.tau / 10)
        for name in ("accuracy", "roc_auc", "brier")
    )
    result = RunResult(
        version="v0123456789",
        outcome="Refused",
        reason="LimitNotMet",
        message="é" * 5000,
        metrics=metrics,
    )
    line = result.encode()

    assert len(line.encode()) <= RESULT_MAX_BYTES
    assert RunResult.model_validate_json(line).metrics == metrics
    assert json.loads(line)["message"].endswith("...")


def test_a_short_result_is_one_line() -> None:
    """A result is read line by line."""
    result = RunResult(version=None, outcome="Failed", reason="InvalidRun", message="two\nlines")

    assert "\n" not in result.encode()
    assert RunResult.model_validate_json(result.encode()) == result
