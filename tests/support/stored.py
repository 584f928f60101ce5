"""Models as the API server returns them, without a cluster."""

from typing import Any

from support.world import START, model_body

from taxon_controller import clock
from taxon_controller.domain.model import Model, read_model


def stored(*, annotations: dict[str, str] | None = None, **spec: Any) -> Model:
    """Return a model as the API server returns it."""
    body = model_body(**spec)
    body["metadata"] |= {
        "uid": "7b3c",
        "generation": 1,
        "resourceVersion": "42",
        "creationTimestamp": clock.text(START),
        "annotations": annotations or {},
    }
    return read_model(body)
