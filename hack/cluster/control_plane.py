"""The control plane: the store, the API server, the controllers and the scheduler."""

import json
from pathlib import Path

from hack.cluster import layout, network
from hack.cluster.certificates import AUTHORITY, SERVICE_ACCOUNTS, Identity, Pair, issue, pair
from hack.cluster.parts import VOLUME_PLUGINS, Part, flags, kubeconfig

API_SERVER = Identity(
    "kube-apiserver",
    "kube-apiserver",
    addresses=(
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "10.96.0.1",
        "127.0.0.1",
        network.NODE_ADDRESS,
    ),
)
API_SERVER_AS_CLIENT = Identity("kube-apiserver-client", "kube-apiserver-client", "system:masters")
AGGREGATOR = Identity("aggregator", "aggregator")
CONTROLLER_MANAGER = Identity("kube-controller-manager", "system:kube-controller-manager")
ETCD = Identity("etcd", "etcd", addresses=("127.0.0.1",))
SCHEDULER = Identity("kube-scheduler", "system:kube-scheduler")


def etcd(node: Path) -> Part:
    """Return the store behind the API server."""
    issued, authority = issue(ETCD), pair(AUTHORITY).certificate
    arguments = flags(
        data_dir=layout.HOME / "etcd",
        listen_client_urls="https://127.0.0.1:2379",
        advertise_client_urls="https://127.0.0.1:2379",
        listen_peer_urls="https://127.0.0.1:2380",
        cert_file=issued.certificate,
        key_file=issued.key,
        client_cert_auth=True,
        trusted_ca_file=authority,
        peer_cert_file=issued.certificate,
        peer_key_file=issued.key,
        peer_client_cert_auth=True,
        peer_trusted_ca_file=authority,
        unsafe_no_fsync=True,
        log_level="warn",
    )
    return Part("etcd", (str(node), "etcd", *arguments))


def api_server(node: Path) -> Part:
    """Return the API server, with an audit log of requests."""
    serving, client, store = issue(API_SERVER), issue(API_SERVER_AS_CLIENT), issue(ETCD)
    policy = layout.CONFIG / "audit.json"
    arguments = flags(
        advertise_address=network.NODE_ADDRESS,
        bind_address=network.NODE_ADDRESS,
        secure_port=6443,
        service_cluster_ip_range=network.SERVICES,
        etcd_servers="https://127.0.0.1:2379",
        etcd_cafile=pair(AUTHORITY).certificate,
        etcd_certfile=store.certificate,
        etcd_keyfile=store.key,
        tls_cert_file=serving.certificate,
        tls_private_key_file=serving.key,
        client_ca_file=pair(AUTHORITY).certificate,
        kubelet_client_certificate=client.certificate,
        kubelet_client_key=client.key,
        kubelet_preferred_address_types="InternalIP",
        authorization_mode="Node,RBAC",
        enable_admission_plugins="NodeRestriction",
        allow_privileged=True,
        audit_policy_file=policy,
        audit_log_path=layout.LOGS / "audit.log",
        audit_log_maxsize=100,
        audit_log_maxbackup=2,
        **token_flags(pair(SERVICE_ACCOUNTS)),
        **aggregation_flags(issue(AGGREGATOR)),
    )
    files = {policy: json.dumps(audit_policy())}
    # Half the slack before it collects garbage: the definitions alone keep 500 MB alive.
    variables = {"GOGC": "50"}
    return Part("kube-apiserver", (str(node), "kube-apiserver", *arguments), files, variables)


def token_flags(tokens: Pair) -> dict[str, object]:
    """Return the flags for signing and checking service account tokens."""
    return {
        "service_account_issuer": "https://kubernetes.default.svc.cluster.local",
        "service_account_key_file": tokens.key,
        "service_account_signing_key_file": tokens.key,
    }


def aggregation_flags(client: Pair) -> dict[str, object]:
    """Return the flags with which the API server identifies users to other API servers."""
    return {
        "requestheader_client_ca_file": pair(AUTHORITY).certificate,
        "requestheader_allowed_names": AGGREGATOR.common_name,
        "requestheader_extra_headers_prefix": "X-Remote-Extra-",
        "requestheader_group_headers": "X-Remote-Group",
        "requestheader_username_headers": "X-Remote-User",
        "proxy_client_cert_file": client.certificate,
        "proxy_client_key_file": client.key,
    }


def audit_policy() -> dict[str, object]:
    """Return the audit policy: log every request of a service account outside kube-system."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
            {"level": "None"},
        ],
    }


def controller_manager(node: Path) -> Part:
    """Return the controllers that are part of Kubernetes."""
    config, authority = kubeconfig(CONTROLLER_MANAGER), pair(AUTHORITY)
    arguments = flags(
        kubeconfig=config,
        authentication_kubeconfig=config,
        authorization_kubeconfig=config,
        bind_address="127.0.0.1",
        root_ca_file=authority.certificate,
        cluster_signing_cert_file=authority.certificate,
        cluster_signing_key_file=authority.key,
        service_account_private_key_file=pair(SERVICE_ACCOUNTS).key,
        use_service_account_credentials=True,
        flex_volume_plugin_dir=VOLUME_PLUGINS,
        leader_elect=False,
    )
    return Part("kube-controller-manager", (str(node), "kube-controller-manager", *arguments))


def scheduler(node: Path) -> Part:
    """Return the scheduler."""
    config = kubeconfig(SCHEDULER)
    arguments = flags(
        kubeconfig=config,
        authentication_kubeconfig=config,
        authorization_kubeconfig=config,
        bind_address="127.0.0.1",
        leader_elect=False,
    )
    return Part("kube-scheduler", (str(node), "kube-scheduler", *arguments))
