"""The CustomResourceDefinition is structural, bounded, described and committed."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from hack.generate import CRD_PATH, rendered_crd
from taxon_contracts.crd import custom_resource_definition, structural

SCHEMA = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every node of a schema with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def test_the_committed_file_is_what_the_contracts_generate() -> None:
    """`make generate` after a change of the contracts, and commit the result."""
    assert CRD_PATH.read_text() == rendered_crd()


def test_every_node_has_a_type_and_no_reference() -> None:
    """Kubernetes accepts structural schemas only."""
    assert [path for path, node in nodes(SCHEMA) if "type" not in node or "$ref" in node] == []


def test_every_field_has_a_description() -> None:
    """`kubectl explain` is the reference."""
    plain = {".apiVersion", ".kind", ".metadata"}
    missing = [path for path, node in nodes(SCHEMA) if "description" not in node]

    assert [path for path in missing if path not in plain and not path.endswith("[]")] == []


def test_explain_gives_defaults_and_bounds() -> None:
    """`kubectl explain` shows nothing of a schema but its descriptions and choices."""
    spec = {
        path: node["description"]
        for path, node in nodes(SCHEMA["properties"]["spec"])
        if "description" in node
    }

    assert spec[".search.folds"].endswith("Default: 5. 2 to 20.")
    assert spec[".dataset.testFraction"].endswith("Default: 0.2. 0.05 to 0.5.")
    assert spec[".suspend"].endswith("Default: false.")
    assert spec[".gate.limits"].endswith("At most 9 items.")
    assert "taxon.dev/retrain=$(date +%s)" in spec[".retrain"]
    for path, node in nodes(SCHEMA["properties"]["spec"]):
        if node.get("default") not in (None, {}):
            assert "Default: " in node["description"], path
        if "minimum" in node:
            assert f"{node['minimum']:g} to " in node["description"].replace("000000", "e+06"), path


def test_a_pin_and_a_suspension_are_columns() -> None:
    """Ready's reason shows them where nothing else is the matter; these always do."""
    columns = custom_resource_definition()["spec"]["versions"][0]["additionalPrinterColumns"]
    wide = {one["name"]: one["jsonPath"] for one in columns if one["priority"]}

    assert wide["Pinned"] == ".spec.pinnedVersion"
    assert wide["Suspended"] == ".spec.suspend"


def test_every_string_and_list_of_the_spec_is_bounded() -> None:
    """Unbounded values blow the budget of the rules that read them."""
    spec = SCHEMA["properties"]["spec"]
    unbounded = [
        path
        for path, node in nodes(spec)
        if (node["type"] == "string" and not {"maxLength", "enum"} & node.keys())
        or (node["type"] == "array" and "maxItems" not in node)
    ]

    assert unbounded == []


def test_there_is_no_default_inside_a_list() -> None:
    """Argo CD shows defaulted list items as drift."""
    assert [p for p, node in nodes(SCHEMA) if "[]" in p and "default" in node] == []


def test_exactly_the_promised_fields_have_defaults() -> None:
    """A default once published stays for ever, so each is listed here."""
    spec = SCHEMA["properties"]["spec"]

    assert {path: node["default"] for path, node in nodes(spec) if "default" in node} == {
        ".dataset.testFraction": 0.2,
        ".pipeline": {},
        ".pipeline.scaler": "Standard",
        ".pipeline.imputer.indicator": False,
        ".pipeline.encoder.type": "OneHot",
        ".pipeline.encoder.minFrequency": 1,
        ".pipeline.encoder.maxCategories": 50,
        ".pipeline.polynomialDegree": 1,
        ".pipeline.classifier": {},
        ".pipeline.classifier.type": "RandomForest",
        ".search": {},
        ".search.strategy": "Grid",
        ".search.folds": 5,
        ".metric": "roc_auc",
        ".seed": 42,
        ".gate": {},
        ".gate.champion": {},
        ".gate.champion.margin": 0.01,
        ".training": {},
        ".training.deadlineSeconds": 3600,
        ".training.tracking": {},
        ".serving": {},
        ".serving.minReplicas": 1,
        ".serving.predictionLog": {},
        ".serving.predictionLog.mode": "Full",
        ".serving.rollout": {},
        ".serving.rollout.progressDeadlineSeconds": 600,
        ".serving.rollout.scaleDownDelaySeconds": 3600,
        ".retrain": {},
        ".versionHistoryLimit": 10,
        ".deletionPolicy": "Retain",
        ".suspend": False,
    }


def test_a_union_of_two_types_cannot_be_published() -> None:
    """A field Kubernetes cannot express is a wrong field."""

    class Ambiguous(BaseModel):
        value: int | str

    schema = Ambiguous.model_json_schema()
    with pytest.raises(ValueError, match="union of 2 types"):
        structural(schema, {})


def test_a_keyword_kubernetes_does_not_know_cannot_be_published() -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(ValueError, match="patternProperties"):
        structural({"type": "object", "patternProperties": {}}, {})
