"""Models among other objects of the real cluster: their own, their namesakes', and strangers'."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from support import charts
from support.kubectl import Object, apply, delete, find, kubectl, wait_for
from support.lifecycle import Life, living, present, serving, small_spec
from support.release import helm, install
from support.waiting import wait_until

from taxon_bundle.location import open_store
from taxon_contracts.names import model_uri, serving_name

NEIGHBOUR = "lifecycle-neighbour"
FIRES_SECONDS = 130.0
"""A minute until the schedule fires, and what a run and a switch may take."""

pytestmark = pytest.mark.usefixtures("scheduled")  # its minute passes during the other tests


@pytest.fixture(scope="module")
def scheduled(release: str) -> Iterator[Life]:
    """Yield a model that is retrained every minute."""
    assert release
    spec = small_spec(seed=1, retrain={"schedule": "* * * * *"}, serving=serving())
    with living(Life("lifecycle-scheduled"), spec) as life:
        yield life


@pytest.fixture(scope="module")
def neighbour(release: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield a second model namespace, which the release has for as long as it is needed."""
    assert release
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NEIGHBOUR}}
    folder = tmp_path_factory.mktemp("values")
    text = helm("get", "values", "taxon", "--output=yaml")
    before = _file(folder / "before.yaml", text)
    values = yaml.safe_load(text)
    values["modelNamespaces"] = [*values["modelNamespaces"], NEIGHBOUR]
    apply(namespace)
    install(charts.TAXON, values=_file(folder / "meanwhile.yaml", yaml.safe_dump(values)))
    yield NEIGHBOUR
    install(charts.TAXON, values=before)
    delete(namespace)
    kubectl("wait", f"namespace/{NEIGHBOUR}", "--for=delete", "--timeout=90s")


def _file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def twins(neighbour: str) -> Iterator[tuple[Life, Life]]:
    """Yield two models of one name in two namespaces, both Ready."""
    name = "lifecycle-twin"
    with (
        living(Life(name), small_spec(seed=1)) as here,
        living(Life(name, neighbour), small_spec(seed=2)) as there,
    ):
        for life in (here, there):
            life.become_ready()
        yield here, there


def test_a_table_without_the_target_stops_the_first_run(release: str) -> None:
    """A model whose target is not a column is Stalled with that reason after one attempt."""
    assert release
    spec = small_spec(seed=1)
    spec["dataset"]["target"] = "vintage"
    with living(Life("lifecycle-target"), spec) as life:
        stalled = life.stall()
        assert stalled["reason"] == "TargetMissing"
        assert "vintage" in stalled["message"]
        assert len(life.jobs()) == 1
        assert "live" not in life.status


def test_a_service_of_someone_else_stays_untouched(release: str) -> None:
    """Its name makes a model Stalled, for which nothing is made until the Service is gone."""
    assert release
    life = Life("lifecycle-taken")
    metadata = {"name": life.name, "namespace": life.namespace}
    spec = {"selector": {"app": "someone-else"}, "ports": [{"port": 80}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    with ExitStack() as others:
        others.enter_context(present(service))
        before = find("service", life.name, life.namespace)
        with living(life, small_spec(seed=1)):
            stalled = life.stall()
            assert not life.owned()
            assert find("service", life.name, life.namespace) == before
            others.close()
            life.become_ready()
            assert life.answering() == life.live
    assert stalled["reason"] == "NameTaken"
    assert f"Service/{life.name}" in stalled["message"]


def test_models_of_one_name_in_two_namespaces_are_two(twins: tuple[Life, Life]) -> None:
    """Each answers under its own host with its own version, from a bundle of its own."""
    here, there = twins
    assert here.answering() == here.live != there.live
    assert there.answering() == there.live
    uris = {life.record(life.live)["bundleURI"] for life in twins}
    assert {uri.split("/")[3] for uri in uris} == {here.namespace, there.namespace}


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("service", "jsonpath={.spec.clusterIP}"),
        (
            "httproute",
            "jsonpath={.status.parents[0].conditions[?(@.type=='Accepted')].status}=True",
        ),
        ("inferenceservice", "condition=Ready"),
    ],
)
def test_a_child_deleted_by_hand_comes_back(
    twins: tuple[Life, Life], kind: str, condition: str
) -> None:
    """What a person deletes is made again and works, without another run."""
    life = twins[0]
    version, jobs, name = life.live, life.jobs(), _child(life, kind)
    before = _found(kind, name, life)
    kubectl("delete", kind, name, "-n", life.namespace, "--timeout=60s")

    def is_back() -> bool:
        found = find(kind, name, life.namespace)
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    life.wait(is_back)
    wait_for(condition, f"{kind}/{name}", life.namespace, seconds=60)
    life.wait(lambda: life.answering() == version)
    assert life.become_ready() == version
    assert life.jobs() == jobs


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("service", {"spec": {"selector": {"app": "nobody"}}}),
        ("httproute", {"spec": {"hostnames": ["nobody.example.com"]}}),
        ("inferenceservice", {"spec": {"predictor": {"minReplicas": 2, "maxReplicas": 2}}}),
    ],
)
def test_a_child_edited_by_hand_is_put_right(
    twins: tuple[Life, Life], kind: str, patch: Object
) -> None:
    """What a person changes in an object of a model is changed back."""
    life = twins[0]
    name = _child(life, kind)
    before = _found(kind, name, life)["spec"]
    text = yaml.safe_dump(patch)
    kubectl("patch", kind, name, "-n", life.namespace, "--type=merge", f"--patch={text}")
    life.wait(lambda: _found(kind, name, life)["spec"] == before)
    life.wait(lambda: life.answering() == life.live)


def _child(life: Life, kind: str) -> str:
    return serving_name(life.name, life.live) if kind == "inferenceservice" else life.name


def _found(kind: str, name: str, life: Life) -> Object:
    found = find(kind, name, life.namespace)
    assert found
    return found


@pytest.mark.usefixtures("object_store")
def test_deleted_by_the_default_policy_a_model_leaves_its_bundles(
    twins: tuple[Life, Life],
) -> None:
    """With deletionPolicy Retain all objects go and the bundles stay; the namesake answers on."""
    gone, other = twins
    bundles = open_store(model_uri("s3://taxon", namespace=gone.namespace, model=gone.name))
    before = bundles.keys()
    with other.unharmed():
        gone.delete()
        wait_until(lambda: not gone.owned(), seconds=60, every=0.5)
    assert before
    assert bundles.keys() == before
    assert other.answering() == other.live


def test_a_schedule_that_fires_makes_a_version(scheduled: Life) -> None:
    """At its minute a run begins by itself; its version becomes live and says what asked for it."""
    scheduled.become_ready()
    scheduled.wait(lambda: _live_trigger(scheduled) == "Schedule", seconds=FIRES_SECONDS)
    assert "Spec" in {one["trigger"] for one in scheduled.versions}


def _live_trigger(life: Life) -> str:
    status = life.body["status"]
    triggers = {one["version"]: one["trigger"] for one in status["versions"]}
    return str(triggers[status["live"]["version"]])
