"""The chart on a real API server, which either Helm asks what it knows; nothing runs there."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from support import charts

from hack import tools
from hack.cluster.api_server import TOKEN, ApiServer, loose, running_api_server
from taxon_cli.local.ports import PortBlock
from taxon_kube.api import Kind

DEFINITION = "classifiermodels.taxon.dev"
SAMPLE = charts.ROOT / "manifests" / "samples" / "wine.yaml"
KSERVE = (
    Kind("ClusterServingRuntime", "serving.kserve.io/v1alpha1", "clusterservingruntimes"),
    Kind("ClusterStorageContainer", "serving.kserve.io/v1alpha1", "clusterstoragecontainers"),
)


@dataclass(frozen=True)
class Administrator:
    """Who works on an API server with kubectl and one of both Helms."""

    server: ApiServer
    programs: Path

    def helm(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Helm on the release's namespace."""
        server, token = f"--kube-apiserver={self.server.url}", f"--kube-token={TOKEN}"
        trust = f"--kube-ca-file={self.server.certificate}"
        place = f"--namespace={charts.NAMESPACE}"
        program = str(self.programs / "helm")
        return self._run(program, *words, server, token, trust, place)

    def install(self, chart: Path) -> None:
        """Install or upgrade the release."""
        done = self.helm("upgrade", "--install", "taxon", str(chart), "--create-namespace")
        assert done.returncode == 0, done.stderr

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """Run kubectl and return what it printed."""
        server, token = f"--server={self.server.url}", f"--token={TOKEN}"
        trust = f"--certificate-authority={self.server.certificate}"
        program = str(self.programs / "kubectl")
        done = self._run(program, *words, server, token, trust, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def categories(self) -> str:
        """Return the categories of the definition, which an older chart lacks here."""
        path = "--output=jsonpath={.spec.names.categories}"
        return self.kubectl("get", "crd", DEFINITION, path)

    @staticmethod
    def _run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ports: PortBlock) -> Iterator[ApiServer]:
    """Yield an API server that knows Kubernetes' own kinds."""
    with running_api_server(tmp_path_factory.mktemp("api"), ports) as found:
        yield found


@pytest.fixture(params=["helm-3", "helm-4"])
def administrator(request: pytest.FixtureRequest, server: ApiServer) -> Administrator:
    """Return who works on the server with one of both Helms."""
    older = request.param == "helm-3"
    programs = charts.helm_3() if older else tools.install()
    return Administrator(server, programs)


@pytest.fixture
def with_kserve(administrator: Administrator) -> Iterator[Administrator]:
    """Yield who works on a server with stand-ins for the kinds of KServe the chart makes."""
    definitions = [loose(kind) for kind in KSERVE]
    for definition in definitions:
        definition["spec"]["scope"] = "Cluster"
    names = [f"crd/{one['metadata']['name']}" for one in definitions]
    administrator.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(definitions))
    administrator.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    yield administrator
    administrator.kubectl("delete", "crd", DEFINITION, "--ignore-not-found", "--timeout=60s")
    administrator.kubectl("delete", *names, "--timeout=60s")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Return a chart whose definition lacks what the present one has."""
    chart = Path(shutil.copytree(charts.TAXON, tmp_path / "taxon"))
    definition = chart / "templates" / "crd.yaml"
    text = definition.read_text()
    narrowed = text.replace("    categories:\n    - taxon\n", "")
    assert narrowed != text
    definition.write_text(narrowed)
    return chart


def test_an_install_without_kserve_makes_nothing(administrator: Administrator) -> None:
    """Helm says what is missing in one sentence, and leaves no object behind."""
    done = administrator.helm("upgrade", "--install", "taxon", str(charts.TAXON))
    message = "this cluster has no ClusterServingRuntime (serving.kserve.io/v1alpha1)"
    assert f"{message}: install KServe first\n" in done.stderr
    assert administrator.kubectl("get", "crd", DEFINITION, "--ignore-not-found") == ""


def test_an_upgrade_brings_the_newer_definition(with_kserve: Administrator, older: Path) -> None:
    """The definition is upgraded with the release, which a `crds` folder would not be."""
    with_kserve.install(older)
    before = with_kserve.categories()
    with_kserve.install(charts.TAXON)
    assert (before, with_kserve.categories()) == ("", '["taxon"]')


def test_an_uninstall_keeps_the_definition_and_the_models(with_kserve: Administrator) -> None:
    """A model outlives the release, and the next release takes the definition over."""
    with_kserve.install(charts.TAXON)
    with_kserve.kubectl("apply", "--namespace=default", "-f", str(SAMPLE))
    assert with_kserve.helm("uninstall", "taxon").returncode == 0
    with_kserve.install(charts.TAXON)
    listed = with_kserve.kubectl("get", "clm", "--namespace=default", "--output=name")
    assert listed == "classifiermodel.taxon.dev/wine\n"
