"""A real kube-apiserver alone: no kubelet, no Job controller, no KServe."""

import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

import kopf
import yaml
from kubernetes.client import Configuration

from hack.cluster import builds, certificates
from hack.cluster.steps import run, wait
from hack.generate import CRD_PATH
from taxon_cli.local.ports import PortBlock
from taxon_kube.api import (
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    MODEL,
    SERVICE_ACCOUNT,
    ApiError,
    Kind,
    Manifest,
)
from taxon_kube.client import Cluster

TOKEN = "of-this-server"  # noqa: S105 - of a server that lives as long as who starts it


CRD = Kind("CustomResourceDefinition", "apiextensions.k8s.io/v1", "customresourcedefinitions")
NAMESPACE = Kind("Namespace", "v1", "namespaces")


class Admin(Cluster):
    """A client that also writes what has no namespace."""

    def put(self, kind: Kind, manifest: Manifest) -> None:
        """Create an object of the whole cluster."""
        self._call("POST", kind, None, body=manifest)

    def put_namespace(self, name: str) -> None:
        """Create a namespace with the ServiceAccounts models need."""
        self.put(NAMESPACE, {"metadata": {"name": name}})
        for account in ("taxon-trainer", "taxon-server"):
            place = {"name": account, "namespace": name}
            self.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place})


class ApiServer:
    """How to reach the server."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.certificate = str(certificate)

    def configuration(self) -> Configuration:
        """Return how the official client reaches it."""
        configuration = Configuration(host=self.url)
        configuration.ssl_ca_cert = self.certificate
        configuration.api_key = {"BearerToken": f"Bearer {TOKEN}"}
        return configuration

    def login(self, **_: object) -> kopf.ConnectionInfo:
        """Return how kopf reaches it."""
        return kopf.ConnectionInfo(server=self.url, token=TOKEN, ca_path=self.certificate)

    def cluster(self) -> Admin:
        """Return a client of it."""
        return Admin(self.configuration())

    def open(self, path: str) -> HTTPResponse:
        """Return the answer to a GET, to be read as it comes."""
        tls = ssl.create_default_context(cafile=self.certificate)
        request = urllib.request.Request(  # noqa: S310 - https, to this server
            self.url + path, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        answer: HTTPResponse = urllib.request.urlopen(request, context=tls)  # noqa: S310 - as above
        return answer

    def install_kinds(self) -> None:
        """Define the kinds the controller needs: Taxon's own, and two that accept any content."""
        admin = self.cluster()
        admin.put(CRD, yaml.safe_load(CRD_PATH.read_text()))
        for kind in (INFERENCE_SERVICE, HTTP_ROUTE):
            admin.put(CRD, loose(kind))
        kinds = (MODEL, INFERENCE_SERVICE, HTTP_ROUTE)
        wait(
            lambda: all(_serves(self, kind) for kind in kinds),
            what="the API server knows every kind", seconds=120, log="api-server",
        )  # fmt: skip


def loose(kind: Kind) -> Manifest:
    """Return a CustomResourceDefinition that accepts any content."""
    group, _, version = kind.api_version.rpartition("/")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in"},
        },
        "spec": {
            "group": group,
            "names": {"kind": kind.name, "plural": kind.plural},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


@contextmanager
def running_api_server(folder: Path, ports: PortBlock) -> Iterator[ApiServer]:
    """Start etcd and kube-apiserver of `make cluster`; stop them at the end."""
    toolchain = run(["go", "env", "GOVERSION"], cwd=builds.KUBERNETES, log="build").strip()
    program = builds.build(
        builds.Program(
            "node", builds.KUBERNETES, "./node", variables=builds.kubernetes_variables()
        ),
        toolchain,
    )
    store, peers, port = (ports.take() for _ in range(3))
    key, tokens = folder / "service-accounts.key", folder / "tokens.csv"
    tokens.write_text(f"{TOKEN},admin,admin,system:masters\n")
    certificates.new_key(key)
    etcd = [
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls=http://127.0.0.1:{store}",
        f"--advertise-client-urls=http://127.0.0.1:{store}",
        f"--listen-peer-urls=http://127.0.0.1:{peers}",
        "--unsafe-no-fsync",
        "--log-level=error",
    ]
    server = [
        f"--etcd-servers=http://127.0.0.1:{store}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder}/certificates",
        "--service-account-issuer=https://taxon.test",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.97.0.0/16",
        "--disable-admission-plugins=ServiceAccount",
        "--authorization-mode=AlwaysAllow",
        f"--token-auth-file={tokens}",
    ]
    with (
        _process(program, "etcd", etcd, folder),
        _process(program, "kube-apiserver", server, folder),
    ):
        certificate = folder / "certificates" / "apiserver.crt"
        found = ApiServer(port, certificate)
        wait(
            lambda: certificate.exists() and _serves(found, SERVICE_ACCOUNT),
            what="the API server answers", seconds=120, log="api-server",
        )  # fmt: skip
        yield found


def _serves(server: ApiServer, kind: Kind) -> bool:
    try:
        server.cluster().list(kind, "default")
    except ApiError:
        return False
    return True


@contextmanager
def _process(program: Path, name: str, arguments: list[str], folder: Path) -> Iterator[None]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([str(program), name, *arguments], stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()  # on SIGTERM it waits a minute for open watches; no data is kept
            process.wait(60)
