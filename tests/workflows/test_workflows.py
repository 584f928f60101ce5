"""The workflows and Dependabot: well-formed, pinned, with few rights, and on our make targets."""

import re
import subprocess
from pathlib import Path, PurePath

import pytest
import yaml
from support import workflows
from support.workflows import ROOT

FILES = sorted(workflows.FOLDER.iterdir())
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
MANIFESTS = {
    "docker": "Dockerfile",
    "github-actions": ".github/workflows",
    "gomod": "go.mod",
    "helm": "Chart.yaml",
}
MAY_WRITE = {("release.yaml", "publish"): {"id-token", "packages"}}

every_workflow = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)

GOOD = """
name: good
on:
  push: {branches: [main], paths: [docs/**]}
  workflow_dispatch:
    inputs:
      place: {type: string}
permissions: {}
jobs:
  first:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions: {contents: read}
    steps:
    - uses: actions/checkout@0123456789012345678901234567890123456789
      with: {persist-credentials: false}
    - id: named
      env: {PLACE: "${{ inputs.place }}"}
      run: make check
  second:
    needs: first
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions: {contents: read}
    steps:
    - if: ${{ always() && needs.first.result == 'success' }}
      run: make test
"""


def tracked() -> list[str]:
    """Return the path of every file in the repository."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files"],  # noqa: S607 - the developer's own git
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.splitlines()


@every_workflow
def test_a_workflow_is_well_formed(file: Path) -> None:
    """Keys, the graph of jobs, pins, rights and expressions are as GitHub and we want them."""
    assert workflows.problems(workflows.read(file.read_text())) == []


@every_workflow
def test_every_pin_says_its_version(file: Path) -> None:
    """Beside a commit stands the version it is, for people and for Dependabot."""
    pins = [line for line in file.read_text().splitlines() if "uses: " in line and "@" in line]
    assert pins
    assert all(re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", pin) for pin in pins)


def test_one_action_has_one_pin() -> None:
    """The same action is the same commit everywhere."""
    text = "\n".join(file.read_text() for file in FILES)
    pins = set(re.findall(r"uses: (\S+)@(\w{40}) # (\S+)", text))
    assert len({action for action, _, _ in pins}) == len(pins)


@every_workflow
def test_only_the_release_may_write(file: Path) -> None:
    """A job has the right to write only where it publishes."""
    for name, job in workflows.read(file.read_text())["jobs"].items():
        written = {scope for scope, level in job["permissions"].items() if level == "write"}
        assert written == MAY_WRITE.get((file.name, name), set())


@every_workflow
def test_workflows_call_the_targets_people_call(file: Path) -> None:
    """Every make target of a workflow is one of ours."""
    assert workflows.targets(workflows.read(file.read_text())) <= TARGETS


def test_every_check_runs_somewhere() -> None:
    """Lint, tests, images, charts and the end-to-end suite are all in a workflow."""
    called = {
        name for file in FILES for name in workflows.targets(workflows.read(file.read_text()))
    }
    assert called >= {"check", "test", "images", "charts-stack", "cluster", "test-cluster"}


@every_workflow
def test_every_path_filter_matches_something(file: Path) -> None:
    """A folder that was renamed does not silence a workflow."""
    files = tracked()
    for path in workflows.paths(workflows.read(file.read_text())):
        if path.endswith("/**"):
            assert any(one.startswith(path.removesuffix("**")) for one in files), path
        else:
            assert any(PurePath(one).match(path) for one in files), path


def test_dependabot_looks_where_dependencies_are() -> None:
    """Every folder named has the file that kind of update reads, and no Dockerfile is left out."""
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    named = {
        one["package-ecosystem"]: one.get("directories", [one.get("directory")]) for one in updates
    }
    assert named.keys() == MANIFESTS.keys()
    for kind, folders in named.items():
        for folder in folders:
            assert (ROOT / folder.strip("/") / MANIFESTS[kind]).exists(), folder
    dockerfiles = {f"/{PurePath(one).parent}" for one in tracked() if one.endswith("/Dockerfile")}
    assert set(named["docker"]) == dockerfiles


def test_a_good_workflow_has_no_problems() -> None:
    """Nothing is found where nothing is wrong."""
    assert workflows.problems(workflows.read(GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: good", "nam: good", "unknown key nam"),
        ("  push:", "  psh:", "unknown event psh"),
        ("paths: [docs/**]", "path: [docs/**]", "unknown filter path"),
        (", paths: [docs/**]", "", "push is not filtered by path"),
        ("permissions: {}", "permissions: read-all", "permissions are not taken away"),
        ("needs: first", "needs: frist", "second: needs frist, which is no job"),
        ("  first:\n", "  first:\n    needs: second\n", "jobs need each other in a circle"),
        ("    runs-on: ubuntu-24.04\n", "", "neither steps on a runner"),
        ("    timeout-minutes: 5\n", "", "has no time limit"),
        ("{contents: read}", "{content: read}", "permissions are not spelt out"),
        ("{contents: read}", "{contents: all}", "permissions are not spelt out"),
        ("@0123456789012345678901234567890123456789", "@v6", "is not pinned by a commit"),
        ("      with: {persist-credentials: false}\n", "", "leaves its credentials behind"),
        ("run: make check", "runs: make check", "step 2: unknown key runs"),
        ("run: make check", "run: echo ${{ inputs.place }}", "a way in"),
        ("inputs.place", "inputs.palce", "inputs.palce is not there"),
        ("inputs.place", "input.place", "unknown context input"),
        ("needs.first.result", "needs.frist.result", "needs.frist.result is not there"),
        ("always()", "allways()", "unknown function allways"),
    ],
)
def test_what_is_wrong_is_found(old: str, new: str, message: str) -> None:
    """Each kind of mistake has its own message."""
    assert old in GOOD
    found = workflows.problems(workflows.read(GOOD.replace(old, new)))
    assert any(message in problem for problem in found), found
