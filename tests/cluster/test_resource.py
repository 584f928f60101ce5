"""The resource as a person meets it on the real API server, and a status that was lost."""

import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.kubectl import PROGRAM, kubectl
from support.lifecycle import Life, living, small_spec

from hack.cluster import layout
from taxon_contracts import names

WINE = layout.ROOT / "manifests" / "samples" / "wine.csv"


@pytest.fixture(scope="module")
def life(release: str) -> Iterator[Life]:
    """Yield a model with two versions."""
    assert release
    with living(Life("lost-status"), small_spec(seed=1)) as model:
        model.become_ready()
        model.apply(small_spec(seed=2))
        model.become_ready()
        yield model


def refusal(spec: dict[str, Any]) -> str:
    """Return what the API server says to a spec it refuses."""
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": "refused", "namespace": "default"},
        "spec": spec,
    }
    done = subprocess.run(
        [PROGRAM, "apply", "--dry-run=server", "-f", "-"],
        input=json.dumps(body),
        env=layout.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode, done.stdout
    return done.stderr


REFUSED = {
    "a nickname": (
        {"retrain": {"schedule": "@daily"}},
        '"@daily" is not five cron fields; use "0 0 * * *"',
    ),
    "four fields": ({"retrain": {"schedule": "0 3 * *"}}, "a schedule is five cron fields"),
    "a way out of the bucket": (
        {"dataset": {"uri": "s3://samples/../wine.csv", "target": "cultivar"}},
        "uri must not have . or .. as a part of its key",
    ),
    "a line break": (
        {"dataset": {"uri": "s3://samples/wi\nne.csv", "target": "cultivar"}},
        "uri must be s3://bucket/key of a table",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_the_api_server_answers_in_sentences(
    release: str, change: dict[str, Any], sentence: str
) -> None:
    """No regular expression for a person to read."""
    assert release
    said = refusal(small_spec(seed=1) | change)

    assert sentence in said
    assert "should match" not in said


def test_explain_gives_default_and_bounds(release: str) -> None:
    """`kubectl explain` is the reference in a terminal."""
    assert release
    assert "Default: 5. 2 to 20." in kubectl("explain", "clm.spec.search.folds")


def test_a_lost_status_is_rebuilt_without_training(life: Life) -> None:
    """The pods of all Jobs are gone, and the status with them: every version is what it was."""
    before, jobs = life.versions, life.jobs()
    selector = (
        f"--selector=app.kubernetes.io/component=training-job,{names.LABEL_MODEL}={life.name}"
    )
    kubectl("delete", "pods", "-n", life.namespace, selector)
    patch = ("--subresource=status", "--type=merge", '--patch={"status": null}')
    kubectl("patch", "clm", life.name, "-n", life.namespace, *patch)
    life.become_ready()

    assert life.versions == before
    assert life.jobs() == jobs


def test_a_table_gets_into_the_object_store_by_one_command(release: str, tmp_path: Path) -> None:
    """With the namespace's own keys; a model is trained from it at once."""
    assert release
    table = tmp_path / "put-by-one-command.csv"
    table.write_bytes(WINE.read_bytes())
    command = [str(Path(sysconfig.get_path("scripts")) / "taxon"), "table", "put", str(table)]
    done = subprocess.run(
        [*command, "--namespace=default", "--replace"],
        env=layout.environment() | {"PATH": f"{layout.BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    uri = done.stdout.strip()
    spec = small_spec(seed=1) | {"dataset": {"uri": uri, "target": "cultivar"}}

    assert uri == f"s3://tables/default/{table.name}"
    with living(Life("table-by-one-command"), spec) as model:
        model.become_ready()
