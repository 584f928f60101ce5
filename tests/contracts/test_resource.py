"""The resource refuses the same things when read from a file and when applied to a cluster."""

import copy
from collections.abc import Iterator
from typing import Any

import cel
import jsonschema
import pytest
from pydantic import ValidationError

from taxon_contracts.crd import custom_resource_definition
from taxon_contracts.resource import ClassifierModel, Http, amount
from taxon_contracts.resource.cron import SHAPE_MESSAGE, out_of_range
from taxon_contracts.resource.learning import VALUE_NEEDS_CONSTANT

CRD = custom_resource_definition()
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def minimal(**spec: Any) -> dict[str, Any]:
    """Return the smallest resource, with ``spec`` merged into its spec."""
    dataset = {"uri": "s3://samples/wine.csv", "target": "cultivar"} | spec.pop("dataset", {})
    return {
        "apiVersion": "taxon.dev/v1alpha1",
        "kind": "ClassifierModel",
        "metadata": {"name": "wine"},
        "spec": {"dataset": dataset, **spec},
    }


def defaulted(value: Any, schema: dict[str, Any]) -> Any:
    """Fill in schema defaults top-down, as the API server does before it evaluates rules."""
    if isinstance(value, dict):
        filled = dict(value)
        for name, child in schema.get("properties", {}).items():
            if name not in filled and "default" in child:
                filled[name] = copy.deepcopy(child["default"])
            if name in filled:
                filled[name] = defaulted(filled[name], child)
        return filled
    if isinstance(value, list):
        return [defaulted(item, schema["items"]) for item in value]
    return value


def broken_rules(value: Any, schema: dict[str, Any], old: Any = None) -> Iterator[str]:
    """Yield the message of every CEL rule that ``value`` breaks, wherever that is."""
    for rule in schema.get("x-kubernetes-validations", []):
        transition = "oldSelf" in rule["rule"]
        if transition and old is None:
            continue
        context = cel.Context({"self": value, **({"oldSelf": old} if transition else {})})
        context.add_function("quantity", lambda text: float(amount(text)))
        context.add_function("compareTo", lambda a, b: (a > b) - (a < b))
        if not cel.evaluate(rule["rule"], context):
            expression = rule.get("messageExpression")
            yield cel.evaluate(expression, context) if expression else rule["message"]
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, child in schema.get("properties", {}).items():
            if name in value:
                yield from broken_rules(value[name], child, before.get(name))
    if isinstance(value, list):
        for item in value:
            yield from broken_rules(item, schema["items"])


def refused_by_cluster(resource: dict[str, Any], old: dict[str, Any] | None = None) -> bool:
    """Tell whether the schema or a CEL rule of the CRD refuses the resource."""
    filled = defaulted(resource, SCHEMA)
    valid = jsonschema.Draft202012Validator(SCHEMA).is_valid(filled)
    return not valid or any(broken_rules(filled, SCHEMA, old))


def refused_by_file(resource: dict[str, Any]) -> bool:
    """Tell whether reading the resource from a file refuses it."""
    try:
        ClassifierModel.model_validate(resource)
    except ValidationError:
        return True
    return False


