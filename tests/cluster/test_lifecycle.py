"""The life of one model on the real cluster, with the real trainer and server.

The tests are one story in this order: each goes on from where the one before has left the model.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from support.kubectl import kubectl, wait_for
from support.lifecycle import Life, serving, small_spec
from support.waiting import wait_until

from taxon_bundle.location import open_store
from taxon_contracts.names import bundle_uri, model_uri
from taxon_controller import clock

WARM_SECONDS = 10
READY_DEADLINE_SECONDS = 30


@pytest.fixture(scope="module")
def life(release: str) -> Iterator[Life]:
    """Yield the model of the story; it is not there yet."""
    assert release
    life = Life("lifecycle")
    life.delete()
    yield life
    life.delete()


def test_once_ready_the_url_answers_with_the_version(life: Life) -> None:
    """`kubectl wait --for=condition=Ready` returns when the URL in the status answers."""
    life.apply(small_spec(seed=1))
    wait_for("condition=Ready", f"clm/{life.name}", life.namespace, seconds=90)
    assert life.answering() == life.live
    assert life.record(life.live)["trigger"] == "Spec"


def test_replicas_and_log_mode_change_in_place(life: Life) -> None:
    """What is not part of a version's identity is changed on its servers, without a run."""
    version, jobs = life.live, life.jobs()
    more = {"minReplicas": 2, "predictionLog": {"mode": "WithoutFeatures"}}
    with life.unharmed():
        life.apply(small_spec(seed=1, serving=serving() | more))
        life.wait(lambda: _ready_replicas(life, version) == "2 2")
    server = life.server(version)
    assert life.become_ready() == version
    assert life.jobs() == jobs
    assert server
    assert "WithoutFeatures" in str(server["spec"])


def _ready_replicas(life: Life, version: str) -> str:
    deployment = f"deployment/{life.name}-{version}-predictor"
    path = "--output=jsonpath={.status.updatedReplicas} {.status.readyReplicas}"
    return kubectl("get", deployment, "-n", life.namespace, path)


def test_after_an_edit_the_version_before_stays_warm_and_then_goes(life: Life) -> None:
    """Another version takes over without a lost request; the one before goes in its time."""
    first = life.live
    with life.unharmed():
        life.apply(small_spec(seed=2, serving=serving(scaleDownDelaySeconds=WARM_SECONDS)))
        second = life.become_ready()
        assert life.answering() == second != first
        previous = life.status["previous"]
        assert previous["version"] == first
        life.wait(lambda: life.server(first) is None)
    warm = datetime.now(UTC) - clock.parse(previous["sinceTime"])
    assert warm.total_seconds() >= WARM_SECONDS
    assert "previous" not in life.status


def test_the_annotation_retrains_in_the_background(life: Life) -> None:
    """Another version of the same spec becomes live, and the model is Ready all the while."""
    before, ready = life.live, life.condition("Ready")
    words = ("annotate", "clm", life.name, "-n", life.namespace, "--overwrite")
    with life.unharmed():
        kubectl(*words, "taxon.dev/retrain=again")
        life.wait(lambda: life.live != before)
    assert life.record(life.live)["trigger"] == "Manual"
    assert life.condition("Ready")["lastTransitionTime"] == ready["lastTransitionTime"]
    assert life.answering() == life.live


def test_a_pin_goes_back_without_training_and_unpinning_returns(life: Life) -> None:
    """Any kept version can be pinned; its bundle is served again, and no Job is made for it."""
    newest, oldest, jobs = life.live, life.versions[-1]["version"], life.jobs()
    with life.unharmed():
        life.apply(small_spec(seed=2, pinnedVersion=oldest, serving=serving()))
        assert life.become_ready() == oldest
        assert life.answering() == oldest
        life.apply(small_spec(seed=2, serving=serving()))
        assert life.become_ready() == newest
        assert life.answering() == newest
    assert life.jobs() == jobs


def test_a_run_that_fails_for_good_leaves_the_live_version_alone(life: Life) -> None:
    """A spec the data does not fit is Stalled with the trainer's reason; one attempt is made."""
    live = life.live
    spec = small_spec(seed=2, serving=serving())
    spec["dataset"]["features"] = [{"name": "vintage"}]
    with life.unharmed():
        life.apply(spec)
        stalled = life.stall()
    failed = life.versions[0]
    assert stalled["reason"] == failed["reason"] == "FeatureMissing"
    assert "vintage" in stalled["message"]
    assert failed["outcome"] == "Failed"
    assert len([job for job in life.jobs() if failed["version"] in job]) == 1
    assert life.answering() == life.live == live


