"""The gate's verdict as a table: figures in, decision and reason out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxon_contracts.figures import beside, readable
from taxon_contracts.gate import ChampionComparison, judge
from taxon_contracts.resource import Gate
from taxon_contracts.scores import ScoreName, gain

LIMITS = Gate.model_validate(
    {"limits": [{"metric": "roc_auc", "min": 0.8}, {"metric": "brier", "max": 0.2}]}
)
GOOD: dict[ScoreName, float] = {"roc_auc": 0.9951, "brier": 0.03}


def compared(low: float, high: float) -> ChampionComparison:
    """Return a comparison whose paired gain has the interval ``low`` to ``high``."""
    middle = (low + high) / 2
    return ChampionComparison(
        version="v3f9c2a71be",
        metric="roc_auc",
        candidate=0.95 + middle,
        champion=0.95,
        gain=middle,
        low=low,
        high=high,
    )


CASES = {
    "all limits kept": (GOOD, None, True, "LimitsMet"),
    "a minimum missed": (GOOD | {"roc_auc": 0.79}, None, False, "LimitNotMet"),
    "a maximum missed": (GOOD | {"brier": 0.21}, None, False, "LimitNotMet"),
    "exactly on the limit": (GOOD | {"roc_auc": 0.8}, None, True, "LimitsMet"),
    "a metric that is not a number": (GOOD | {"brier": math.nan}, None, False, "MetricNotFinite"),
    "a metric that is missing": ({"roc_auc": 0.9}, None, False, "MetricNotFinite"),
    "surely worse than the champion": (GOOD, compared(-0.2, -0.05), False, "WorseThanChampion"),
    "worse, but within the margin": (GOOD, compared(-0.02, -0.005), True, "LimitsMet"),
    "worse, but not surely": (GOOD, compared(-0.1, 0.02), True, "LimitsMet"),
    "better than the champion": (GOOD, compared(0.01, 0.05), True, "LimitsMet"),
    "a comparison that is not a number": (
        GOOD,
        compared(-0.1, 0.0).model_copy(update={"high": math.nan}),
        False,
        "WorseThanChampion",
    ),
    "a missed limit before a bad comparison": (
        GOOD | {"roc_auc": 0.5},
        compared(-0.2, -0.1),
        False,
        "LimitNotMet",
    ),
}


@pytest.mark.parametrize(
    ("metrics", "comparison", "passed", "reason"), CASES.values(), ids=CASES.keys()
)
def test_the_verdict(
    metrics: dict[ScoreName, float],
    comparison: ChampionComparison | None,
    passed: bool,  # noqa: FBT001 - a column of the table
    reason: str,
) -> None:
    """Each row of the table gives its decision and its reason."""
    verdict = judge(LIMITS, metrics, comparison)

    assert (verdict.passed, verdict.reason) == (passed, reason)


def test_the_message_names_every_broken_limit_with_its_numbers() -> None:
    """A person reads from the message what to change."""
    verdict = judge(LIMITS, {"roc_auc": 0.7, "brier": 0.3}, None)

    assert verdict.message == (
        "roc_auc 0.7000 is below the limit 0.8; brier 0.3000 is above the limit 0.2"
    )


def test_the_message_of_a_pass_shows_the_numbers_too() -> None:
    """A pass is as explainable as a refusal."""
    verdict = judge(LIMITS, GOOD, compared(-0.001, 0.003))

    assert verdict.message == (
        "0.8 <= roc_auc 0.9951; brier 0.0300 <= 0.2; roc_auc 0.9510, live v3f9c2a71be has 0.9500"
    )


def test_a_margin_of_one_turns_the_comparison_off() -> None:
    """The only way to roll out a version that is known to be worse."""
    gate = Gate.model_validate({"champion": {"margin": 1}})

    assert judge(gate, GOOD, compared(-0.9, -0.8)).passed


def test_without_limits_and_champion_a_version_passes_and_says_why() -> None:
    """An empty gate is open, and says so."""
    assert judge(Gate(), {}, None).message == "no limits are set"


@given(high=st.floats(-1, 1), margin=st.floats(0, 0.99))
def test_a_version_is_refused_exactly_when_its_interval_lies_below_the_margin(
    high: float, margin: float
) -> None:
    """The rule holds for all numbers, not only for those of the table."""
    gate = Gate.model_validate({"champion": {"margin": margin}})

    assert judge(gate, {}, compared(high - 0.1, high)).passed == (high >= -margin)


@pytest.mark.parametrize(("name", "better"), [("roc_auc", 0.1), ("log_loss", -0.1), ("ece", -0.1)])
def test_a_gain_is_positive_when_the_value_is_better(name: ScoreName, better: float) -> None:
    """Losses count downwards."""
    assert gain(name, 0.5 + better, 0.5) == pytest.approx(0.1)


CLOSE = {
    "rounded it would reach the minimum": ("min", 0.8, 0.79996, "0.79996 is below the limit 0.8"),
    "rounded it would reach the maximum": ("max", 0.2, 0.20004, "0.20004 is above the limit 0.2"),
    "far below what four decimals show": ("max", 0.00003, 0.00004, "0.00004 is above the limit"),
    "a limit of many decimals": ("min", 0.79999999, 0.7, "below the limit 0.79999999"),
    "the last bit": ("min", 0.3, 0.3 - 2**-54, "0.2999999999999999 is below the limit 0.3"),
}


@pytest.mark.parametrize(("bound", "limit", "value", "words"), CLOSE.values(), ids=CLOSE.keys())
def test_the_comparison_shown_is_the_comparison_made(
    bound: str, limit: float, value: float, words: str
) -> None:
    """A person never reads that 0.8000 is below 0.8."""
    gate = Gate.model_validate({"limits": [{"metric": "log_loss", bound: limit}]})

    assert words in judge(gate, {"log_loss": value}, None).message


@given(value=st.floats(-2, 2), bound=st.floats(-2, 2))
def test_a_figure_beside_a_bound_compares_as_it_does(value: float, bound: float) -> None:
    """However it is shortened, it stays on its side."""
    shown = float(beside(value, bound))

    assert (shown < bound, shown > bound) == (value < bound, value > bound)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.99514, "0.9951"), (0.0, "0.0000"), (0.00004, "4.0e-05"), (-1.5, "-1.5000")],
)
def test_a_figure_for_people_is_short_and_never_a_false_zero(value: float, text: str) -> None:
    """Four decimals, unless they would hide that there is anything."""
    assert readable(value) == text
