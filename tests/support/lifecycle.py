"""One ClassifierModel of the real cluster, from `kubectl apply` to the answer at its URL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.kubectl import Object, apply, delete, find, kubectl
from support.traffic import Answers, Target, traffic
from support.waiting import wait_until

from hack.cluster import layout
from taxon_contracts import names
from taxon_controller.observe import probe

SECONDS = 90.0
"""The longest a step of a small model may take on a busy machine."""
ROW = [13.2, 1.78, 2.14, 11.2, 100.0, 2.65, 2.76, 0.26, 1.28, 4.38, 1.05, 3.4, 1050.0]
RATE = 5.0


def small_spec(*, seed: int, **more: Any) -> Object:
    """Return a spec whose run takes a second; another seed is another version."""
    trees = {"name": "n_estimators", "values": ["10"]}
    forest = {"type": "RandomForest", "parameters": [trees]}
    return {
        "dataset": {"uri": "s3://samples/wine.csv", "target": "cultivar"},
        "pipeline": {"classifier": forest},
        "search": {"strategy": "None"},
        "gate": {"champion": {"margin": 1}},
        "seed": seed,
        **more,
    }


def serving(**rollout: int) -> Object:
    """Return how a version is served whose predecessor goes at once."""
    return {"rollout": {"scaleDownDelaySeconds": 0, **rollout}}


@dataclass(frozen=True)
class Life:
    """A model by its name, whatever has become of it."""

    name: str
    namespace: str = "default"

    def apply(self, spec: Object) -> None:
        """Apply the model with this spec and no other."""
        apply(self._body(spec))

    def delete(self) -> None:
        """Delete the model and wait until it is gone."""
        words = ("delete", "clm", self.name, "-n", self.namespace, "--ignore-not-found")
        kubectl(*words, "--timeout=90s")

    def _body(self, spec: Object) -> Object:
        return {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": spec,
        }

    @property
    def body(self) -> Object:
        """Return the model as it is in the cluster."""
        body = find("clm", self.name, self.namespace)
        assert body, f"{self.name} is not there"
        return body

    @property
    def status(self) -> Object:
        """Return its status, empty as long as it is not about the newest spec."""
        body = self.body
        status: Object = body.get("status", {})
        newest = status.get("observedGeneration") == body["metadata"]["generation"]
        return status if newest else {}

    def condition(self, kind: str) -> Object:
        """Return a condition about the newest spec; one that is absent has no keys."""
        conditions = self.status.get("conditions", ())
        return next((one for one in conditions if one["type"] == kind), {})

    def wait(self, holds: Callable[[], bool], *, seconds: float = SECONDS) -> None:
        """Return once something holds; on failure, show the status instead."""
        try:
            wait_until(holds, seconds=seconds, every=0.5)
        except AssertionError as error:
            raise AssertionError(f"{self.name}: {error}: {self.body.get('status')}") from None

    def become_ready(self, *, seconds: float = SECONDS) -> str:
        """Wait until the newest spec is live; return its version."""
        self.wait(lambda: self.condition("Ready").get("status") == "True", seconds=seconds)
        return self.live

    def stall(self) -> Object:
        """Wait until nothing more happens without a person; return the condition."""
        self.wait(lambda: self.condition("Stalled").get("status") == "True")
        return self.condition("Stalled")

    @property
    def live(self) -> str:
        """Return the live version."""
        return str(self.body["status"]["live"]["version"])

    def record(self, version: str) -> Object:
        """Return what the status says became of a version's run."""
        [record] = [one for one in self.versions if one["version"] == version]
        return record

    @property
    def versions(self) -> list[Object]:
        """Return what became of the runs, newest first."""
        versions: list[Object] = self.body.get("status", {}).get("versions", [])
        return versions

    def answering(self) -> str | None:
        """Return the version that answers at the URL of the model's status."""
        host = self.body["status"]["url"].removeprefix("http://")
        gateway = f"http://127.0.0.1:{layout.GATEWAY_PORT}"
        return probe.ask(gateway, host=host, model=self.name)[0]

    @contextmanager
    def unharmed(self, *, rate: float = RATE) -> Iterator[Answers]:
        """Ask the live version all the while: every request is answered."""
        host = f"{self.name}.{self.namespace}.example.com"
        tensor = {"name": "input", "shape": [1, len(ROW)], "datatype": "FP64", "data": ROW}
        path = f"/v2/models/{self.name}/infer"
        target = Target(layout.GATEWAY_PORT, host, path, {"inputs": [tensor]})
        with traffic(target, rate=rate) as answers:
            yield answers
        assert answers.by_outcome["200"]
        assert not answers.failed, f"not answered: {dict(answers.failed)}"

    def jobs(self) -> set[str]:
        """Return the names of its training Jobs."""
        return self._names("jobs")

    def servers(self) -> set[str]:
        """Return the names of its InferenceServices."""
        return self._names("inferenceservices")

    def server(self, version: str) -> Object | None:
        """Return a version's InferenceService, if there is one."""
        return find("inferenceservice", names.serving_name(self.name, version), self.namespace)

    def owned(self) -> set[str]:
        """Return the names of every object made for it."""
        return self._names("jobs,inferenceservices,services,httproutes")

    def _names(self, kinds: str) -> set[str]:
        selector = f"--selector={names.LABEL_MODEL}={self.name}"
        words = ("get", kinds, "-n", self.namespace, selector, "--output=name")
        return set(kubectl(*words).split())


@contextmanager
def living(life: Life, spec: Object) -> Iterator[Life]:
    """Apply a model and delete it afterwards."""
    life.apply(spec)
    try:
        yield life
    finally:
        life.delete()


@contextmanager
def present(*objects: Object) -> Iterator[None]:
    """Apply objects and delete them afterwards."""
    apply(*objects)
    try:
        yield
    finally:
        delete(*objects)