def test_a_version_the_gate_refuses_is_recorded_and_not_rolled_out(life: Life) -> None:
    """The record has the reason and the numbers; the version gets no servers."""
    live = life.live
    gate = {"limits": [{"metric": "accuracy", "max": 0.1}], "champion": {"margin": 1}}
    with life.unharmed():
        life.apply(small_spec(seed=3, gate=gate, serving=serving()))
        stalled = life.stall()
    refused = life.versions[0]
    figures = {one["name"]: one["value"] for one in refused["metrics"]}
    assert stalled["reason"] == refused["reason"] == "LimitNotMet"
    assert refused["outcome"] == "Refused"
    assert f"accuracy {float(figures['accuracy']):.4f} is above" in refused["message"]
    assert life.condition("GatePassed")["status"] == "False"
    assert life.server(refused["version"]) is None
    assert life.answering() == life.live == live


def test_a_version_that_never_becomes_ready_is_abandoned(life: Life) -> None:
    """Servers no node has room for are given up at the deadline; the live version answers on."""
    live = life.live
    amounts = {"memory": "900Gi"}
    asked = serving(progressDeadlineSeconds=READY_DEADLINE_SECONDS)
    asked["resources"] = {"requests": amounts, "limits": amounts}
    with life.unharmed():
        life.apply(small_spec(seed=4, serving=asked))
        stalled = life.stall()
        abandoned = life.versions[0]
        life.wait(lambda: life.server(abandoned["version"]) is None)
    assert abandoned["outcome"] == "Abandoned"
    assert stalled["reason"] == abandoned["reason"] == "Unschedulable"
    assert "memory" in stalled["message"]
    assert life.answering() == life.live == live


def test_suspended_no_run_begins_until_it_ends(life: Life) -> None:
    """An edit of a suspended model waits; the live version answers on, and then gives way."""
    live, jobs = life.live, life.jobs()
    with life.unharmed():
        life.apply(small_spec(seed=5, suspend=True, serving=serving()))
        life.wait(lambda: life.condition("Ready").get("reason") == "Suspended")
        assert life.jobs() == jobs
        assert life.answering() == live
        life.apply(small_spec(seed=5, serving=serving()))
        assert life.become_ready() != live
    assert life.answering() == life.live


@pytest.mark.usefixtures("object_store")
def test_only_so_many_versions_and_bundles_are_kept(life: Life) -> None:
    """Beyond versionHistoryLimit bundles, Jobs and records go; the live version's stay.

    A run that failed has no bundle, and takes the place of none that has.
    """
    oldest, live = life.versions[-1]["version"], life.live
    assert _bundle(life, oldest)
    life.apply(
        small_spec(seed=5, versionHistoryLimit=2, deletionPolicy="Delete", serving=serving())
    )
    life.wait(lambda: sum("bundleURI" in one for one in life.versions) == 2)
    kept = {one["version"] for one in life.versions}
    assert live in kept
    assert not _bundle(life, oldest)
    assert _bundle(life, live)
    assert {key.split("/")[0] for key in _bundles(life)} <= kept
    assert not [job for job in life.jobs() if not any(version in job for version in kept)]
    assert life.answering() == live


@pytest.mark.usefixtures("object_store")
def test_deleted_with_its_bundles_nothing_is_left(life: Life) -> None:
    """With deletionPolicy Delete the bundles go before the model does, and all it owns after."""
    assert life.owned()
    life.delete()
    assert not _bundles(life)
    wait_until(lambda: not life.owned(), seconds=60, every=0.5)


def _bundle(life: Life, version: str) -> tuple[str, ...]:
    place = {"namespace": life.namespace, "model": life.name, "version": version}
    return open_store(bundle_uri("s3://taxon", **place)).keys()


def _bundles(life: Life) -> tuple[str, ...]:
    uri = model_uri("s3://taxon", namespace=life.namespace, model=life.name)
    return open_store(uri).keys()
