"""Run documents fit where they have to pass through."""

import json
import math
from typing import Any

import pytest

from taxon_contracts.document import read
from taxon_contracts.gate import ChampionComparison
from taxon_contracts.resource import Identity
from taxon_contracts.run import RESULT_MAX_BYTES, LeftOutColumn, MetricValue, RunRequest, RunResult
from taxon_contracts.scores import SCORE_NAMES


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


def test_a_long_message_keeps_its_remedy() -> None:
    """It comes last, after as many columns as the trainer names."""
    columns = ", ".join(f"'{'column' * 20}' (dates or times)" for _ in range(30))
    remedy = "remove them from dataset.features"
    message = f"not usable: {columns}; {remedy}"
    result = RunResult(outcome="Failed", reason="UnsupportedFeature", message=message)
    read = RunResult.model_validate_json(result.encode())

    assert read.message.startswith("not usable: 'columncolumn")
    assert read.message.endswith(f"...; {remedy}")


def test_columns_that_are_left_out_give_way_to_the_message() -> None:
    """The trainer's log has all of them, and their number stays."""
    columns = tuple(LeftOutColumn(name="é" * 100, why="text") for _ in range(10))
    result = RunResult(
        outcome="Accepted",
        reason="LimitsMet",
        message="é" * 1200,
        left_out=columns,
        left_out_count=10,
    )
    line = result.encode()
    read = RunResult.model_validate_json(line)

    assert len(line.encode()) <= RESULT_MAX_BYTES
    assert 0 < len(read.left_out) < 10
    assert (read.message, read.left_out_count) == (result.message, 10)


def test_a_short_result_is_one_line() -> None:
    """A result is read line by line."""
    result = RunResult(version=None, outcome="Failed", reason="InvalidRun", message="two\nlines")

    assert "\n" not in result.encode()
    assert RunResult.model_validate_json(result.encode()) == result


def full_result(**fields: Any) -> RunResult:
    """Return a result with everything a termination message may have to hold."""
    parameters = [{"name": f"parameter_{n:02d}", "value": "'" + "v" * 60 + "'"} for n in range(20)]
    document = {
        "version": "v0123456789",
        "outcome": "Refused",
        "reason": "LimitNotMet",
        "message": "roc_auc 0.7 is below the limit 0.8; " * 40,
        "bundle_uri": "s3://taxon/" + "p" * 900,
        "metrics": [
            {"name": name, "value": math.pi / 10, "low": math.e / 10, "high": math.tau / 10}
            for name in SCORE_NAMES
        ],
        "parameters": parameters,
    }
    return RunResult.model_validate(document | fields)


def test_figures_come_before_parameters_where_not_all_fit() -> None:
    """The message is cut first, but not to nothing; then the last parameters are left out."""
    result = full_result()

    line = result.encode()
    read_back = read(RunResult, line)

    assert len(line.encode()) <= RESULT_MAX_BYTES
    assert (read_back.metrics, read_back.bundle_uri) == (result.metrics, result.bundle_uri)
    assert 0 < len(read_back.parameters) < len(result.parameters)
    assert read_back.parameters == result.parameters[: len(read_back.parameters)]
    assert len(read_back.message) > 380


def test_a_result_that_fits_keeps_every_parameter() -> None:
    """Nothing is left out that need not be."""
    result = full_result(message="short", bundle_uri="s3://taxon/a/b/v0123456789/")

    assert read(RunResult, result.encode()) == result


def test_a_message_of_escapes_is_cut_as_well() -> None:
    """JSON writes some characters with six bytes; the limit is one of bytes."""
    line = RunResult(outcome="Failed", reason="InvalidRun", message="\x00" * 4000).encode()

    assert len(line.encode()) <= RESULT_MAX_BYTES


def test_a_figure_that_is_not_finite_is_left_out() -> None:
    """JSON has no word for it, and the verdict has been reached: the rest is not lost for it."""
    nan = {"name": "roc_auc", "value": math.nan, "low": math.nan, "high": math.nan}
    fine = {"name": "brier", "value": 0.1, "low": 0.0, "high": 0.2}
    comparison = ChampionComparison(
        version="v0123456789",
        metric="brier",
        candidate=0.1,
        champion=0.1,
        gain=0.0,
        low=-math.inf,
        high=math.inf,
    )
    result = full_result(metrics=[nan, fine], champion=comparison, parameters=[])

    read_back = read(RunResult, result.encode())

    assert [metric.name for metric in read_back.metrics] == ["brier"]
    assert read_back.champion is None
