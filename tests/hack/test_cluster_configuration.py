import base64
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import (
    addons,
    certificates,
    control_plane,
    gateway,
    kind,
    kserve,
    layout,
    monitoring,
    network,
    node,
    parts,
)
from hack.cluster.certificates import Identity
from hack.cluster.stand_ins import Images
from hack.cluster.steps import run

IMAGES = Images("k:1", "g:1", "e:1", "o:1", "r:1", "p:1", "m:1")


@pytest.fixture(scope="module", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keep certificates and logs in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("cluster")
        patch.setattr(layout, "CONFIG", home / "config")
        patch.setattr(layout, "LOGS", home / "logs")
        certificates.make_authority()
        yield


def arguments(part: parts.Part) -> dict[str, str]:
    """Return the flags of a part's command."""
    return dict(word.split("=", 1) for word in part.command if word.startswith("--"))


def openssl(*words: str | Path) -> str:
    """Return what openssl prints."""
    return run(["openssl", *words], log="openssl")


def described(pair: certificates.Pair) -> str:
    """Return what a certificate says."""
    return openssl("x509", "-noout", "-text", "-in", pair.certificate)


def test_issued_certificate_is_signed_by_the_authority() -> None:
    """What the cluster issues can be checked with its authority."""
    authority = certificates.pair(certificates.AUTHORITY).certificate
    issued = certificates.issue(Identity("server", "server")).certificate
    assert openssl("verify", "-CAfile", authority, issued).endswith(": OK\n")


def test_issued_certificate_names_its_addresses() -> None:
    """A server's certificate holds names and addresses, each as what it is."""
    identity = Identity("names", "names", addresses=("a.svc", "10.0.0.1"))
    text = described(certificates.issue(identity))
    assert "DNS:a.svc, IP Address:10.0.0.1" in text


def test_issued_certificate_names_user_and_group() -> None:
    """A client's certificate says who it is and what it belongs to."""
    text = described(certificates.issue(Identity("client", "me", "us")))
    assert "Subject: O = us, CN = me" in text


def test_certificate_is_issued_once() -> None:
    """Asking again returns the same certificate, so running parts keep working."""
    identity = Identity("once", "once")
    first = certificates.issue(identity).certificate.read_bytes()
    assert certificates.issue(identity).certificate.read_bytes() == first


def test_keys_are_readable_by_their_owner_only() -> None:
    """Nobody else on the machine can act as a part of the cluster."""
    key = certificates.issue(Identity("private", "private")).key
    assert key.stat().st_mode & 0o077 == 0


def test_kubeconfig_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """The file that makes one the administrator is not for everyone."""
    path = certificates.kubeconfig(tmp_path / "config", parts.ADMIN, parts.SERVER)
    assert path.stat().st_mode & 0o077 == 0


def test_kubeconfig_carries_everything_it_needs(tmp_path: Path) -> None:
    """A kubeconfig works wherever it is copied to on this machine."""
    path = certificates.kubeconfig(tmp_path / "config", parts.ADMIN, parts.SERVER)
    user = json.loads(path.read_text())["users"][0]["user"]
    expected = certificates.issue(parts.ADMIN).certificate.read_bytes()
    assert base64.b64decode(user["client-certificate-data"]) == expected


def test_api_server_listens_on_the_clusters_bridge_only() -> None:
    """Other machines cannot reach the API."""
    flags = arguments(control_plane.api_server(Path("node")))
    assert flags["--bind-address"] == network.NODE_ADDRESS


def test_audit_log_leaves_out_the_clusters_own_controllers() -> None:
    """What is written down is what service accounts of the installed parts ask for."""
    rules = control_plane.audit_policy()["rules"]
    assert rules == [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ]


def test_part_is_restarted_when_a_file_it_reads_changes() -> None:
    """A change of a configuration file is a change of the part's inputs."""
    first = parts.Part("part", ("run",), {Path("file"): "a"})
    assert first.inputs != parts.Part("part", ("run",), {Path("file"): "b"}).inputs


def test_containerd_configuration_is_toml_with_the_needed_settings() -> None:
    """Without this setting no pod starts where the machine may not lower its OOM score."""
    settings = tomllib.loads(node.containerd_config("pause:1"))
    cri = settings["plugins"]["io.containerd.grpc.v1.cri"]
    assert (cri["restrict_oom_score_adj"], cri["sandbox_image"]) == (True, "pause:1")


def test_kubelet_never_collects_images() -> None:
    """Images are loaded and cannot be pulled again."""
    config = node.kubelet_config(certificates.issue(node.KUBELET), Path("resolv.conf"))
    assert config["imageGCHighThresholdPercent"] == 100


def test_name_servers_on_the_loopback_are_left_out() -> None:
    """A resolver on the loopback cannot be asked from a pod."""
    resolv_conf = "nameserver 127.0.0.53\nnameserver 10.0.0.2\noptions edns0\n"
    assert node.upstream_dns(resolv_conf) == ["10.0.0.2"]


def test_dns_without_name_servers_forwards_nothing() -> None:
    """A machine without name servers still resolves the cluster's own names."""
    [corefile] = node.dns(Path("node"), []).files.values()
    assert "forward" not in corefile


def test_definitions_are_told_from_the_rest() -> None:
    """What extends the API is applied before what uses it."""
    definition, service = "kind: CustomResourceDefinition\na: 1\n", "kind: Service\nb: 2\n"
    first, second = addons.split(f"---\n{definition}---\n{service}---\n# nothing\n")
    assert ("a: 1" in first, "b: 2" in second, "b: 2" in first) == (True, True, False)


def test_gateway_is_on_the_fixed_port_of_the_node() -> None:
    """The Gateway answers on the same port with every provider."""
    [_, proxy, _] = gateway.gateway(None)
    service = proxy["spec"]["provider"]["kubernetes"]["envoyService"]
    [port] = service["patch"]["value"]["spec"]["ports"]
    assert (port["nodePort"], service["type"]) == (layout.GATEWAY_PORT, "NodePort")


def test_routes_of_every_namespace_may_hang_on_the_gateway() -> None:
    """A model's route lives in the model's namespace."""
    [_, _, route_parent] = gateway.gateway(None)
    [listener] = route_parent["spec"]["listeners"]
    assert listener["allowedRoutes"] == {"namespaces": {"from": "All"}}


def test_envoys_image_is_named_where_none_can_be_pulled() -> None:
    """The local provider's own image takes the place of the default."""
    [_, proxy, _] = gateway.gateway(IMAGES)
    deployment = proxy["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    assert deployment["container"]["image"] == "e:1"


@pytest.mark.parametrize("kind_of_monitor", ["podMonitor", "serviceMonitor", "rule"])
def test_prometheus_obeys_monitors_of_every_namespace(kind_of_monitor: str) -> None:
    """An empty selector selects everything; a missing one would select nothing."""
    spec = monitoring.prometheus(None)[-1]["spec"]
    assert spec[f"{kind_of_monitor}Selector"] == {}
    assert spec[f"{kind_of_monitor}NamespaceSelector"] == {}


def test_kserves_webhooks_trust_the_clusters_authority() -> None:
    """Without cert-manager the authority is written into the webhooks."""
    webhook: dict[str, Any] = {
        "kind": "ValidatingWebhookConfiguration",
        "webhooks": [{"clientConfig": {}}],
    }
    authority = certificates.pair(certificates.AUTHORITY).certificate
    bundle = kserve.adapted(webhook)["webhooks"][0]["clientConfig"]["caBundle"]
    assert base64.b64decode(bundle) == authority.read_bytes()


def test_kserves_manager_runs_without_the_proxy() -> None:
    """The proxy's image is nowhere to be had and guards metrics nobody scrapes."""
    containers = [{"name": "manager", "readinessProbe": {}}, {"name": "kube-rbac-proxy"}]
    deployment = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": containers}}}}
    adapted = kserve.adapted(deployment)["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in adapted] == ["manager"]


def test_objects_for_cert_manager_are_left_out() -> None:
    """Nothing of cert-manager's is applied where there is none."""
    assert not kserve.wanted({"apiVersion": "cert-manager.io/v1", "kind": "Certificate"})


def test_kind_maps_the_gateway_to_the_loopback() -> None:
    """With kind, too, the Gateway answers on the loopback only."""
    [machine] = json.loads(json.dumps(kind.config()))["nodes"]
    assert machine["extraPortMappings"] == [
        {
            "containerPort": layout.GATEWAY_PORT,
            "hostPort": layout.GATEWAY_PORT,
            "listenAddress": "127.0.0.1",
        }
    ]


def test_kinds_node_is_kubernetes_1_34() -> None:
    """Both providers run the same release."""
    assert kind.NODE_IMAGE.startswith("kindest/node:v1.34.")
