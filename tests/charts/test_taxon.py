"""The chart taxon: what it renders to, for the defaults, everything, and external back ends."""

import functools
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic_settings import BaseSettings
from support import charts, golden, pod_security
from support.charts import Manifest

from hack.generate import rendered_crd
from taxon_controller.commands import credentials, selftest
from taxon_controller.settings import Settings as ControllerSettings
from taxon_datastore.commands.migrate import Settings as MigrationSettings
from taxon_kube.api import KINDS
from taxon_model_server.settings import Settings as ServerSettings
from taxon_monitor.settings import Settings as MonitorSettings

HERE = Path(__file__).parent
VALUES = sorted((HERE / "values").glob("*.yaml"))
KUBERNETES = ("1.30", "1.34", "1.37")
ELSEWHERE = {
    "BackendTrafficPolicy": "gateway.envoyproxy.io/v1alpha1",
    "ClusterServingRuntime": "serving.kserve.io/v1alpha1",
    "ClusterStorageContainer": "serving.kserve.io/v1alpha1",
    "PodMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
}
"""Kinds whose schemas are not Kubernetes' own; the suite on a cluster has them admitted there."""
SETTINGS: dict[str, type[BaseSettings]] = {
    "controller": ControllerSettings,
    "credentials": credentials.Settings,
    "maintenance": MigrationSettings,
    "migrations": MigrationSettings,
    "monitor": MonitorSettings,
    "kserve-container": ServerSettings,
    "selftest": selftest.Settings,
}
"""Whose environment each container's is; no other container has settings."""
OTHERS = {
    "buckets": {
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_SECRET_ACCESS_KEY",
    },
    "object-store": {"WEED_MASTER_VOLUME_GROWTH_COPY_1"},
    "postgres": {"PASSWORD_FILE", "PGDATA"},
}

every_values_file = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


@functools.cache
def rendered(values: Path) -> list[Manifest]:
    """Return the chart's objects for a file of values."""
    return charts.objects(charts.render(yaml.safe_load(values.read_text())))


def containers(values: Path) -> list[Manifest]:
    """Return every container the chart renders, of pods and of KServe's templates for them."""
    found = []
    for manifest in rendered(values):
        if manifest["kind"] == "ClusterServingRuntime":
            found += manifest["spec"]["containers"]
        if manifest["kind"] == "ClusterStorageContainer":
            found.append(manifest["spec"]["container"])
    for _, pod in charts.pods(rendered(values)):
        found += [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
    return found


def abridged(manifest: Manifest) -> Manifest:
    """Return an object without what other tests compare whole."""
    if manifest["kind"] == "CustomResourceDefinition":
        return manifest | {"spec": "generated"}
    if manifest["kind"] == "PrometheusRule":
        [group] = manifest["spec"]["groups"]
        return manifest | {"spec": [rule["alert"] for rule in group["rules"]]}
    if manifest["kind"] == "ConfigMap":
        return manifest | {"data": sorted(manifest["data"])}
    return manifest


@every_values_file
def test_rendered_objects_are_the_reviewed_ones(values: Path, *, update_golden: bool) -> None:
    """A change of the chart shows as a change of the golden files, object by object."""
    text = yaml.safe_dump_all(
        sorted(map(abridged, rendered(values)), key=charts.title), sort_keys=False, width=100
    )
    golden.assert_golden(text, HERE / "golden" / values.name, update=update_golden)


@every_values_file
def test_helm_3_renders_the_same(values: Path) -> None:
    """Both Helms people have make the same objects."""
    text = charts.render(yaml.safe_load(values.read_text()), programs=charts.helm_3())
    assert charts.objects(text) == rendered(values)


@every_values_file
@pytest.mark.parametrize("version", KUBERNETES)
def test_objects_are_valid_in_every_supported_kubernetes(values: Path, version: str) -> None:
    """Kubernetes' own schemas, in their strict form, accept every object of a kind of its own."""
    for manifest in rendered(values):
        if manifest["kind"] not in ELSEWHERE:
            kubernetes_validate.validate(manifest, version, strict=True)


@every_values_file
def test_kinds_from_elsewhere_are_known(values: Path) -> None:
    """No kind escapes the schemas unnoticed."""
    own = ("v1", "apps/v1", "batch/v1", "policy/v1")
    foreign = {
        one["kind"]: one["apiVersion"]
        for one in rendered(values)
        if one["apiVersion"] not in own and not one["apiVersion"].split("/")[0].endswith(".k8s.io")
    }
    assert foreign.items() <= ELSEWHERE.items()


@every_values_file
def test_what_a_runtime_gives_a_pod_is_valid(values: Path) -> None:
    """Containers and volumes of the ClusterServingRuntime make a pod Kubernetes accepts."""
    [runtime] = [one for one in rendered(values) if one["kind"] == "ClusterServingRuntime"]
    pod = charts.served_pod(runtime)
    stated = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "server"}}
    kubernetes_validate.validate(stated | {"spec": pod["spec"]}, "1.34", strict=True)


