"""The node: what runs pods, connects them, resolves their names and keeps their volumes."""

import json
from pathlib import Path

from hack.cluster import layout, network, processes
from hack.cluster.certificates import AUTHORITY, Identity, Pair, issue, pair
from hack.cluster.parts import ADMIN, NODE, VOLUME_PLUGINS, Part, flags, kubeconfig

CONTAINERD_SOCKET = layout.RUN / "containerd.sock"
PROVISIONER = "taxon.dev/folders"

KUBELET = Identity(
    "kubelet", f"system:node:{NODE}", "system:nodes", addresses=(NODE, network.NODE_ADDRESS)
)
PROXY = Identity("kube-proxy", "system:kube-proxy")


def containerd(pause_image: str) -> Part:
    """Return the container runtime, kept apart from one the machine may already run."""
    path = layout.CONFIG / "containerd.toml"
    files = {
        path: containerd_config(pause_image),
        layout.CONFIG / "cni" / "10-taxon.conflist": json.dumps(pod_network()),
    }
    return Part("containerd", ("containerd", f"--config={path}"), files)


def containerd_config(pause_image: str) -> str:
    """Return containerd's configuration."""
    return f"""version = 2
root = "{layout.STORE}"
state = "{layout.RUN}/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause_image}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{layout.CONFIG}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{layout.RUN}/runc"
"""


def pod_network() -> dict[str, object]:
    """Return how a pod gets its interface and address: a port of the node's bridge."""
    bridge = {
        "type": "bridge",
        "bridge": network.BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": network.PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(layout.HOME / "addresses"),
        },
    }
    return {"cniVersion": "0.4.0", "name": network.NETWORK, "plugins": [bridge]}


def kubelet(node: Path, upstream_dns: list[str]) -> Part:
    """Return what runs the node's pods."""
    path, resolv_conf = layout.CONFIG / "kubelet.json", layout.CONFIG / "resolv.conf"
    files = {
        path: json.dumps(kubelet_config(issue(KUBELET), resolv_conf)),
        resolv_conf: "".join(f"nameserver {address}\n" for address in upstream_dns),
    }
    arguments = flags(
        config=path,
        kubeconfig=kubeconfig(KUBELET),
        root_dir=layout.HOME / "kubelet",
        hostname_override=NODE,
        node_ip=network.NODE_ADDRESS,
    )
    return Part("kubelet", (str(node), "kubelet", *arguments), files)


def kubelet_config(serving: Pair, resolv_conf: Path) -> dict[str, object]:
    """Return the kubelet's configuration: lenient about the machine, strict about callers."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network.NODE_ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pair(AUTHORITY).certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{processes.CGROUP}",
        "clusterDNS": [network.NODE_ADDRESS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi"},
        "failCgroupV1": False,
        "failSwapOn": False,
        # Images are loaded, never pulled: a collected one could not be restored.
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        "podLogsDir": str(layout.LOGS / "pods"),
        "resolvConf": str(resolv_conf),
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "volumePluginDir": str(VOLUME_PLUGINS),
    }


def proxy(node: Path) -> Part:
    """Return kube-proxy, which makes Services reachable; NodePorts answer on the loopback only."""
    path = layout.CONFIG / "kube-proxy.json"
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(kubeconfig(PROXY))},
        "clusterCIDR": network.PODS,
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "hostnameOverride": NODE,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": ["127.0.0.0/8"],
    }
    files = {path: json.dumps(config)}
    return Part("kube-proxy", (str(node), "kube-proxy", f"--config={path}"), files)


def dns(node: Path, upstream_dns: list[str]) -> Part:
    """Return the cluster's name server, which answers on the node's address."""
    path = layout.CONFIG / "Corefile"
    elsewhere = f"forward . {' '.join(upstream_dns)}" if upstream_dns else ""
    text = f""".:53 {{
    bind {network.NODE_ADDRESS}
    errors
    health 127.0.0.1:10253
    ready 127.0.0.1:10254
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig(ADMIN)}
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
    {elsewhere}
    cache 30
}}
"""
    return Part("coredns", (str(node), "coredns", f"-conf={path}"), {path: text})


def volumes(program: Path) -> Part:
    """Return the provisioner: it creates a folder for every claim on the default StorageClass."""
    arguments = flags(kubeconfig=kubeconfig(ADMIN), name=PROVISIONER, root=layout.VOLUMES)
    return Part("volumes", (str(program), *arguments))


def upstream_dns(resolv_conf: str) -> list[str]:
    """Return the name servers of a ``resolv.conf`` that answer from outside this machine too."""
    lines = [line.split() for line in resolv_conf.splitlines()]
    servers = [words[1] for words in lines if words[:1] == ["nameserver"] and len(words) > 1]
    return [server for server in servers if not server.startswith("127.")]