FOREST = {"name": "n_estimators", "values": ["50", "100"]}
REFUSED = {
    "a target among the features": minimal(dataset={"features": [{"name": "cultivar"}]}),
    "a feature without a name": minimal(dataset={"features": [{}]}),
    "an empty list of features": minimal(dataset={"features": []}),
    "credentials in the URI": minimal(dataset={"uri": "s3://key:secret@samples/wine.csv"}),
    "a URI of something else than a table": minimal(dataset={"uri": "s3://samples/wine.xlsx"}),
    "a way out of the bucket": minimal(dataset={"uri": "s3://samples/../wine.csv"}),
    "a way up within the bucket": minimal(dataset={"uri": "s3://samples/a/../wine.csv"}),
    "a folder that is this one": minimal(dataset={"uri": "s3://samples/./wine.csv"}),
    "a line break in the URI": minimal(dataset={"uri": "s3://samples/wi\nne.csv"}),
    "a line break after the URI": minimal(dataset={"uri": "s3://samples/wine.csv\n"}),
    "a path instead of a URI": minimal(dataset={"uri": "/data/wine.csv"}),
    "a test fraction of everything": minimal(dataset={"testFraction": 1}),
    "a fraction given as text": minimal(dataset={"testFraction": "0.2"}),
    "trials for a grid": minimal(search={"trials": 10}),
    "trials without a search": minimal(search={"strategy": "None", "trials": 10}),
    "several values without a search": minimal(
        search={"strategy": "None"}, pipeline={"classifier": {"parameters": [FOREST]}}
    ),
    "a value that is not a Python literal": minimal(
        pipeline={"classifier": {"parameters": [{"name": "max_features", "values": ["sqrt"]}]}}
    ),
    "a value that is code": minimal(
        pipeline={"classifier": {"parameters": [{"name": "max_depth", "values": ["exit()"]}]}}
    ),
    "a value that is a number": minimal(
        pipeline={"classifier": {"parameters": [{"name": "max_depth", "values": [5]}]}}
    ),
    "a classifier that does not exist": minimal(pipeline={"classifier": {"type": "Oracle"}}),
    "a limit without a bound": minimal(gate={"limits": [{"metric": "roc_auc"}]}),
    "a limit that excludes everything": minimal(
        gate={"limits": [{"metric": "roc_auc", "min": 0.9, "max": 0.8}]}
    ),
    "a metric that does not exist": minimal(gate={"limits": [{"metric": "luck", "min": 1}]}),
    "a search for the calibration error": minimal(metric="ece"),
    "a value to fill in beside a median": minimal(
        pipeline={"imputer": {"strategy": "Median", "value": 1}}
    ),
    "a value of zero without imputation": minimal(
        pipeline={"imputer": {"strategy": "None", "value": 0}}
    ),
    "an imputer without a strategy": minimal(pipeline={"imputer": {"indicator": True}}),
    "a value to fill in that is text": minimal(
        pipeline={"imputer": {"strategy": "Constant", "value": "0"}}
    ),
    "an indicator that is text": minimal(
        pipeline={"imputer": {"strategy": "Median", "indicator": "yes"}}
    ),
    "an imputer that does not exist": minimal(pipeline={"imputer": {"strategy": "Mean"}}),
    "an encoder that does not exist": minimal(pipeline={"encoder": {"type": "Ordinal"}}),
    "no column for any category": minimal(pipeline={"encoder": {"maxCategories": 0}}),
    "a column per category without end": minimal(pipeline={"encoder": {"maxCategories": 1001}}),
    "a category that no row needs to have": minimal(pipeline={"encoder": {"minFrequency": 0}}),
    "a type of features that does not exist": minimal(
        dataset={"features": [{"name": "ash", "type": "Text"}]}
    ),
    "a polynomial of degree four": minimal(pipeline={"polynomialDegree": 4}),
    "one fold": minimal(search={"folds": 1}),
    "requests above limits": minimal(
        training={"resources": {"requests": {"cpu": "1500m"}, "limits": {"cpu": "1"}}}
    ),
    "memory requested above its limit": minimal(
        serving={"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1G"}}}
    ),
    "a quantity given as a number": minimal(training={"resources": {"requests": {"cpu": 1}}}),
    "a quantity that is none": minimal(training={"resources": {"limits": {"memory": "2 GB"}}}),
    "a suspension that is text": minimal(suspend="false"),
    "a deadline of a second": minimal(training={"deadlineSeconds": 1}),
    "a Secret named like a path": minimal(training={"secretRef": {"name": "../s3"}}),
    "more servers at least than at most": minimal(serving={"minReplicas": 3, "maxReplicas": 2}),
    "fewer servers at most than the one there is": minimal(serving={"maxReplicas": 0}),
    "no server at all": minimal(serving={"minReplicas": 0}),
    "a schedule of four fields": minimal(retrain={"schedule": "0 3 * *"}),
    "a schedule by nickname": minimal(retrain={"schedule": "@daily"}),
    "a schedule with a line break": minimal(retrain={"schedule": "0 3 * * 1\n"}),
    "a feature kept out of the log that is not listed": minimal(
        dataset={"features": [{"name": "ash"}]},
        serving={"predictionLog": {"excludeFeatures": ["ash", "Ash"]}},
    ),
    "a log kept for no day": minimal(serving={"predictionLog": {"retentionDays": 0}}),
    "more than three hundred features kept out of the log": minimal(
        serving={"predictionLog": {"excludeFeatures": [str(number) for number in range(301)]}}
    ),
    "a pin that is not a version": minimal(pinnedVersion="latest"),
    "a history of one": minimal(versionHistoryLimit=1),
    "a history without end": minimal(versionHistoryLimit=51),
    "a deletion policy that does not exist": minimal(deletionPolicy="Orphan"),
    "a name with capitals": minimal() | {"metadata": {"name": "Wine"}},
    "a name of 37 characters": minimal() | {"metadata": {"name": "w" * 37}},
    "a name that starts with a digit": minimal() | {"metadata": {"name": "1wine"}},
}
ACCEPTED = {
    "the smallest resource": minimal(),
    "a constant to fill in": minimal(
        pipeline={"imputer": {"strategy": "Constant", "value": -1.5, "indicator": True}}
    ),
    "a constant that is left to its default": minimal(
        pipeline={"imputer": {"strategy": "Constant"}}
    ),
    "no imputation": minimal(pipeline={"imputer": {"strategy": "None"}}),
    "an encoder of defaults": minimal(pipeline={"encoder": {}}),
    "few columns for frequent categories": minimal(
        pipeline={"encoder": {"type": "OneHot", "minFrequency": 10, "maxCategories": 1}}
    ),
    "features of every type": minimal(
        dataset={
            "features": [
                {"name": "ash", "type": "Numeric"},
                {"name": "cask", "type": "Categorical"},
                {"name": "organic", "type": "Boolean"},
                {"name": "hue"},
            ]
        }
    ),
    "a name of 36 characters": minimal() | {"metadata": {"name": "w" * 36}},
    "trials for a random search": minimal(search={"strategy": "Random", "trials": 10}),
    "single values without a search": minimal(
        search={"strategy": "None"},
        pipeline={"classifier": {"parameters": [{"name": "max_depth", "values": ["5"]}]}},
    ),
    "every kind of literal": minimal(
        pipeline={
            "classifier": {
                "parameters": [
                    {"name": "max_features", "values": ["'sqrt'", "None", "0.5", "1e-3", "-2"]},
                    {"name": "bootstrap", "values": ["True", "False"]},
                ]
            }
        }
    ),
    "requests equal to limits in another unit": minimal(
        training={"resources": {"requests": {"cpu": "1000m"}, "limits": {"cpu": "1"}}}
    ),
    "a request without a limit": minimal(serving={"resources": {"requests": {"memory": "1Gi"}}}),
    "as many servers at most as at least": minimal(serving={"minReplicas": 2, "maxReplicas": 2}),
    "a key with dots and spaces": minimal(dataset={"uri": "s3://samples/my ..data/v1.2/wine.csv"}),
    "a weekly schedule": minimal(retrain={"schedule": "0 3 * * 1"}),
    "listed features kept out of the log": minimal(
        dataset={"features": [{"name": "ash"}, {"name": "hue"}]},
        serving={"predictionLog": {"retentionDays": 30, "excludeFeatures": ["hue"]}},
    ),
    "a feature kept out of the log that is found in the table": minimal(
        serving={"predictionLog": {"excludeFeatures": ["hue"]}}
    ),
    "no feature kept out of the log": minimal(
        dataset={"features": [{"name": "ash"}]}, serving={"predictionLog": {"excludeFeatures": []}}
    ),
    "a pinned version": minimal(pinnedVersion="v3f9c2a71be"),
    "a limit on both sides": minimal(gate={"limits": [{"metric": "ece", "min": 0, "max": 0.1}]}),
}


