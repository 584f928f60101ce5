"""The chart on a real cluster: upgrade, rollback, uninstall and reinstall under steady traffic.

What needs an API server only, such as the definition's upgrade, is in test_bare_server.
"""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import charts
from support.charts import Manifest
from support.kubectl import find, kubectl, wait_for
from support.release import SYSTEM, helm, install
from support.traffic import Target, traffic

from hack.cluster import layout
from taxon_contracts import names

NAMESPACE, MODEL = "default", "breast-cancer"
SAMPLES = layout.ROOT / "manifests" / "samples"
RATE = 20.0


@pytest.fixture
def values(release: str, tmp_path: Path) -> Path:
    """Return the values the release has."""
    assert release
    path = tmp_path / "values.yaml"
    path.write_text(helm("get", "values", "taxon", "--output=yaml"))
    return path


@pytest.fixture
def target(release: str) -> Iterator[Target]:
    """Yield what asks a model that is live behind the Gateway."""
    assert release
    kubectl("apply", "-n", NAMESPACE, "-f", str(SAMPLES / f"{MODEL}.yaml"))
    wait_for("condition=Ready", f"clm/{MODEL}", NAMESPACE, seconds=180)
    row = (SAMPLES / f"{MODEL}.csv").read_text().splitlines()[1].split(",")[:-1]
    tensor = {"name": "input", "shape": [1, len(row)], "datatype": "FP64"}
    body = {"inputs": [tensor | {"data": [float(value) for value in row]}]}
    host = f"{MODEL}.{NAMESPACE}.example.com"
    yield Target(layout.GATEWAY_PORT, host, f"/v2/models/{MODEL}/infer", body)
    kubectl("delete", "clm", MODEL, "-n", NAMESPACE, "--timeout=60s")


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """Return the chart as it was before its last change, as a release of an older version."""
    git = ["git", "-C", str(layout.ROOT)]
    log = [*git, "log", "--skip=1", "--max-count=1", "--format=%H", "--", "charts/taxon"]
    commit = subprocess.run(log, capture_output=True, text=True, check=True).stdout.strip()
    assert commit, "the history is cut short: fetch at least the chart's last two changes"
    archive = [*git, "archive", commit, "charts/taxon", "manifests/samples"]
    content = subprocess.run(archive, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        tar.extractall(tmp_path, filter="data")
    chart = tmp_path / "charts" / "taxon"
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    older = described | {"version": "0.0.1", "appVersion": "0.0.1"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(older))
    return chart


def known(values: Path, chart: Path, folder: Path) -> Path:
    """Return a file with those of the values that an older chart knows."""

    def both(given: Manifest, defaults: Manifest) -> Manifest:
        return {
            key: both(value, defaults[key]) if isinstance(value, dict) and defaults[key] else value
            for key, value in given.items()
            if key in defaults
        }

    older = folder / "older-values.yaml"
    defaults = yaml.safe_load((chart / "values.yaml").read_text())
    older.write_text(yaml.safe_dump(both(yaml.safe_load(values.read_text()) or {}, defaults)))
    return older


def credentials() -> dict[str, Any]:
    """Return the data of every Secret pods depend on that is there."""
    places = {
        "taxon-evaluation": SYSTEM,
        "taxon-monitor-database": SYSTEM,
        "taxon-s3-write": NAMESPACE,
        "taxon-s3-read": NAMESPACE,
        **dict.fromkeys(names.DATABASE_SECRETS.values(), NAMESPACE),
    }
    found = {name: find("secret", name, namespace) for name, namespace in places.items()}
    return {name: secret["data"] for name, secret in found.items() if secret}


def test_upgrade_and_rollback_lose_no_request_and_no_password(
    target: Target, previous: Path, values: Path, tmp_path: Path
) -> None:
    """From the previous chart to this one and back, a live model answers every request.

    Each version has a ClusterServingRuntime of its own, which both releases must know to go back.
    """
    tag = yaml.safe_load((charts.TAXON / "Chart.yaml").read_text())["appVersion"]
    install(previous, f"--set=image.tag={tag}", values=known(values, previous, tmp_path))
    before = credentials()
    with traffic(target, rate=RATE) as answers:
        install(charts.TAXON, values=values)
        helm("rollback", "taxon", "--wait", "--timeout=3m")
        install(charts.TAXON, values=values)
    assert answers.by_outcome["200"]
    assert not answers.failed
    assert credentials().items() >= before.items()


def test_helm_test_trains_and_asks_a_model(release: str) -> None:
    """`helm test` succeeds on a release that works, and says what it did."""
    assert release
    assert "A model was trained and served" in helm("test", "taxon", "--logs")


def test_uninstall_leaves_models_and_data_and_a_reinstall_adopts_them(
    target: Target, values: Path
) -> None:
    """Models answer on without the release; a new one finds them, their keys and their rows."""
    before = credentials()
    model = find("clm", MODEL, NAMESPACE)
    with traffic(target, rate=RATE) as answers:
        helm("uninstall", "taxon", "--wait")
        kept = find("clm", MODEL, NAMESPACE)
        install(charts.TAXON, values=values)
    wait_for("condition=Ready", f"clm/{MODEL}", NAMESPACE, seconds=60)
    assert answers.by_outcome["200"]
    assert not answers.failed
    assert kept
    assert model
    assert kept["metadata"]["uid"] == model["metadata"]["uid"]
    assert credentials() == before


def is_foreign(manifest: Manifest) -> bool:
    """Return whether an object's kind is one of KServe's, the Gateway's or Prometheus'."""
    groups = ("gateway.envoyproxy.io/", "monitoring.coreos.com/", "serving.kserve.io/")
    return str(manifest["apiVersion"]).startswith(groups)


@pytest.mark.parametrize("file", ["default.yaml", "evaluation.yaml", "external.yaml"])
def test_objects_of_kserve_and_prometheus_are_admitted(file: str, release: str) -> None:
    """What Kubernetes' own schemas do not describe is accepted by those who do."""
    assert release
    text = (Path(__file__).parents[1] / "charts" / "values" / file).read_text()
    foreign = [
        one for one in charts.objects(charts.render(yaml.safe_load(text))) if is_foreign(one)
    ]
    for one in foreign:
        if "namespace" in one["metadata"]:
            one["metadata"]["namespace"] = SYSTEM  # the only one of them that is there
    assert foreign
    manifest = yaml.safe_dump_all(foreign)
    words = ("--dry-run=server", "--validate=strict", "--server-side", "--force-conflicts")
    kubectl("apply", *words, "-f", "-", stdin=manifest)


def test_everything_is_where_a_restricted_namespace_allows_it(release: str) -> None:
    """The release works in a namespace that enforces `restricted`, and without a warning."""
    assert release
    words = ("--dry-run=server", "--overwrite", "pod-security.kubernetes.io/enforce=restricted")
    done = subprocess.run(
        [str(layout.BIN / "kubectl"), "label", "namespace", SYSTEM, *words],
        env=layout.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "violate" not in done.stderr
