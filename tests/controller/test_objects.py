"""Every object the controller makes, whole, as files that are read in review."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import golden
from support.outcomes import DIGEST
from support.stored import stored
from support.world import SETTINGS, START

from taxon_contracts.resource import Resources
from taxon_contracts.run import Champion
from taxon_contracts.status import Run, TrainedDataset, VersionMetric, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.actions import Event, Finding
from taxon_controller.domain.drift import matches
from taxon_controller.objects import shared
from taxon_controller.objects.cleanup_job import cleanup_job, version_cleanup_name
from taxon_controller.objects.event import event
from taxon_controller.objects.http_route import http_route
from taxon_controller.objects.inference_service import inference_service
from taxon_controller.objects.service import service
from taxon_controller.objects.training_job import training_job

GOLDEN = Path(__file__).parent / "golden"
VERSION, LIVE = "v3f9c2a71be", "v77c0de1234"
FULL: dict[str, Any] = {
    "gate": {"limits": [{"metric": "roc_auc", "min": 0.8}]},
    "training": {
        "resources": {"requests": {"cpu": "1", "memory": "4Gi"}},
        "deadlineSeconds": 600,
        "serviceAccountName": "own-trainer",
        "secretRef": {"name": "own-s3"},
        "tracking": {"wandb": {"project": "demo", "secretRef": {"name": "wandb"}}},
    },
    "serving": {
        "minReplicas": 2,
        "maxReplicas": 5,
        "resources": {"limits": {"cpu": "50m", "memory": "128Mi"}},
        "serviceAccountName": "own-server",
        "predictionLog": {"mode": "WithoutFeatures"},
        "http": {
            "rateLimit": "100/second",
            "corsOrigins": ["https://app.example.com", "http://[::1]:3000"],
            "accessLog": True,
            "maxBodyBytes": 1048576,
            "maxRows": 1000,
        },
    },
}
RUN = Run(
    version=VERSION,
    trigger="Schedule",
    token="schedule:2026-11-02T03:00:00Z",  # noqa: S106 - a slot, no secret
    attempt=2,
    start_time=clock.text(START),
)
RECORD = VersionRecord(
    version=VERSION,
    trigger="Spec",
    outcome="Accepted",
    reason="LimitsMet",
    message="roc_auc 0.9951 >= 0.8",
    bundle_uri=f"s3://taxon/default/wine/{VERSION}/",
    manifest_digest=DIGEST,
    metrics=(VersionMetric(name="roc_auc", value="0.9951", low="0.9870", high="1.0000"),),
    start_time=clock.text(START),
    completion_time=clock.text(START),
)
CHAMPION = Champion(
    version=LIVE, bundle_uri=f"s3://taxon/default/wine/{LIVE}/", manifest_digest=DIGEST
)


PLAIN, RICH = stored(), stored(**FULL)
FOLLOWING = stored(
    dataset={"table": {"name": "wine"}, "target": "cultivar"},
    serving={"predictionLog": {"retentionDays": 30, "excludeFeatures": ["age", "post code"]}},
)
ON_DATASET = RUN.model_copy(
    update={
        "trigger": "NewDataset",
        "token": "dataset:3",
        "dataset": TrainedDataset(name="wine", version=3),
    }
)
OBJECTS: dict[str, Callable[[], dict[str, Any]]] = {
    "training-job": lambda: training_job(PLAIN, RUN, champion=None, settings=SETTINGS),
    "training-job-full": lambda: training_job(RICH, RUN, champion=CHAMPION, settings=SETTINGS),
    "training-job-on-data-set": lambda: training_job(
        FOLLOWING, ON_DATASET, champion=None, settings=SETTINGS
    ),
    "inference-service-on-data-set": lambda: inference_service(
        FOLLOWING,
        RECORD.model_copy(update={"dataset": ON_DATASET.dataset, "token": "dataset:3"}),
        runtime="taxon",
        settings=SETTINGS,
    ),
    "inference-service": lambda: inference_service(
        PLAIN, RECORD, runtime="taxon", settings=SETTINGS
    ),
    "inference-service-full": lambda: inference_service(
        RICH, RECORD, runtime="taxon-0.1.0", settings=SETTINGS
    ),
    "service": lambda: service(PLAIN, VERSION, settings=SETTINGS),
    "http-route": lambda: http_route(
        PLAIN,
        VERSION,
        versions=[VERSION, LIVE],
        gateway="kserve/gateway",
        host="wine.default.example.com",
        listener="https",
    ),
    "cleanup-job": lambda: cleanup_job(
        PLAIN,
        version_cleanup_name(PLAIN, RECORD),
        (f"s3://taxon/default/wine/{VERSION}/",),
        seconds=600,
        settings=SETTINGS,
    ),
    "event": lambda: event(
        PLAIN,
        Event(Finding("LimitNotMet", "roc_auc is too low"), warning=True),
        time=clock.text(START),
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_is_as_it_was_read_in_review(name: str, *, update_golden: bool) -> None:
    """The whole object, not some of its fields; ``--update-golden`` writes the files again."""
    text = yaml.safe_dump(OBJECTS[name](), sort_keys=False, width=100)

    golden.assert_golden(text, GOLDEN / f"{name}.yaml", update=update_golden)


@pytest.mark.parametrize("versions", [[VERSION], [VERSION, LIVE], []])
def test_the_rule_that_has_the_traffic_never_moves(versions: list[str]) -> None:
    """It is the first, whichever versions can be asked by their own path."""
    route = http_route(
        PLAIN, VERSION, versions=versions, gateway="kserve/gateway", host="wine.default.example.com"
    )
    first, *others = route["spec"]["rules"]

    assert first["matches"][0]["path"]["value"] == "/"
    assert len(others) == len(versions)


@pytest.mark.parametrize("name", ["training-job", "training-job-full", "cleanup-job"])
def test_pods_keep_to_restricted_pod_security(name: str) -> None:
    """Non-root, no escalation, no capabilities, RuntimeDefault, a root that cannot be written."""
    pod = OBJECTS[name]()["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


def test_a_dollar_sign_reaches_the_trainer_as_it_is() -> None:
    """Kubernetes would expand ``$(...)`` in a variable."""
    odd = stored(dataset={"uri": "s3://samples/wine.csv", "target": "$(HOME)"})
    [container] = training_job(odd, RUN, champion=None, settings=SETTINGS)["spec"]["template"][
        "spec"
    ]["containers"]

    assert "$(" not in container["env"][0]["value"]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({}, ("100m", "1", "256Mi", "1Gi")),
        ({"requests": {"cpu": "2"}}, ("2", "2", "256Mi", "1Gi")),
        ({"limits": {"memory": "128Mi"}}, ("100m", "1", "128Mi", "128Mi")),
        (
            {"requests": {"cpu": "200m", "memory": "2Gi"}, "limits": {"cpu": "3"}},
            ("200m", "3", "2Gi", "2Gi"),
        ),
    ],
)
def test_resources_are_always_whole_and_never_past_what_was_asked(
    asked: dict[str, Any], given: tuple[str, str, str, str]
) -> None:
    """KServe fills in a whole core for what is left out."""
    made = shared.resources(
        Resources.model_validate(asked),
        requests={"cpu": "100m", "memory": "256Mi"},
        limits={"cpu": "1", "memory": "1Gi"},
    )

    assert made == {
        "requests": {"cpu": given[0], "memory": given[2]},
        "limits": {"cpu": given[1], "memory": given[3]},
    }


@pytest.mark.parametrize(
    ("there", "wanted", "same"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1]}}, False),
        ({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}]}, True),
        ({"cpu": "1"}, {"cpu": "1000m"}, True),
        ({"cpu": "1"}, {"cpu": "1001m"}, False),
        ({"a": "x"}, {"a": "y"}, False),
        ({"a": 1}, {"a": "1"}, False),
        ([], {"a": 1}, False),
        ({"selector": {"a": "x", "b": "y"}}, {"selector": {"a": "x"}}, False),
    ],
)
def test_only_a_real_difference_is_written(there: Any, wanted: Any, *, same: bool) -> None:
    """What others have added and other spellings of an amount are none."""
    assert matches(there, wanted) is same