@pytest.mark.parametrize("resource", REFUSED.values(), ids=REFUSED.keys())
def test_both_places_refuse(resource: dict[str, Any]) -> None:
    """What one place refuses the other refuses too."""
    assert (refused_by_file(resource), refused_by_cluster(resource)) == (True, True)


@pytest.mark.parametrize("resource", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_both_places_accept(resource: dict[str, Any]) -> None:
    """What one place accepts the other accepts too."""
    assert (refused_by_file(resource), refused_by_cluster(resource)) == (False, False)


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("spec.dataset.tabel", minimal(dataset={"uri": "s3://tables/a.csv", "tabel": {}})),
        ("spec.serving.minReplica", minimal(serving={"minReplica": 1})),
    ],
)
def test_a_file_with_an_unknown_field_is_refused_by_its_path(
    path: str, resource: dict[str, Any]
) -> None:
    """The API server prunes what it does not know; a file's author gets an error."""
    with pytest.raises(ValidationError) as refusal:
        ClassifierModel.model_validate(resource)

    assert [".".join(map(str, error["loc"])) for error in refusal.value.errors()] == [path]


@pytest.mark.parametrize(
    ("part", "entry"),
    [
        ("dataset", {"features": [{"name": "ash"}, {"name": "ash"}]}),
        ("gate", {"limits": [{"metric": "f1", "min": 0.5}, {"metric": "f1", "max": 0.9}]}),
        ("pipeline", {"classifier": {"parameters": [FOREST, FOREST]}}),
    ],
)
def test_a_file_that_repeats_a_key_of_a_list_map_is_refused(
    part: str, entry: dict[str, Any]
) -> None:
    """The API server refuses repeated keys of a list-map by itself; reading a file does too."""
    with pytest.raises(ValidationError, match=r"remove the repeated one|join the repeated ones"):
        ClassifierModel.model_validate(minimal(**{part: entry}))


