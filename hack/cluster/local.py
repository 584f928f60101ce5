"""The ``local`` provider: Kubernetes as processes of this machine, from source."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hack.cluster import (
    addons,
    builds,
    certificates,
    control_plane,
    image_store,
    layout,
    network,
    node,
    parts,
    preflight,
    processes,
    stand_ins,
)
from hack.cluster.archives import ProgramImage
from hack.cluster.kubectl import answers, apply, as_list, kubectl
from hack.cluster.steps import ClusterError, step

NAME_SERVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
"""Files with the machine's name servers: a local resolver keeps the real ones in the first."""


def check() -> None:
    """Refuse a machine that cannot run the cluster, before anything starts."""
    recover()
    preflight.check_local()
    layout.RUN.mkdir(exist_ok=True)
    layout.write_whole(layout.OWNER, str(layout.HOME))


def up() -> None:
    """Create the cluster, or what is missing of it."""
    layout.LOGS.mkdir(parents=True, exist_ok=True)
    preflight.install_packages()
    with step("Getting the programs"):
        programs = builds.all_programs()
        builds.install_tools()
    with step("Preparing the network"):
        network.prepare()
        processes.make_cgroups()
    images = stand_ins.program_images(programs)
    with step("Starting the control plane"):
        start_control_plane(programs)
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(start_node, programs, images)
        manifests = addons.render(stand_ins.replacements(images))
        addons.install_definitions(manifests)
        starting.result()
        # The cluster's own pods need none of these.
        loading = pool.submit(image_store.load_project_images)
        addons.install(manifests)
        loading.result()
    for process in processes.recorded():
        processes.refuse_ended(process.name)


def down() -> None:
    """Remove everything ``up`` created on this machine; builds stay in the cache."""
    with step("Ending the processes"):
        processes.end_all()
    with step("Putting network, kernel settings and mounts back"):
        network.restore()
    with step("Removing the files"):
        for folder in (*layout.homes(), layout.RUN):
            shutil.rmtree(folder, ignore_errors=True)


def status() -> Iterator[str]:
    """Yield one line per process, and the memory of them all with their pods.

    Raises:
        ClusterError: one of them has ended, or the cluster is another copy's of the project.
    """
    refuse_running_elsewhere()
    for process in processes.recorded():
        yield f"{process.name:24} {'runs' if processes.is_alive(process) else 'has ended'}"
    yield f"memory in use            {processes.memory() / 1024**3:.2f} GiB"
    for process in processes.recorded():
        processes.refuse_ended(process.name)


def recover() -> None:
    """Remove what is left of a cluster that ended without ``down``.

    After a restart of the machine only its files are left. If somebody ends the processes of a
    cluster but not its pods, these keep running, with addresses the next cluster would use.

    Raises:
        ClusterError: another copy of the project has a cluster here that runs.
    """
    refuse_running_elsewhere()
    made, running = layout.PROVIDER.exists(), layout.RUN.exists()
    if made != running or layout.homes() != {layout.HOME}:
        with step("Removing what is left of an earlier cluster"):
            down()


def refuse_running_elsewhere() -> None:
    """Raise a ClusterError if another copy of the project has a cluster here that runs."""
    home = layout.owner()
    if home is None or home == layout.HOME:
        return
    if any(map(processes.is_alive, processes.recorded(home / "processes"))):
        raise ClusterError(f"The cluster of {home} runs: `make cluster-down` removes it")


def start_control_plane(programs: builds.Programs) -> None:
    """Start what answers and obeys the API, and wait until it answers."""
    certificates.make_authority()
    certificates.kubeconfig(layout.KUBECONFIG, parts.ADMIN, parts.SERVER)
    control_plane.etcd(programs.node).start()
    control_plane.api_server(programs.node).start()
    processes.await_answer("kube-apiserver", lambda: answers("get", "--raw", "/readyz"))
    control_plane.controller_manager(programs.node).start()
    control_plane.scheduler(programs.node).start()
    apply(as_list([storage_class()]), log="addons")


def start_node(programs: builds.Programs, images: dict[str, ProgramImage]) -> None:
    """Start what runs pods, with their images, and wait until the node is ready."""
    name_servers = upstream_dns()
    image_store.start(images["pause"])
    node.kubelet(programs.node, name_servers).start()
    node.proxy(programs.node).start()
    node.dns(programs.node, name_servers).start()
    node.volumes(programs.volumes).start()
    image_store.load_programs(images.values())
    for condition in ("create", "condition=Ready"):
        kubectl("wait", f"node/{parts.NODE}", f"--for={condition}", "--timeout=60s")


def upstream_dns() -> list[str]:
    """Return the name servers for names outside the cluster."""
    path = next(path for path in NAME_SERVERS if path.exists())
    return node.upstream_dns(path.read_text())


def storage_class() -> dict[str, object]:
    """Return the default StorageClass, named as kind names its own."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": node.PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
