"""The id of a version depends on what makes another version, and on nothing else."""

import pytest

from taxon_contracts.identity import retrain_trigger, version_id
from taxon_contracts.resource import Identity

BASE = {"dataset": {"uri": "s3://samples/wine.csv", "target": "cultivar"}}


def identity(**fields: object) -> Identity:
    """Return the identity of a minimal spec with ``fields`` set."""
    return Identity.model_validate(BASE | fields)


def test_the_id_of_a_known_spec_never_changes() -> None:
    """A changed id would retrain every model on an upgrade."""
    assert version_id(identity()) == "v33936ec098"


@pytest.mark.parametrize(
    ("fields", "annotation", "known"),
    [
        (
            {
                "dataset": {
                    "uri": "s3://samples/b.parquet",
                    "target": "diagnosis",
                    "positiveClass": "malignant",
                    "features": [{"name": "mean radius"}, {"name": "mean texture"}],
                    "testFraction": 0.25,
                },
                "pipeline": {
                    "scaler": "None",
                    "polynomialDegree": 2,
                    "classifier": {
                        "type": "LogisticRegression",
                        "parameters": [
                            {"name": "C", "values": ["0.1", "1.0"]},
                            {"name": "penalty", "values": ["'l2'", "None"]},
                        ],
                    },
                    "threshold": 0.3,
                },
                "search": {"strategy": "Random", "folds": 3, "trials": 12},
                "metric": "f1",
                "seed": 7,
            },
            None,
            "ved80c24070",
        ),
        ({}, "1764201234", "v436a502d29"),
        ({}, "x" * 100, "v3e513555bf"),
    ],
    ids=["every field", "annotation", "long annotation"],
)
def test_ids_are_those_of_the_first_release(
    fields: dict[str, object], annotation: str | None, known: str
) -> None:
    """They were computed by it: an upgrade trains nothing again."""
    assert version_id(identity(**fields), trigger=retrain_trigger(annotation)) == known


def test_a_field_set_to_its_default_does_not_count() -> None:
    """A field added later with a default retrains nobody."""
    assert version_id(identity(seed=42, pipeline={"scaler": "Standard"})) == version_id(identity())


@pytest.mark.parametrize(
    "fields",
    [
        {"pipeline": {"imputer": None, "encoder": None}},
        {"pipeline": {"encoder": {}}},
        {"pipeline": {"encoder": {"type": "OneHot", "minFrequency": 1, "maxCategories": 50}}},
    ],
    ids=str,
)
def test_gaps_and_categories_as_by_default_do_not_count(fields: dict[str, object]) -> None:
    """A model without an imputer or encoder keeps its version, and may spell the defaults out."""
    assert version_id(identity(**fields)) == "v33936ec098"


def test_a_feature_whose_type_is_found_does_not_count() -> None:
    """A listed feature without a type is what it was before there were types."""
    named, typed = (
        identity(dataset=BASE["dataset"] | {"features": [{"name": "ash", **more}]})
        for more in ({}, {"type": None})
    )

    assert version_id(named) == version_id(typed) == "v4397c38ee6"


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 7},
        {"pipeline": {"imputer": {"strategy": "Median"}}},
        {"pipeline": {"imputer": {"strategy": "None"}}},
        {"pipeline": {"encoder": {"minFrequency": 2}}},
        {"dataset": BASE["dataset"] | {"features": [{"name": "ash", "type": "Categorical"}]}},
        {"metric": "f1"},
        {"search": {"folds": 3}},
        {"pipeline": {"polynomialDegree": 2}},
        {"dataset": BASE["dataset"] | {"testFraction": 0.3}},
    ],
    ids=str,
)
def test_a_changed_identity_field_makes_another_version(fields: dict[str, object]) -> None:
    """Every identity field counts."""
    assert version_id(identity(**fields)) != version_id(identity())


def test_a_trigger_makes_another_version_of_the_same_spec() -> None:
    """A schedule slot or a retrain annotation asks for a new version."""
    ids = {version_id(identity(), trigger=token) for token in ("", "2026-11-23T03:00Z", "again")}

    assert len(ids) == 3


def test_a_retrain_annotation_makes_another_version() -> None:
    """Each value asks for a version of its own; an empty one asks for none."""
    plain, asked = version_id(identity()), version_id(identity(), trigger=retrain_trigger("1"))

    assert asked != plain
    assert version_id(identity(), trigger=retrain_trigger("2")) not in (plain, asked)
    assert [retrain_trigger(nothing) for nothing in (None, "")] == ["", ""]


def test_a_long_retrain_annotation_fits_where_triggers_are_recorded() -> None:
    """It is taken by its digest, so that a tail beyond any length still counts."""
    first, second = (retrain_trigger("x" * 200 + end) for end in "ab")

    assert first != second
    assert len(first) <= 80