@every_values_file
def test_every_pod_is_restricted(values: Path) -> None:
    """Every pod may run in a namespace that enforces the Pod Security Standard `restricted`."""
    found = {
        title: pod_security.violations(pod["spec"]) for title, pod in charts.pods(rendered(values))
    }
    assert not {title: broken for title, broken in found.items() if broken}


@every_values_file
def test_every_container_is_bounded_and_cannot_write_to_its_root(values: Path) -> None:
    """Containers name their resources and a fixed image, and have a read-only root."""
    spec = {"containers": containers(values)}
    assert pod_security.additional_violations(spec) == []


@every_values_file
def test_containers_kserve_starts_are_restricted(values: Path) -> None:
    """The server and the loader fit `restricted` in the pod the controller's builder makes."""
    kserve = [one for one in containers(values) if one["name"] in SERVED]
    pod = {"securityContext": POD_SECURITY, "containers": kserve}
    assert len(kserve) == len(SERVED)
    assert pod_security.violations(pod) == []


SERVED = ("kserve-container", "storage-initializer")
POD_SECURITY = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@every_values_file
def test_every_variable_is_a_setting_of_its_part(values: Path) -> None:
    """No pod gets a variable nothing reads, and none lacks one it cannot start without."""
    for container in containers(values):
        given = {variable["name"] for variable in container.get("env", ())}
        part = SETTINGS.get(container["name"])
        if part is None:
            assert given <= OTHERS.get(container["name"], set()), container["name"]
            continue
        assert given <= variables(part), container["name"]
        assert required(part) <= given, container["name"]


def variables(part: type[BaseSettings]) -> set[str]:
    """Return the variables a part reads."""
    prefix = part.model_config["env_prefix"]
    return {f"{prefix}{field}".upper() for field in part.model_fields}


def required(part: type[BaseSettings]) -> set[str]:
    """Return the variables a part cannot start without."""
    prefix = part.model_config["env_prefix"]
    fields = part.model_fields.items()
    return {f"{prefix}{name}".upper() for name, field in fields if field.is_required()}


@every_values_file
def test_no_service_account_token_where_nothing_asks_the_api(values: Path) -> None:
    """Only the controller, the credentials Job and the test have a token."""
    with_token = {
        pod["spec"]["serviceAccountName"]
        for _, pod in charts.pods(rendered(values))
        if pod["spec"].get("automountServiceAccountToken") is not False
    }
    assert with_token <= {"taxon-controller", "taxon-credentials", "taxon-selftest"}


def rules(values: Path, name: str) -> list[Manifest]:
    """Return the rules of the roles whose name begins so."""
    return [
        rule
        for manifest in rendered(values)
        if manifest["kind"] in ("Role", "ClusterRole")
        and manifest["metadata"]["name"].startswith(name)
        for rule in manifest["rules"]
    ]


@every_values_file
def test_roles_have_no_wildcard_and_are_in_order(values: Path) -> None:
    """Verbs and resources are spelt out, alphabetically."""
    for rule in rules(values, "taxon"):
        for kind in ("apiGroups", "resources", "verbs"):
            assert "*" not in rule[kind]
            assert rule[kind] == sorted(rule[kind])


@every_values_file
def test_the_controller_reads_no_secret(values: Path) -> None:
    """The controller has no right on Secrets, not even in its own namespace."""
    assert not any("secrets" in rule["resources"] for rule in rules(values, "taxon-controller"))


@every_values_file
def test_secrets_are_read_by_name_only(values: Path) -> None:
    """The credentials Job reads and changes the Secrets it knows, and may create."""
    for rule in rules(values, "taxon-credentials"):
        assert rule["verbs"] == ["create"] or rule["resourceNames"]


def test_every_kind_the_controller_works_with_is_granted() -> None:
    """The roles name the resources of the controller's own list of kinds, and no others."""
    values = {"gateway": {"name": "kserve/gateway"}}
    granted = {
        resource.split("/")[0]
        for manifest in charts.objects(charts.render(values))
        if manifest["kind"] in ("Role", "ClusterRole")
        and manifest["metadata"]["name"].startswith("taxon-controller")
        for rule in manifest["rules"]
        for resource in rule["resources"]
    }
    assert granted >= {kind.plural for kind in KINDS.values()}


