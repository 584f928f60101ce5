import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hack import tools
from hack.cluster import archives, builds, layout
from hack.cluster.archives import ProgramImage
from hack.cluster.builds import Fetched, Program
from hack.cluster.steps import ClusterError


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Return a Go module with one program."""
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "main.go").write_text("package main")
    (tmp_path / "go.mod").write_text("module x\n\nrequire (\n\texample.org/a v1.2.3\n)\n")
    (tmp_path / "go.sum").write_text("")
    return tmp_path


@pytest.mark.parametrize("changed", ["tool/main.go", "go.mod", "go.sum"])
def test_change_of_a_source_calls_for_a_build(module: Path, changed: str) -> None:
    """A program is built again when its code or its pinned modules change."""
    program = Program("tool", module, "./tool")
    before = program.inputs("go1")
    (module / changed).write_text("changed")
    assert program.inputs("go1") != before


def test_other_toolchain_calls_for_a_build(module: Path) -> None:
    """A program is built again by another Go."""
    program = Program("tool", module, "./tool")
    assert program.inputs("go1") != program.inputs("go2")


def test_version_is_read_from_the_modules_requirements(module: Path) -> None:
    """A version is pinned in one place, the go.mod."""
    assert builds.version(module, "example.org/a") == "v1.2.3"


def test_module_that_is_not_required_is_named(module: Path) -> None:
    """Asking for a version nobody pinned is an error that names the module."""
    with pytest.raises(ClusterError, match=r"does not require example\.org/b"):
        builds.version(module, "example.org/b")


def test_kubernetes_is_1_34() -> None:
    """The pinned Kubernetes is the release the project supports."""
    assert builds.version(builds.KUBERNETES, "k8s.io/kubernetes").startswith("v1.34.")


def test_kserve_is_0_20() -> None:
    """The pinned KServe is the release the project supports."""
    assert builds.version(builds.KUBERNETES, "github.com/kserve/kserve").startswith("v0.20.")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache."""
    monkeypatch.setattr(layout, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(layout, "LOGS", tmp_path)
    return tmp_path / "cache"


def writes(text: str) -> tuple[str, ...]:
    """Return a command that fetches a file of that ``text``."""
    return (sys.executable, "-c", f"open('file', 'w').write({text!r})")


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_fetched_file_with_the_pinned_digest_is_kept(cache: Path) -> None:
    """A file is fetched into the cache once its digest is the pinned one."""
    assert builds.fetch(Fetched("file", EMPTY, writes(""))) == cache / "file"


def test_fetched_file_with_another_digest_is_thrown_away(cache: Path) -> None:
    """A file that is not the pinned one is refused and does not stay."""
    with pytest.raises(ClusterError, match="file has changed since it was pinned"):
        builds.fetch(Fetched("file", EMPTY, writes("other")))
    assert not (cache / "file").exists()


def test_failed_command_names_its_log(cache: Path, tmp_path: Path) -> None:
    """A command that fails is reported with the log that says why."""
    del cache
    with pytest.raises(ClusterError, match=f"see {tmp_path / 'fetch.log'}"):
        builds.fetch(Fetched("file", EMPTY, (sys.executable, "-c", "raise SystemExit('why')")))
    assert "why" in (tmp_path / "fetch.log").read_text()


def test_program_taken_out_of_an_archive_can_be_run(tmp_path: Path) -> None:
    """A program out of a zip archive is executable, which zip does not remember."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("folder/tool", "#!/bin/sh\n")
        builds.extract(archive, "folder/tool", tmp_path / "bin" / "tool")
    assert (tmp_path / "bin" / "tool").stat().st_mode & 0o111


@pytest.fixture
def image(tmp_path: Path) -> ProgramImage:
    """Return an image of a program that is no real one."""
    program = tmp_path / "0123"
    program.write_text("#!/bin/sh\n")
    return ProgramImage("tool", program, "/bin/tool")


def test_image_is_named_after_its_programs_inputs(image: ProgramImage) -> None:
    """Another program gets another tag, so nothing stale is ever run."""
    assert image.reference == "localhost/taxon-cluster/tool:0123"


def test_archive_holds_the_program_where_it_is_called(image: ProgramImage, tmp_path: Path) -> None:
    """The image's layer has the program at its path, executable."""
    archives.write(image, tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as outer:
        layer = outer.extractfile("layer.tar")
        assert layer is not None
        with tarfile.open(fileobj=layer) as inner:
            assert inner.getmember("bin/tool").mode == 0o755


def test_archive_runs_the_program_as_a_plain_user(image: ProgramImage, tmp_path: Path) -> None:
    """The image says which program it runs, and never as root."""
    archives.write(image, tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as outer:
        listing = outer.extractfile("manifest.json")
        assert listing is not None
        [entry] = json.load(listing)
        config = outer.extractfile(entry["Config"])
        assert config is not None
        settings = json.load(config)["config"]
    assert (settings["User"], settings["Entrypoint"]) == ("65532:65532", ["/bin/tool"])


def test_archives_of_the_same_program_are_the_same(image: ProgramImage, tmp_path: Path) -> None:
    """An archive depends on the program only, not on when it was written."""
    archives.write(image, tmp_path / "a.tar")
    archives.write(image, tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the programs of a machine for which no tools can be fetched."""
    (tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.setattr(layout, "BIN", tmp_path / "bin")
    return tmp_path / "programs"


def test_machines_own_tools_stand_in_where_none_are_fetched(elsewhere: Path) -> None:
    """On other machines than the fetched programs are for, installed ones are used."""
    for name in tools.PROGRAMS:
        (elsewhere / name).touch(mode=0o755)
    builds.link_tools()
    assert (layout.BIN / "kubectl").resolve() == elsewhere / "kubectl"


def test_missing_tool_is_named(elsewhere: Path) -> None:
    """Where a tool is neither fetched nor installed, the sentence says which."""
    (elsewhere / "kubectl").touch(mode=0o755)
    with pytest.raises(ClusterError, match="helm is missing"):
        builds.link_tools()


def test_program_that_is_not_installed_is_named(cache: Path) -> None:
    """A missing program is one sentence, not a traceback."""
    del cache
    with pytest.raises(ClusterError, match="no-such-program is needed and is not installed"):
        builds.fetch(Fetched("file", EMPTY, ("no-such-program",)))
