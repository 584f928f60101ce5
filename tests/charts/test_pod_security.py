"""The checker of pods finds what the standard refuses, and nothing in a pod that is right."""

import copy
from typing import Any

import pytest
from support.pod_security import additional_violations, violations

RIGHT: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "a",
            "image": "a/b:1",
            "resources": {
                "requests": {"cpu": "1", "memory": "1"},
                "limits": {"cpu": "1", "memory": "1"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        }
    ],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the right pod with one value changed."""
    spec = copy.deepcopy(RIGHT)
    *parents, last = path.split(".")
    node: Any = spec
    for key in parents:
        node = node[int(key)] if key.isdigit() else node.setdefault(key, {})
    node[last] = value
    return spec


def test_a_restricted_pod_breaks_nothing() -> None:
    """A pod with everything the standard asks for passes."""
    assert violations(RIGHT) == []
    assert additional_violations(RIGHT) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("hostNetwork", True, "hostNetwork is set"),
        ("hostPID", True, "hostPID is set"),
        ("hostIPC", True, "hostIPC is set"),
        ("volumes", [{"name": "x", "hostPath": {}}], "volume x is of type hostPath"),
        ("securityContext.sysctls", [{"name": "kernel.msgmax"}], "sysctl kernel.msgmax is set"),
        ("securityContext.runAsNonRoot", False, "a: runAsNonRoot is not true"),
        ("securityContext.runAsUser", 0, "pod: runAsUser is 0"),
        ("securityContext.seccompProfile", {}, "a: has no seccompProfile"),
        ("securityContext.windowsOptions", {"hostProcess": True}, "pod: is a hostProcess"),
        (
            "securityContext.appArmorProfile",
            {"type": "Unconfined"},
            "pod: appArmorProfile is Unconfined",
        ),
        ("securityContext.seLinuxOptions", {"user": "system_u"}, "pod: seLinuxOptions are set"),
        (
            "containers.0.securityContext.allowPrivilegeEscalation",
            True,
            "a: allowPrivilegeEscalation is not false",
        ),
        (
            "containers.0.securityContext.capabilities",
            {"drop": []},
            "a: capabilities do not drop ALL",
        ),
        (
            "containers.0.securityContext.capabilities",
            {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
            "a: capabilities are added",
        ),
        ("containers.0.securityContext.privileged", True, "a: is privileged"),
        ("containers.0.securityContext.procMount", "Unmasked", "a: procMount is not Default"),
        ("containers.0.ports", [{"hostPort": 80}], "a: has a hostPort"),
        ("containers.0.securityContext.runAsUser", 0, "a: runAsUser is 0"),
    ],
)
def test_what_the_standard_refuses_is_found(path: str, value: object, message: str) -> None:
    """Each rule of the standard finds its violation."""
    assert violations(changed(path, value)) == [message]


def test_an_init_container_is_checked_too() -> None:
    """Init containers are held to the same rules."""
    spec = changed("initContainers", [{"name": "i", "image": "a/b:1"}])
    assert [found for found in violations(spec) if found.startswith("i:")]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "containers.0.securityContext.readOnlyRootFilesystem",
            False,
            "a: may write to its root",
        ),
        ("containers.0.resources.limits", {"cpu": "1"}, "a: limits do not name cpu and memory"),
        ("containers.0.image", "a/b:latest", "a: image has no fixed tag"),
    ],
)
def test_what_taxon_asks_beyond_the_standard_is_found(
    path: str, value: object, message: str
) -> None:
    """Each addition finds its violation."""
    assert additional_violations(changed(path, value)) == [message]