def test_the_gateway_is_read_only_to_learn_its_address() -> None:
    """Whoever says where the Gateway is reached gives no right to read it."""
    gateway = {"name": "kserve/gateway", "url": "http://gateway.example.com"}
    granted = yaml.safe_dump(charts.objects(charts.render({"gateway": gateway})))
    assert "gateways" not in granted


@every_values_file
def test_the_resource_definition_is_the_generated_one_and_is_kept(values: Path) -> None:
    """Uninstalling leaves the CustomResourceDefinition, and with it every model."""
    definition = charts.named(
        rendered(values), "CustomResourceDefinition", "classifiermodels.taxon.dev"
    )
    assert definition["spec"] == yaml.safe_load(rendered_crd())["spec"]
    assert definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@every_values_file
def test_what_helm_keeps_argo_cd_does_not_prune(values: Path) -> None:
    """Argo CD renders no earlier runtimes, and its pruning does not know Helm's annotation."""
    annotations = [one["metadata"].get("annotations", {}) for one in rendered(values)]
    kept = [one for one in annotations if "helm.sh/resource-policy" in one]

    assert kept
    assert all(one["argocd.argoproj.io/sync-options"] == "Prune=false" for one in kept)


@pytest.mark.parametrize("kind", ["ClusterServingRuntime", "ClusterStorageContainer"])
def test_what_running_models_need_is_kept(kind: str) -> None:
    """Versions that began with a runtime or loader find it after an upgrade or uninstall."""
    [found] = [one for one in rendered(HERE / "values" / "default.yaml") if one["kind"] == kind]
    assert found["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def runtime_name(**image: str) -> Any:
    """Return the name of the ClusterServingRuntime for values of the image."""
    manifests = charts.objects(charts.render({"image": image}))
    [runtime] = [one for one in manifests if one["kind"] == "ClusterServingRuntime"]
    deployment = charts.named(manifests, "Deployment", "taxon-controller")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    settings = {one["name"]: one.get("value") for one in container["env"]}
    assert settings["TAXON_CONTROLLER_RUNTIME"] == runtime["metadata"]["name"]
    return runtime["metadata"]["name"]


def test_another_server_image_makes_another_runtime() -> None:
    """An upgrade never changes the runtime under versions that are being served."""
    assert len({runtime_name(), runtime_name(tag="0.2.0"), runtime_name(registry="a.io/b")}) == 3


def test_a_model_namespace_gets_accounts_for_its_pods() -> None:
    """Every listed namespace gets both accounts; the loader finds its keys through one of them."""
    manifests = rendered(HERE / "values" / "external.yaml")
    accounts = [one for one in manifests if one["kind"] == "ServiceAccount"]
    places = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in accounts}
    for namespace in ("fraud", "churn"):
        assert {(namespace, "taxon-trainer"), (namespace, "taxon-server")} <= places
    servers = [one for one in accounts if one["metadata"]["name"] == "taxon-server"]
    assert all(one["secrets"] == [{"name": "taxon-s3-read"}] for one in servers)


def test_notes_say_the_next_three_commands() -> None:
    """What Helm prints after an install can be typed as it is."""
    notes = charts.render({"modelNamespaces": ["fraud"]}, notes=True).split("NOTES:")[1]
    commands = [line.strip() for line in notes.splitlines() if line.startswith("  kubectl ")]
    assert len(commands) == 3
    assert all("-n fraud" in command for command in commands)


def test_every_image_follows_the_registry() -> None:
    """One value moves every image to another registry."""
    images = {one["image"] for one in containers(HERE / "values" / "evaluation.yaml")}
    prefix = "registry.example.com:5000/mirror/taxon/"
    assert images
    assert all(image.startswith(prefix) and image.endswith(":0.1.0-rc.1") for image in images)


def test_the_list_of_images_is_what_is_pulled() -> None:
    """Whoever mirrors the images the chart lists has mirrored all there are."""
    chart = yaml.safe_load((charts.TAXON / "Chart.yaml").read_text())
    listed = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])
    manifests = charts.objects(
        charts.render({"objectStore": {"evaluation": True}, "database": {"evaluation": True}})
    )
    text = yaml.safe_dump_all(manifests, width=1000)
    assert {one["image"] for one in listed} == set(re.findall(r"docker\.io/[^\s'\"]+", text))


def test_the_chart_packs_whole(tmp_path: Path) -> None:
    """A packed chart renders to the same as its folder: nothing in it leads outside."""
    packed = charts.package(tmp_path)
    values = {"objectStore": {"evaluation": True}}
    assert charts.objects(charts.render(values, chart=packed)) == charts.objects(
        charts.render(values)
    )
