"""The reference page of the resource, rendered from its CustomResourceDefinition."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def resource_page(definition: Schema) -> str:
    """Return ``docs/resource.md``."""
    names = definition["spec"]["names"]
    version = definition["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    lines = [
        f"# {names['kind']}",
        "",
        "Generated from `contracts/taxon_contracts` by `make generate`; do not edit.",
        "",
        f"{schema['description']}",
        "",
        (
            f"`apiVersion: {definition['spec']['group']}/{version['name']}`, short name"
            f" `{names['shortNames'][0]}`. `kubectl explain {names['shortNames'][0]}.spec` shows"
            " the same in a terminal."
        ),
        "",
        (
            "A change of dataset, pipeline, search, metric or seed trains another version; no other"
            " change does."
        ),
    ]
    for part in ("spec", "status"):
        lines += ["", f"## {part}", "", "| field | type | description |", "|---|---|---|"]
        lines += [_row(path, node, required=r) for path, node, r in _fields(schema, part)]
    rules = list(_rules(schema, ""))
    lines += ["", "## Rules", "", "The API server refuses a resource that breaks one.", ""]
    lines += ["| at | rule |", "|---|---|", *(f"| {at} | {text} |" for at, text in rules), ""]
    return "\n".join(lines)


def _fields(schema: Schema, part: str) -> Iterator[tuple[str, Schema, bool]]:
    """Yield every field below ``part`` with its path and whether it is required."""
    node = schema["properties"][part]
    required = node.get("required", [])
    for name in node.get("properties", {}):
        child = node["properties"][name]
        suffix = "[]" if "items" in child else ""
        path = f"{part}.{name}{suffix}"
        yield path, child, name in required
        inner = child.get("items", child)
        for below, found, needed in _fields({"properties": {"": inner}}, ""):
            yield f"{path}{below}", found, needed


def _row(path: str, node: Schema, *, required: bool) -> str:
    notes = ["required"] if required else []
    if "enum" in node:
        notes.append("one of " + ", ".join(str(choice) for choice in node["enum"]))
    kind = f"list of {node['items']['type']}s" if "items" in node else node["type"]
    text = node["description"] + (f" ({'; '.join(notes)})" if notes else "")
    return f"| `{path}` | {kind} | {text.replace('|', chr(92) + '|')} |"


def _rules(node: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Yield the message of every CEL rule with its path, each once."""
    messages = [rule["message"] for rule in node.get("x-kubernetes-validations", [])]
    for message in dict.fromkeys(messages):
        yield f"`{path or 'metadata.name'}`", message
    for name, child in node.get("properties", {}).items():
        yield from _rules(child, f"{path}.{name}".lstrip("."))
    if "items" in node:
        yield from _rules(node["items"], f"{path}[]")
