"""A manifest seals one exact content."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from taxon_contracts.canonical import canonical_json
from taxon_contracts.document import read
from taxon_contracts.manifest import (
    Classes,
    File,
    Manifest,
    SignatureFeature,
    format_of,
    positive_index,
)

RECORDED = Path(__file__).parent / "documents" / "manifest.json"
ASH = {"name": "ash", "dropped": False}

FIELDS = {
    "namespace": "default",
    "model": "wine",
    "version": "v0123456789",
    "files": {"classifier.onnx": File(sha256="0" * 64, size=1)},
    "features": (SignatureFeature(name="ash"),),
    "classes": ("a", "b", "c"),
    "classifier": "RandomForest",
    "dataset_digest": "sha256:" + "0" * 64,
    "libraries": {"scikit-learn": "1.9.1"},
}


def test_a_manifest_read_back_seals_with_the_same_bytes() -> None:
    """The digest is taken of canonical bytes."""
    manifest = Manifest.model_validate(FIELDS)

    assert Manifest.model_validate_json(manifest.encode()).encode() == manifest.encode()


def test_a_manifest_of_the_first_release_seals_with_the_same_bytes() -> None:
    """Its inputs are numbers that are always there, and its digest is what it was."""
    document = json.loads(RECORDED.read_text())
    manifest = read(Manifest, json.dumps(document))

    assert manifest.encode() == canonical_json(document)
    assert {(one.type, one.gaps, one.categories) for one in manifest.features} == {
        ("Numeric", False, ())
    }


@pytest.mark.parametrize(
    ("feature", "written", "form"),
    [
        ({}, {}, 1),
        ({"type": "Boolean"}, {"type": "Boolean"}, 1),
        ({"gaps": True}, {"gaps": True}, 2),
        (
            {"type": "Categorical", "categories": ("é", "a")},
            {"type": "Categorical", "categories": ["é", "a"]},
            2,
        ),
    ],
    ids=["number", "boolean", "with gaps", "categories"],
)
def test_an_input_is_written_as_far_as_it_is_no_plain_number(
    feature: dict[str, Any], written: dict[str, Any], form: int
) -> None:
    """So that a release that knows nothing else reads what it can, and refuses the rest."""
    features = (SignatureFeature.model_validate(ASH | feature),)
    fields = FIELDS | {"features": features, "format_version": format_of(features)}
    content = Manifest.model_validate(fields).encode()
    document = json.loads(content)

    assert (document["format_version"], document["features"]) == (form, [ASH | written])
    assert read(Manifest, content).encode() == content
    with pytest.raises(ValidationError, match="format 2 is for"):
        Manifest.model_validate(fields | {"format_version": 3 - form})


@pytest.mark.parametrize("classes", [("no", "yes"), (0, 1)])
def test_classes_keep_their_type(classes: tuple[str, ...] | tuple[int, ...]) -> None:
    """An integer label is not the text of an integer."""
    fields = FIELDS | {"classes": classes, "positive_class": classes[1], "threshold": 0.5}
    manifest = Manifest.model_validate_json(Manifest.model_validate(fields).encode())

    assert (manifest.classes, manifest.positive_class) == (classes, classes[1])


@pytest.mark.parametrize(
    "fields",
    [
        {"classes": ("no", "yes")},
        {"positive_class": "a", "threshold": 0.5},
        {"classes": ("no", "yes"), "positive_class": "maybe", "threshold": 0.5},
    ],
    ids=["binary without", "three classes with", "unknown class"],
)
def test_exactly_a_binary_model_has_a_positive_class(fields: dict[str, object]) -> None:
    """A threshold means nothing beyond two classes."""
    with pytest.raises(ValidationError, match="positive class"):
        Manifest.model_validate(FIELDS | fields)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b", ""])
def test_a_file_name_cannot_leave_the_bundle(name: str) -> None:
    """Names become paths."""
    with pytest.raises(ValidationError):
        Manifest.model_validate(FIELDS | {"files": {name: File(sha256="0" * 64, size=1)}})


def test_numbers_json_cannot_write_have_no_digest() -> None:
    """NaN has no canonical form."""
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"value": float("nan")})


@pytest.mark.parametrize(
    ("classes", "named", "index"),
    [
        (("a", "b"), None, 1),
        (("a", "b"), "a", 0),
        ((0, 1), 0, 0),
        ((0, 1), "1", 1),
        (("a", "b", "c"), None, None),
    ],
    ids=["the last by default", "text", "an integer", "an integer as text", "more than two"],
)
def test_the_positive_class_has_one_position(
    classes: Classes, named: str | int | None, index: int | None
) -> None:
    """Trainer and server take it from the same place."""
    assert positive_index(classes, named) == index
