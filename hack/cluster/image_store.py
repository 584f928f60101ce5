"""The node's images, kept in the cache from one cluster to the next."""

import shutil
from collections.abc import Iterable

from hack.cluster import archives, layout, node, processes
from hack.cluster.archives import ProgramImage
from hack.cluster.steps import run, step, succeeds


def start(pause: ProgramImage) -> None:
    """Start containerd and load the image that every pod needs."""
    start_containerd(pause)
    if not any(process.name == "kubelet" for process in processes.recorded()):
        forget_containers(pause)
    load(pause)


def start_containerd(pause: ProgramImage) -> None:
    """Start containerd, unless it runs, and wait until it answers."""
    node.containerd(pause.reference).start()
    processes.await_answer("containerd", lambda: succeeds(lambda: ctr("version")))


def forget_containers(pause: ProgramImage) -> None:
    """Remove the records of an earlier cluster's containers, which ended with the machine."""
    containers = ctr("containers", "list", "--quiet").split()
    if not containers:
        return
    ctr("containers", "delete", *containers)
    processes.end([process for process in processes.recorded() if process.name == "containerd"])
    shutil.rmtree(layout.STORE / "io.containerd.grpc.v1.cri", ignore_errors=True)
    start_containerd(pause)


def ctr(*words: str) -> str:
    """Run containerd's client on the images Kubernetes sees."""
    address = ["--address", str(node.CONTAINERD_SOCKET), "--namespace", "k8s.io"]
    return run(["ctr", *address, *words], log="images")


def names() -> set[str]:
    """Return the names of all images in the store."""
    return set(ctr("images", "list", "--quiet").split())


def load_programs(images: Iterable[ProgramImage]) -> None:
    """Load the images of the cluster's own pods, and drop those of earlier builds."""
    wanted = {image.reference: image for image in images}
    with step("Loading the images of the cluster's own pods"):
        for image in wanted.values():
            load(image)
        outdated = {name for name in names() if name.startswith(archives.PREFIX)} - set(wanted)
        if outdated:
            ctr("images", "delete", *outdated)


def load(image: ProgramImage) -> None:
    """Load one program's image into the node, unless it has it."""
    if image.reference in names():
        return
    archive = layout.HOME / "image.tar"
    archives.write(image, archive)
    ctr("images", "import", str(archive))
    archive.unlink()


def load_project_images() -> None:
    """Load those of the project's images that are not the ones loaded last."""
    loaded = layout.STORE / "loaded"
    loaded.mkdir(exist_ok=True)
    for archive in sorted(layout.IMAGES.glob("*.tar")):
        stamp, identity = loaded / archive.stem, f"{archive} {archive.stat().st_mtime_ns}"
        if stamp.exists() and stamp.read_text() == identity:
            continue
        with step(f"Loading {archive.name}"):
            ctr("images", "import", str(archive))
        layout.write_whole(stamp, identity)