def test_the_target_of_a_model_cannot_change() -> None:
    """Another target is another model."""
    assert refused_by_cluster(minimal(dataset={"target": "ash"}), old=minimal())


def test_schema_defaults_and_file_defaults_are_the_same() -> None:
    """The defaults the API server writes are the ones a file's reader assumes."""
    filled = defaulted(minimal(), SCHEMA)

    assert ClassifierModel.model_validate(filled) == ClassifierModel.model_validate(minimal())
    assert filled["spec"]["search"] == {"strategy": "Grid", "folds": 5}


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("@daily", '"@daily" is not five cron fields; use "0 0 * * *"'),
        ("@hourly", '"@hourly" is not five cron fields; use "0 * * * *"'),
        ("@reboot", '"@reboot" is not five cron fields; use "0 3 * * 1"'),
        ("0 3 * *", SHAPE_MESSAGE),
    ],
)
def test_a_wrong_schedule_is_answered_with_one_sentence(schedule: str, sentence: str) -> None:
    """The API server and the file's reader say the same, and no regular expression."""
    resource = minimal(retrain={"schedule": schedule})
    with pytest.raises(ValidationError) as refusal:
        ClassifierModel.model_validate(resource)
    [problem] = refusal.value.errors()

    assert problem["msg"] == f"Value error, {sentence}"
    assert list(broken_rules(defaulted(resource, SCHEMA), SCHEMA)) == [sentence]


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("61 * * * *", "minute 61 is out of range 0-59"),
        ("0 24 * * *", "hour 24 is out of range 0-23"),
        ("0 3 0-5 * *", "day of the month 0 is out of range 1-31"),
        ("0 3 * 1,13 *", "month 13 is out of range 1-12"),
        ("0 3 * * 8#2", "day of the week 8 is out of range 0-7"),
        ("*/15 0-23 1,31 JAN-DEC 7", None),
        ("0 3 L * MON#1", None),
    ],
)
def test_a_number_out_of_range_is_named_with_the_range(schedule: str, sentence: str | None) -> None:
    """A person reads which field to correct, and to what."""
    assert out_of_range(schedule) == sentence


@pytest.mark.parametrize("strategy", ["None", "Median", "MostFrequent"])
def test_a_value_that_nothing_fills_in_is_answered_with_one_sentence(strategy: str) -> None:
    """The API server and the file's reader say the same, and what to do."""
    resource = minimal(pipeline={"imputer": {"strategy": strategy, "value": 0}})
    with pytest.raises(ValidationError) as refusal:
        ClassifierModel.model_validate(resource)
    [problem] = refusal.value.errors()

    assert problem["msg"] == f"Value error, {VALUE_NEEDS_CONSTANT}"
    assert list(broken_rules(defaulted(resource, SCHEMA), SCHEMA)) == [VALUE_NEEDS_CONSTANT]


def test_http_options_are_the_servers_variables() -> None:
    """What is not set is left to the platform; lists are separated by commas."""
    http = Http.model_validate(
        {"corsOrigins": ["https://a.example", "https://b.example"], "accessLog": True, "maxRows": 5}
    )

    assert http.server_variables() == {
        "TAXON_SERVER_CORS_ORIGINS": "https://a.example,https://b.example",
        "TAXON_SERVER_ACCESS_LOG": "true",
        "TAXON_SERVER_MAX_ROWS": "5",
    }
