"""What the controller's metrics say of a model beside its conditions."""

from support.outcomes import ended, result
from support.story import Story
from support.world import World

from taxon_contracts.run import RunRequest
from taxon_controller.domain.model import Model, read_model
from taxon_controller.telemetry import Telemetry
from taxon_kube.api import Manifest

KEY = {"namespace": "default", "model": "wine"}
GATE = {"limits": [{"metric": "accuracy", "min": 0.5}, {"metric": "brier", "max": 0.9}]}


def live() -> Model:
    """Return a model with a live version."""
    story = Story(World())
    story.submit(gate=GATE)
    story.run()
    return read_model(story.world.model("wine", "default"))


def test_the_live_version_is_shown_with_the_time_since_when() -> None:
    """model_live_since_seconds has the live version, and its Unix time."""
    model, telemetry = live(), Telemetry()
    telemetry.show(model, model.status)
    assert model.status.live
    labels = {**KEY, "version": model.status.live.version}
    since = telemetry.registry.get_sample_value("model_live_since_seconds", labels)
    assert since
    assert since > 1_500_000_000


def test_limits_of_the_gate_are_shown() -> None:
    """Each bound of each limit is one series."""
    model, telemetry = live(), Telemetry()
    telemetry.show(model, model.status)
    for metric, bound, value in (("accuracy", "min", 0.5), ("brier", "max", 0.9)):
        labels = {**KEY, "metric": metric, "bound": bound}
        assert telemetry.registry.get_sample_value("model_gate_limit", labels) == value


def test_a_metric_is_compared_exactly_and_its_score_is_short() -> None:
    """An alert that compares 0.79996 with the limit 0.8 fires; rounded it would not."""

    def close(request: RunRequest, _attempt: int) -> Manifest:
        return ended(result(request, "Accepted", "LimitsMet", "no limits", value=0.79996))

    story, telemetry = Story(World(train=close)), Telemetry()
    story.submit(gate={})
    story.run()
    model = read_model(story.world.model())
    telemetry.show(model, model.status)
    labels = {**KEY, "version": story.live, "metric": "roc_auc"}

    assert telemetry.registry.get_sample_value("model_metric", labels) == 0.79996
    assert story.status.live is not None
    assert story.status.live.score == "0.8000"


def test_runs_of_a_model_start_at_zero_and_are_counted_by_outcome() -> None:
    """A first failure is an increase: the series was there before."""
    model, telemetry = live(), Telemetry()
    telemetry.show(model, model.status)
    before = read_model(model.body | {"status": {}})
    telemetry.count_runs(before, model.status)
    for outcome, count in (("Accepted", 1), ("Failed", 0)):
        labels = {**KEY, "outcome": outcome}
        assert telemetry.registry.get_sample_value("taxon_runs_total", labels) == count


def test_a_run_that_was_given_up_for_another_spec_has_not_failed() -> None:
    """An edit while a run goes on rings no alarm."""
    story, telemetry = Story(World(trains=False)), Telemetry()
    story.submit()
    story.look()
    story.submit(seed=7)
    story.look()
    model = read_model(story.world.model())
    telemetry.show(model, model.status)
    telemetry.count_runs(read_model(model.body | {"status": {}}), model.status)

    assert [reason for _, _, reason in story.outcomes] == ["Superseded"]
    labels = {**KEY, "outcome": "Failed"}
    assert telemetry.registry.get_sample_value("taxon_runs_total", labels) == 0


def test_nothing_is_shown_of_a_model_that_is_gone() -> None:
    """Live version, gate and runs go with the model."""
    model, telemetry = live(), Telemetry()
    telemetry.show(model, model.status)
    telemetry.forget("default", "wine")
    shown = [sample.labels for family in telemetry.registry.collect() for sample in family.samples]
    assert not [labels for labels in shown if labels.get("model") == "wine"]
