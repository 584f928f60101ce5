"""What Helm runs beside the release: the migrations after it, and the test when asked."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support import charts
from support.charts import Manifest

from taxon_datastore.commands.migrate import Settings as MigrationSettings
from taxon_datastore.database import CONNECT_SECONDS, GRACE_SECONDS, STATEMENT_SECONDS

VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))
HELM_SECONDS = 300
"""How long Helm waits for a hook unless it is set otherwise."""
DATABASES: dict[str, dict[str, Any]] = {
    "evaluation": {"evaluation": True},
    "external": {"secretName": "company-postgres"},
}

every_database = pytest.mark.parametrize("database", DATABASES.values(), ids=DATABASES)


def hooks(manifests: list[Manifest]) -> dict[str, list[str]]:
    """Return when Helm runs each object that is not part of the release."""
    annotated = {charts.title(one): one["metadata"].get("annotations", {}) for one in manifests}
    return {
        title: annotations["helm.sh/hook"].split(",")
        for title, annotations in annotated.items()
        if "helm.sh/hook" in annotations
    }


def migrations(database: dict[str, Any]) -> Manifest:
    """Return the migrations Job."""
    manifests = charts.objects(charts.render({"database": database}))
    return charts.named(manifests, "Job", "taxon-migrations")


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_migrations_and_the_test_are_the_only_hooks(values: Path) -> None:
    """Whatever a pod needs to become ready is part of the release, which Helm waits for first."""
    manifests = charts.objects(charts.render(yaml.safe_load(values.read_text())))
    assert hooks(manifests).keys() <= {
        "Job/taxon-system/taxon-migrations",
        "Pod/taxon-system/taxon-selftest",
    }


@every_database
def test_the_schema_follows_every_install_and_upgrade_and_no_rollback(
    database: dict[str, Any],
) -> None:
    """Migrations run once all is ready; an older release works on the newer schema as it is."""
    [when] = hooks([migrations(database)]).values()
    assert when == ["post-install", "post-upgrade"]


@every_database
def test_a_migration_that_failed_is_kept_for_its_log(database: dict[str, Any]) -> None:
    """Success leaves nothing; a failure stays, for a day or until the next try, and is printed."""
    job = migrations(database)
    annotations = job["metadata"]["annotations"]
    deleted = annotations["helm.sh/hook-delete-policy"].split(",")
    assert deleted == ["before-hook-creation", "hook-succeeded"]
    assert annotations["helm.sh/hook-output-log-policy"] == "hook-failed"
    assert job["spec"]["ttlSecondsAfterFinished"] == 24 * 60 * 60


@every_database
def test_the_migration_says_why_before_its_pod_is_taken(database: dict[str, Any]) -> None:
    """Its patience and the last try fit the Job's deadline, with time for a pod to start."""
    job = migrations(database)
    last_try = CONNECT_SECONDS + STATEMENT_SECONDS + GRACE_SECONDS
    patience = MigrationSettings.model_fields["patience_seconds"].default
    assert patience + last_try + 60 <= job["spec"]["activeDeadlineSeconds"] < HELM_SECONDS


@every_database
def test_a_failed_migration_is_one_pod_with_one_log(database: dict[str, Any]) -> None:
    """Kubernetes tries again only for a pod that was taken away, as from a drained node."""
    spec = migrations(database)["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["backoffLimit"] == 0
    [rule] = spec["podFailurePolicy"]["rules"]
    assert rule == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }


def test_no_database_means_no_migration() -> None:
    """Where nothing is logged, nothing is migrated."""
    assert hooks(charts.objects(charts.render({}))) == {}
