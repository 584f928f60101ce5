"""Finds mistakes in a GitHub workflow, as far as possible without GitHub."""

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"

Mapping = dict[str, Any]

WORKFLOW = {"concurrency", "defaults", "env", "jobs", "name", "on", "permissions"}
EVENTS = {"pull_request", "push", "schedule", "workflow_call", "workflow_dispatch"}
FILTERS = {"branches", "paths", "tags"}
JOB = {
    *("concurrency", "env", "environment", "if", "name", "needs", "outputs", "permissions"),
    *("runs-on", "secrets", "steps", "strategy", "timeout-minutes", "uses", "with"),
}
STEP = {"env", "id", "if", "name", "run", "uses", "with"}
LEVELS = {"none", "read", "write"}
SCOPES = {"contents", "id-token", "packages", "pull-requests"}
CONTEXTS = {"env", "github", "inputs", "needs", "runner", "secrets", "steps", "vars"}
FUNCTIONS = {"always", "cancelled", "contains", "failure", "format", "startsWith", "success"}
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
REFERENCE = re.compile(r"(?<![.\w'])([a-zA-Z_][\w-]*)((?:\.[\w-]+)*)(\()?")


def read(text: str) -> Mapping:
    """Return a workflow; YAML 1.1 takes the key ``on`` for a truth value."""
    workflow: dict[str | bool, Any] = yaml.safe_load(text)
    return {"on" if key is True else str(key): value for key, value in workflow.items()}


def problems(workflow: Mapping) -> list[str]:
    """Return what is wrong with a workflow, each in a few words."""
    found = [f"unknown key {key}" for key in sorted(workflow.keys() - WORKFLOW)]
    found += [f"missing key {key}" for key in ("jobs", "name", "on") if key not in workflow]
    found += _triggers(workflow.get("on") or {})
    if workflow.get("permissions") != {}:
        found.append("permissions are not taken away from every job")
    jobs = workflow.get("jobs") or {}
    found += _graph(jobs)
    for name, job in jobs.items():
        found += [f"{name}: {problem}" for problem in _job(job, workflow)]
    return found


def targets(workflow: Mapping) -> set[str]:
    """Return the make targets a workflow calls."""
    lines = [
        line
        for job in workflow["jobs"].values()
        for step in job.get("steps", ())
        for line in step.get("run", "").splitlines()
        if line.startswith("make ")
    ]
    return {word for line in lines for word in line.split()[1:]}


def paths(workflow: Mapping) -> set[str]:
    """Return the path filters of a workflow."""
    events = (event or {} for event in workflow["on"].values())
    return {path for event in events for path in event.get("paths", ())}


def _triggers(events: Mapping) -> Iterator[str]:
    for event, filters in events.items():
        if event not in EVENTS:
            yield f"unknown event {event}"
        elif event in ("push", "pull_request"):
            yield from (f"unknown filter {key}" for key in sorted((filters or {}).keys() - FILTERS))
            if not {"paths", "tags"} & (filters or {}).keys():
                yield f"{event} is not filtered by path"


def _graph(jobs: Mapping) -> Iterator[str]:
    needs = {name: _listed(job.get("needs")) for name, job in jobs.items()}
    for name, needed in needs.items():
        yield from (f"{name}: needs {one}, which is no job" for one in needed if one not in jobs)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError:
        yield "jobs need each other in a circle"


def _listed(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def _job(job: Mapping, workflow: Mapping) -> Iterator[str]:
    yield from (f"unknown key {key}" for key in sorted(job.keys() - JOB))
    granted = job.get("permissions") or {}
    if not granted or granted.keys() - SCOPES or set(granted.values()) - LEVELS:
        yield "permissions are not spelt out"
    if "uses" in job:
        if not (ROOT / job["uses"]).is_file():
            yield f"{job['uses']} is no workflow"
    elif "steps" not in job or "runs-on" not in job:
        yield "neither steps on a runner nor another workflow"
    elif "timeout-minutes" not in job:
        yield "has no time limit"
    steps = job.get("steps", [])
    for number, step in enumerate(steps, start=1):
        yield from (f"step {number}: {problem}" for problem in _step(step))
    rest = {key: value for key, value in job.items() if key != "needs"}
    yield from _expressions(rest, _known(job, workflow))


def _step(step: Mapping) -> Iterator[str]:
    yield from (f"unknown key {key}" for key in sorted(step.keys() - STEP))
    if ("run" in step) == ("uses" in step):
        yield "has to either run or use something"
    if "uses" in step and not PINNED.fullmatch(step["uses"]):
        yield f"{step['uses']} is not pinned by a commit"
    keeps = step.get("with", {}).get("persist-credentials") is not False
    if "actions/checkout@" in step.get("uses", "") and keeps:
        yield "leaves its credentials behind"
    if "${{" in step.get("run", ""):
        yield "an expression within a script is a way in: hand it over in env"


def _known(job: Mapping, workflow: Mapping) -> dict[str, set[str]]:
    """Return the names an expression of a job may use, by context; others are not checked."""
    events = [event or {} for event in (workflow.get("on") or {}).values()]
    return {
        "inputs": {name for event in events for name in event.get("inputs", ())},
        "needs": set(_listed(job.get("needs"))),
        "steps": {step["id"] for step in job.get("steps", ()) if "id" in step},
        "env": {*(workflow.get("env") or ()), *(job.get("env") or ())},
    }


def _expressions(value: Any, known: dict[str, set[str]]) -> Iterator[str]:
    match value:
        case dict():
            for child in value.values():
                yield from _expressions(child, known)
        case list():
            for child in value:
                yield from _expressions(child, known)
        case str():
            for expression in EXPRESSION.findall(value):
                yield from _references(re.sub(r"'[^']*'", "''", expression), known)


def _references(expression: str, known: dict[str, set[str]]) -> Iterator[str]:
    for name, path, call in REFERENCE.findall(expression):
        if call:
            if name not in FUNCTIONS:
                yield f"unknown function {name}"
        elif name not in CONTEXTS:
            yield f"unknown context {name}"
        elif name in known and path.split(".")[1] not in known[name]:
            yield f"{name}{path} is not there"
