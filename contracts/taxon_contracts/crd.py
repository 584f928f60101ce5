"""The CustomResourceDefinition, generated from the pydantic types of the resource.

Pydantic's JSON schema is almost structural; what Kubernetes writes otherwise is rewritten here, and
what Kubernetes cannot express raises, because then the field is wrong.
"""

from collections.abc import Iterator
from typing import Any

from taxon_contracts import names
from taxon_contracts.resource import ClassifierModel, Spec, rule
from taxon_contracts.status import Status

Schema = dict[str, Any]

KEPT = frozenset(
    {
        "default", "description", "enum", "items", "maxItems", "maxLength", "maximum", "minItems",
        "minLength", "minimum", "pattern", "properties", "required", "type",
    }
)  # fmt: skip
CHARACTERS = " characters"
BOUNDS = (
    ("minimum", "maximum", ""),
    ("minItems", "maxItems", " items"),
    ("minLength", "maxLength", CHARACTERS),
)
DROPPED = frozenset({"title", "additionalProperties", "$defs"})

PRINTER_COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 0),
    ("Live", "string", ".status.live.version", 0),
    ("Score", "string", ".status.live.score", 0),
    ("Candidate", "string", ".status.candidate.version", 0),
    ("Weight", "integer", ".status.candidate.weight", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Metric", "string", ".spec.metric", 1),
    ("Run", "string", ".status.run.version", 1),
    ("Gate", "string", '.status.conditions[?(@.type=="GatePassed")].reason', 1),
    ("Pinned", "string", ".spec.pinnedVersion", 1),
    ("Suspended", "boolean", ".spec.suspend", 1),
    ("URL", "string", ".status.url", 1),
)
NAME_RULE = rule(
    f"self.metadata.name.matches('{names.MODEL_NAME_PATTERN}')",
    "name must be at most 36 lower-case letters, digits and hyphens, start with a letter and not"
    " end with a hyphen",
)


def structural(schema: Schema, definitions: Schema) -> Schema:
    """Rewrite one pydantic JSON schema node into a structural schema node.

    Raises:
        ValueError: the node contains something that a structural schema does not allow.
    """
    node = dict(schema)
    if "$ref" in node:
        node = definitions[node.pop("$ref").rsplit("/", 1)[1]] | node
    if "anyOf" in node:
        node = _without_null(node.pop("anyOf"), definitions) | node
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if node.get("default", ...) is None:
        del node["default"]
    if isinstance(node.get("default"), dict):
        node["default"] = {}
    unknown = {key for key in node if not key.startswith("x-kubernetes-")} - KEPT - DROPPED
    if unknown or "type" not in node:
        raise ValueError(f"not structural: {sorted(unknown)} in {node}")
    result = {key: value for key, value in node.items() if key not in DROPPED}
    if "properties" in result:
        result["properties"] = {
            name: structural(child, definitions) for name, child in result["properties"].items()
        }
    if "items" in result:
        result["items"] = structural(result["items"], definitions)
    return result


def _without_null(choices: list[Schema], definitions: Schema) -> Schema:
    """Return the one choice that is not null: an optional field is one that may be absent."""
    real = [choice for choice in choices if choice.get("type") != "null"]
    if len(real) != 1:
        raise ValueError(f"not structural: a union of {len(real)} types")
    return structural(real[0], definitions)


def _schema_of(part: type[Spec] | type[Status], description: str) -> Schema:
    schema = part.model_json_schema(by_alias=True)
    return structural(schema, schema.get("$defs", {})) | {"description": description}


def _with_bounds(node: Schema) -> Schema:
    """Say defaults and bounds in the descriptions: `kubectl explain` shows nothing else of them."""
    result = dict(node)
    if "description" in node:
        result["description"] = " ".join([node["description"], *_bounds(node)])
    if "properties" in node:
        result["properties"] = {
            name: _with_bounds(child) for name, child in node["properties"].items()
        }
    if "items" in node:
        result["items"] = _with_bounds(node["items"])
    return result


def _bounds(node: Schema) -> Iterator[str]:
    """Yield a node's default and bounds, each as a short sentence."""
    if node.get("default") not in (None, {}):
        yield f"Default: {str(node['default']).replace('False', 'false')}."
    for smallest, largest, unit in BOUNDS:
        low, high = node.get(smallest), node.get(largest)
        if unit == CHARACTERS and "pattern" in node:
            continue  # the pattern says more
        if low is not None and high is not None:
            yield (
                f"{low:g} to {high:g}{unit}."
                if isinstance(low, float)
                else f"{low} to {high}{unit}."
            )
        elif low is not None:
            yield f"At least {low}{unit}."
        elif high is not None:
            yield f"At most {high}{unit}."


def custom_resource_definition() -> Schema:
    """Return the whole CustomResourceDefinition as a plain object."""
    spec = _with_bounds(_schema_of(Spec, "Desired state of the model."))
    status = _schema_of(Status, "Observed state of the model, written by the controller.")
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": type_, "jsonPath": path, "priority": priority}
            for name, type_, path, priority in PRINTER_COLUMNS
        ],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": ClassifierModel.__doc__,
                "required": ["spec"],
                "x-kubernetes-validations": [NAME_RULE],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": spec,
                    "status": status,
                },
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": [names.SHORT_NAME],
                "categories": ["taxon"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }
