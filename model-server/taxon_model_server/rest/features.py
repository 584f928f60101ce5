"""How /info and the API's description show a feature."""

from collections.abc import Mapping
from typing import Any

from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import FeatureType

MOST_CATEGORIES = 100
EXAMPLES = 20
JSON_TYPES: Mapping[FeatureType, str] = {
    "Numeric": "number",
    "Boolean": "boolean",
    "Categorical": "string",
}


def described(feature: SignatureFeature) -> dict[str, Any]:
    """Return a feature for /info; of its categories, the most frequent."""
    document = {
        "name": feature.name,
        "dropped": feature.dropped,
        "type": feature.type,
        "gaps": feature.gaps,
    }
    if feature.type != "Categorical":
        return document
    categories = feature.categories[:MOST_CATEGORIES]
    return document | {"categories": categories, "category_count": len(feature.categories)}


def schema(feature: SignatureFeature) -> dict[str, Any]:
    """Return the JSON schema of a feature's value; any text is a category."""
    kind = JSON_TYPES[feature.type]
    document: dict[str, Any] = {"type": [kind, "null"] if feature.gaps else kind}
    if feature.type == "Categorical":
        document["examples"] = list(feature.categories[:EXAMPLES])
    return document
