"""What the controller gives KServe, read with KServe's own models."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import kubernetes.client
import pytest
import yaml
from support.kserve_sdk import kserve_sdk

from hack.cluster import layout

GOLDEN = Path(__file__).parent / "golden"


def read(document: Any, kind: str) -> Any:
    """Return a document as KServe's or Kubernetes' type of that name; no field may be unknown."""
    if kind.startswith("list["):
        item = kind.removeprefix("list[").removesuffix("]")
        return [read(element, item) for element in document]
    model = getattr(kserve_sdk().models, kind, None) or getattr(kubernetes.client, kind, None)
    if model is None:
        return document  # text, a number, or a map of free keys
    attributes = {field: name for name, field in model.attribute_map.items()}
    unknown = document.keys() - attributes.keys()
    assert not unknown, f"{kind} has no {unknown}"
    return model(
        **{
            attributes[field]: read(value, model.openapi_types[attributes[field]])
            for field, value in document.items()
        }
    )


def test_the_models_are_those_of_the_kserve_that_runs() -> None:
    """The package has the version that the test cluster is built with."""
    built = (layout.GO / "kubernetes/go.mod").read_text()

    assert f"github.com/kserve/kserve v{version('kserve')} " in built


@pytest.mark.parametrize("name", ["inference-service", "inference-service-full"])
def test_an_inference_service_is_what_kserve_reads(name: str) -> None:
    """KServe's models know every field at its place, and write the same document again."""
    document = yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())
    model = read(document, "V1beta1InferenceService")
    written = kserve_sdk().ApiClient().sanitize_for_serialization(model)
    del written["spec"]["predictor"]["model"]["name"]  # theirs: an empty name is always written

    assert written == document


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ((), "specs"),
        (("spec", "predictor"), "minReplica"),
        (("spec", "predictor", "model"), "storageURI"),
        (("spec", "predictor", "securityContext"), "runAsNonroot"),
    ],
)
def test_a_field_in_the_wrong_place_is_noticed(place: tuple[str, ...], field: str) -> None:
    """The check above sees a misspelt field at every depth."""
    document = yaml.safe_load((GOLDEN / "inference-service.yaml").read_text())
    parent = document
    for key in place:
        parent = parent[key]
    parent[field] = "any"

    with pytest.raises(AssertionError, match=f"has no {{'{field}'}}"):
        read(document, "V1beta1InferenceService")
