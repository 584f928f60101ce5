import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from taxon_cli.local import summary
from taxon_cli.local.serving import Exchange
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.prediction import PredictionEvent
from taxon_contracts.run import ChosenParameter, LeftOutColumn, RunRequest, RunResult

URL = "http://127.0.0.1:8000/predict"
FEATURES = (
    SignatureFeature(name="age", gaps=True),
    SignatureFeature(name="fare"),
    SignatureFeature(name="batch", dropped=True),
    SignatureFeature(name="alone", type="Boolean"),
    SignatureFeature(name="deck", type="Categorical", gaps=True, categories=("C", "B")),
)


def test_a_model_that_keeps_nothing_says_so() -> None:
    """Without a prediction log the summary names the field that turned it off."""
    assert "predictionLog.mode is Disabled" in "\n".join(summary.log(None))


def test_columns_that_are_left_out_are_named_with_why() -> None:
    """The first ones of the result, and how many more there are."""
    result = RunResult(
        outcome="Accepted", reason="LimitsMet", message="no limits are set",
        left_out=(LeftOutColumn(name="day", why="text"),), left_out_count=3,
    )  # fmt: skip
    text = "\n".join(summary.evaluation(run_request(), result, FEATURES, 1.0))

    assert "  columns left out: day (text), 2 more" in text
    assert "left out" not in "\n".join(
        summary.evaluation(
            run_request(),
            result.model_copy(update={"left_out": (), "left_out_count": 0}),
            FEATURES,
            1.0,
        )
    )


def test_columns_that_are_left_out_are_named_once() -> None:
    """The gate's message has them too, for those who read nothing else."""
    message = "0.8 <= roc_auc 0.9900; left out: 'day' (text; every cell is a number)"
    result = RunResult(
        outcome="Accepted", reason="LimitsMet", message=message,
        left_out=(LeftOutColumn(name="day", why="text; every cell is a number"),), left_out_count=1,
    )  # fmt: skip
    lines = summary.evaluation(run_request(), result, FEATURES, 1.0)

    assert lines[-1] == "  0.8 <= roc_auc 0.9900"
    assert sum("day" in line for line in lines) == 1


def test_features_are_shown_by_the_type_that_was_found() -> None:
    """With how many categories there are, and which values may be missing."""
    result = RunResult(outcome="Accepted", reason="LimitsMet", message="no limits are set")
    lines = summary.evaluation(run_request(), result, FEATURES, 1.0)

    assert lines[1:4] == [
        "  numbers: age (may be missing), fare, batch (constant)",
        "  true or false: alone",
        "  categories: deck (2 different, may be missing)",
    ]


def test_of_many_features_the_first_are_shown() -> None:
    """A table may have a thousand."""
    many = [SignatureFeature(name=f"f{number}") for number in range(1000)]
    result = RunResult(outcome="Accepted", reason="LimitsMet", message="no limits are set")
    lines = summary.evaluation(run_request(), result, many, 1.0)

    assert lines[1] == "  numbers: f0, f1, f2, f3, f4, f5, ... 994 more"


def test_the_hyperparameters_of_the_classifier_are_shown() -> None:
    """What the search chose, or the spec fixed, is in the summary by name and value."""
    result = RunResult(
        outcome="Accepted", reason="LimitsMet", message="no limits are set",
        parameters=(
            ChosenParameter(name="max_depth", value="None"),
            ChosenParameter(name="n_estimators", value="100"),
        ),
    )  # fmt: skip
    text = "\n".join(summary.evaluation(run_request(), result, FEATURES, 1.0))

    assert "  hyperparameters: max_depth None, n_estimators 100" in text


def run_request() -> RunRequest:
    """Return a request of any model."""
    return RunRequest.model_validate(
        {
            "version": "v0123456789",
            "namespace": "default",
            "model": "wine",
            "source": "wine.csv",
            "identity": {"dataset": {"uri": "s3://samples/wine.csv", "target": "label"}},
            "destination": "bundles/",
        }
    )


def test_a_row_without_its_features_is_shown() -> None:
    """The log of a model that keeps answers only, and of a failed request, has gaps."""
    event = PredictionEvent(
        id=UUID(int=1), namespace="default", model="wine", version="v0123456789",
        time=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC), request_id=None, features=None,
        label=None, confidence=None, probabilities=None, latency_seconds=0.00123,
        outcome="Failed",
    )  # fmt: skip

    assert summary.log([event])[2].split() == [
        *("03:04:05.678", "v0123456789", "-", "None", "-", "1.23", "ms", "-")
    ]  # fmt: skip


def test_a_logged_row_is_shown_as_it_was_sent() -> None:
    """Text, true or false and a missing value, in the order of the features."""
    event = PredictionEvent(
        id=UUID(int=1), namespace="default", model="titanic", version="v0123456789",
        time=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC), request_id=None,
        features=(71.5, "C", None, True), label="no", confidence=0.9, probabilities=(0.9, 0.1),
        latency_seconds=0.00123, outcome="Answered",
    )  # fmt: skip

    assert summary.log([event])[-1] == '  features: 71.5, "C", null, true'


def test_a_request_of_a_tensor_per_feature_has_a_line_for_each() -> None:
    """Up to a dozen, so that every kind of value is seen."""
    tensors = [
        {"name": f"f{number}", "shape": [1], "datatype": "BYTES", "data": [None]}
        for number in range(12)
    ]
    lines = summary.exchanges([Exchange("POST", URL, {"inputs": tensors}, {})])

    assert sum('"datatype": "BYTES", "data": [null]}' in line for line in lines) == 12


def test_a_wide_exchange_is_laid_out_within_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long objects get an entry per line, long lists and very long objects are cut."""
    monkeypatch.setenv("COLUMNS", "20")
    question = {
        "numbers": list(range(50)),
        "words": ["a word of many letters"] * 4,
        "nested": {f"key {index}": index for index in range(30)},
    }

    lines = summary.exchanges([Exchange("POST", URL, question, {"short": 1})])

    assert lines[:4] == [
        f"POST {URL}",
        "  > {",
        '  >   "numbers": [0, 1, 2, ... 47 more],',
        '  >   "words": [',
    ]
    assert '  >   "nested": {"key 0": 0, "key 1": 1, "key 2": 2, ... 27 more}' in lines
    assert lines[-1] == '  < {"short": 1}'
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("keep", "offered"), [(False, True), (True, False)])
def test_serving_on_is_offered_unless_it_was_asked_for(*, keep: bool, offered: bool) -> None:
    """A call that ended at once says how to keep the server."""
    plain = Exchange("POST", URL, {}, {})

    lines = summary.next_steps(Path("my model.yaml"), plain, Path("questions"), keep=keep)

    assert any("local run 'my model.yaml' --keep" in line for line in lines) is offered


def test_the_command_is_named_as_it_can_be_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that the shell finds is named without its folder."""
    program = tmp_path / "taxon"
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    plain = Exchange("POST", URL, {}, {})
    lines = summary.next_steps(Path("M"), plain, tmp_path, keep=False)
    assert f"    {program} local run M --keep" in lines

    monkeypatch.setenv("PATH", str(tmp_path))

    lines = summary.next_steps(Path("M"), plain, tmp_path, keep=False)
    assert "    taxon local run M --keep" in lines


def test_headings_stand_out_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headings are bold where somebody looks, unless that somebody wants no colours."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert summary.metrics("")[0].startswith("\033[1m")

    monkeypatch.setenv("NO_COLOR", "1")

    assert summary.metrics("")[0].startswith("metrics")
