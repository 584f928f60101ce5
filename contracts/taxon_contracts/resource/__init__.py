"""The ClassifierModel resource: what a platform team writes.

The CustomResourceDefinition is generated from these types. A rule over several fields is written
twice, side by side: as CEL for the API server and as a validator for files read from disk.
A field is published together with the code that obeys it.
"""

from taxon_contracts.resource.gating import Gate, Limit
from taxon_contracts.resource.learning import (
    Dataset,
    DatasetTable,
    Encoder,
    FeatureType,
    Imputer,
    Pipeline,
    Search,
)
from taxon_contracts.resource.model import ClassifierModel, Identity, Spec
from taxon_contracts.resource.operation import Amounts, Http, Resources, Retrain, Tracking
from taxon_contracts.resource.part import Part, amount, list_map, rule

__all__ = [
    "Amounts",
    "ClassifierModel",
    "Dataset",
    "DatasetTable",
    "Encoder",
    "FeatureType",
    "Gate",
    "Http",
    "Identity",
    "Imputer",
    "Limit",
    "Part",
    "Pipeline",
    "Resources",
    "Retrain",
    "Search",
    "Spec",
    "Tracking",
    "amount",
    "list_map",
    "rule",
]
