"""What Taxon needs: KServe, the Gateway, the Prometheus Operator and metrics for pods.

The charts come from the same Go modules as the programs, so their versions always agree.
With ``images`` None the charts' own images are used.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hack.cluster.gateway import GATEWAY, envoy_gateway, gateway
from hack.cluster.kserve import kserve, kserve_chart
from hack.cluster.kubectl import Object, answers, apply, as_list, kubectl, template
from hack.cluster.monitoring import metrics_server, prometheus, prometheus_operator
from hack.cluster.stand_ins import Images
from hack.cluster.steps import step, succeeds, wait

NAMESPACES = ("envoy-gateway-system", "kserve", "monitoring")


@dataclass(frozen=True)
class Manifests:
    """Everything to apply: first the definitions of new kinds, then the rest."""

    definitions: dict[str, str]
    objects: dict[str, str]


def render(images: Images | None) -> Manifests:
    """Return every manifest, ready to apply."""
    rendered = {
        "gateway": envoy_gateway(images),
        "kserve-definitions": template("kserve-crd", kserve_chart("kserve-crd"), "kserve", {}),
        "prometheus": prometheus_operator(images),
    }
    halves = {name: split(text) for name, text in rendered.items()}
    objects = {
        "gateway": halves["gateway"][1],
        "prometheus": halves["prometheus"][1],
        "kserve": as_list(kserve(images)),
        "metrics-server": metrics_server(images),
        "own": as_list([*gateway(images), *prometheus(images)]),
    }
    return Manifests({name: half[0] for name, half in halves.items()}, objects)


def split(manifest: str) -> tuple[str, str]:
    """Return a manifest's CustomResourceDefinitions, and all the rest."""
    documents = re.split(r"^---\s*$", manifest, flags=re.MULTILINE)
    kinds: tuple[list[str], list[str]] = ([], [])
    for document in documents:
        is_object = re.search(r"^kind: (\w+)", document, re.MULTILINE)
        if is_object:
            kinds[is_object[1] != "CustomResourceDefinition"].append(document)
    return "\n---\n".join(kinds[0]), "\n---\n".join(kinds[1])


def install_definitions(manifests: Manifests) -> None:
    """Extend the API and wait until the server knows the new kinds."""
    with step("Applying the resource definitions"):
        apply(as_list(namespace(name) for name in NAMESPACES), log="addons")
        apply_all(manifests.definitions)
        await_condition("Established", "crd", "--all")


def install(manifests: Manifests) -> None:
    """Apply everything and wait until all of it works."""
    with step("Applying KServe, the Gateway, the Prometheus Operator and metrics-server"):
        apply_all(manifests.objects)
    with step("Waiting until they work"):
        for name in NAMESPACES:
            await_condition("Available", "deployment", "--all", "-n", name)
        await_condition("Programmed", f"gateway/{GATEWAY}", "-n", "kserve")
        await_condition("Available", "prometheus/taxon", "-n", "monitoring")
        await_condition("Available", "apiservice/v1beta1.metrics.k8s.io")
        wait(webhook_answers, what="An answer of KServe's webhook", seconds=60, log="probes")


def apply_all(manifests: dict[str, str]) -> None:
    """Apply several manifests at once."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda text: apply(text, "addons"), manifests.values()))


def await_condition(condition: str, *what: str) -> None:
    """Wait until the named objects report ``condition``."""
    # kubectl fails, instead of waiting, on an object that has no conditions yet.
    command = ("wait", *what, f"--for=condition={condition}", "--timeout=20s")
    wait(
        lambda: answers(*command),
        what=f"Condition {condition} of {' '.join(what)}",
        seconds=180,
        log="probes",
    )


def webhook_answers() -> bool:
    """Return whether KServe's admission webhook answers the API server."""
    probe = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "probe", "namespace": "kserve"},
        "spec": {"containers": [{"name": "kserve-container", "image": "none"}]},
    }
    command = ("apply", "--dry-run=server", "-f", "-")
    return succeeds(lambda: kubectl(*command, stdin=as_list([probe]), log="probes"))


def namespace(name: str) -> Object:
    """Return the namespace ``name``."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
