"""Kubernetes' Pod Security Standard `restricted`, and Taxon's own additions, as a check of a pod.

The rules are those of the standard; implemented again, because the original runs in an API server.
"""

from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]

VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
SECCOMP = ("RuntimeDefault", "Localhost")
SELINUX = (None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")


def violations(spec: Spec) -> list[str]:
    """Return what a pod's spec breaks of `restricted`."""
    return [
        *_pod_violations(spec),
        *(found for one in _containers(spec) for found in _own(spec, one)),
    ]


def additional_violations(spec: Spec) -> list[str]:
    """Return what a pod's spec breaks of what Taxon asks beyond the standard."""
    return list(_additional(spec))


def _containers(spec: Spec) -> list[Spec]:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [container for kind in kinds for container in spec.get(kind, ())]


def _pod_violations(spec: Spec) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is set"
    for volume in spec.get("volumes", ()):
        types = set(volume) - {"name"}
        if not types <= VOLUMES:
            yield f"volume {volume['name']} is of type {', '.join(sorted(types))}"
    security = spec.get("securityContext", {})
    for sysctl in security.get("sysctls", ()):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is set"
    yield from _either_violations("pod", security)


def _own(spec: Spec, container: Spec) -> Iterator[str]:
    name = container["name"]
    security = container.get("securityContext", {})
    pod = spec.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation is not false"
    capabilities = security.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield f"{name}: capabilities do not drop ALL"
    if not set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities are added"
    if security.get("privileged"):
        yield f"{name}: is privileged"
    if security.get("procMount", "Default") != "Default":
        yield f"{name}: procMount is not Default"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield f"{name}: has a hostPort"
    if security.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield f"{name}: runAsNonRoot is not true"
    profile = security.get("seccompProfile", pod.get("seccompProfile", {}))
    if profile.get("type") not in SECCOMP:
        yield f"{name}: has no seccompProfile"
    yield from _either_violations(name, security)


def _either_violations(name: str, security: Spec) -> Iterator[str]:
    """Yield what is refused on a pod and on a container alike."""
    if security.get("runAsUser") == 0:
        yield f"{name}: runAsUser is 0"
    if security.get("windowsOptions", {}).get("hostProcess"):
        yield f"{name}: is a hostProcess"
    if security.get("appArmorProfile", {}).get("type") == "Unconfined":
        yield f"{name}: appArmorProfile is Unconfined"
    options = security.get("seLinuxOptions", {})
    if options.get("type") not in SELINUX or options.get("user") or options.get("role"):
        yield f"{name}: seLinuxOptions are set"
    if security.get("seccompProfile", {}).get("type") == "Unconfined":
        yield f"{name}: seccompProfile is Unconfined"


def _additional(spec: Spec) -> Iterator[str]:
    for container in _containers(spec):
        name = container["name"]
        if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
            yield f"{name}: may write to its root"
        resources = container.get("resources", {})
        for kind in ("requests", "limits"):
            if not {"cpu", "memory"} <= set(resources.get(kind, ())):
                yield f"{name}: {kind} do not name cpu and memory"
        if container.get("image", "").endswith(":latest") or ":" not in container.get("image", ""):
            yield f"{name}: image has no fixed tag"
