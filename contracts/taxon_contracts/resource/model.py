"""The whole resource."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from taxon_contracts import names
from taxon_contracts.resource.gating import Gate
from taxon_contracts.resource.learning import Dataset, Pipeline, Search
from taxon_contracts.resource.operation import Retrain, Serving, Training
from taxon_contracts.resource.part import Flag, Part, Whole, published, rule
from taxon_contracts.scores import SearchScoreName

NONE_NEEDS_SINGLE_VALUES = "strategy None needs exactly one value per parameter"

EXCLUDED_IS_NO_FEATURE = (
    "predictionLog.excludeFeatures must be among dataset.features: correct the name, or list it in"
    " both"
)


class Identity(Part):
    """The fields that identify a version; an edit of any other field never retrains."""

    dataset: Dataset = Field(description="The table the model is trained on.")
    pipeline: Pipeline = Field(default=Pipeline(), description="The steps from a row to its label.")
    search: Search = Field(default=Search(), description="How hyperparameters are chosen.")
    metric: SearchScoreName = Field(
        default="roc_auc",
        description="The score: what the search optimizes, what versions are compared by, and what"
        " the column Score shows.",
    )
    seed: Whole = Field(
        default=42, ge=0, le=2**31 - 1, description="Seed of the split, the folds and the fit."
    )

    @model_validator(mode="after")
    def _none_needs_single_values(self) -> Self:
        parameters = self.pipeline.classifier.parameters or ()
        if self.search.strategy == "None" and any(len(p.values) > 1 for p in parameters):
            raise ValueError(NONE_NEEDS_SINGLE_VALUES)
        return self


class Spec(Identity):
    """Desired state of a model."""

    model_config = published(
        rule(
            "!has(self.search) || !has(self.search.strategy) || self.search.strategy != 'None'"
            " || !has(self.pipeline) || !has(self.pipeline.classifier)"
            " || !has(self.pipeline.classifier.parameters)"
            " || self.pipeline.classifier.parameters.all(p, size(p.values) == 1)",
            NONE_NEEDS_SINGLE_VALUES,
        ),
        rule(
            "!has(self.dataset.features)"
            " || !has(self.serving) || !has(self.serving.predictionLog)"
            " || !has(self.serving.predictionLog.excludeFeatures)"
            " || size(self.dataset.features.filter("
            "f, f.name in self.serving.predictionLog.excludeFeatures))"
            " == size(self.serving.predictionLog.excludeFeatures)",
            EXCLUDED_IS_NO_FEATURE,
        ),
    )

    gate: Gate = Field(
        default=Gate(), description="What a version must reach before it may be rolled out."
    )
    training: Training = Field(default=Training(), description="How a run is carried out.")
    serving: Serving = Field(default=Serving(), description="How a version is served.")
    retrain: Retrain = Field(
        default=Retrain(),
        description="When an unchanged spec is trained again. To do it now, set the annotation"
        f" {names.ANNOTATION_RETRAIN} to a value it has not had: kubectl annotate clm NAME"
        f" {names.ANNOTATION_RETRAIN}=$(date +%s) --overwrite",
    )
    pinned_version: (
        Annotated[str, StringConstraints(pattern=names.VERSION_PATTERN, max_length=11)] | None
    ) = Field(
        default=None,
        description="Version that must be live, one of status.versions: a rollback without"
        " training. Default: the newest that passed the gate and was not abandoned.",
    )
    version_history_limit: Whole = Field(
        default=10,
        ge=2,
        le=50,
        description="Versions that are kept. The live, previous and pinned ones always are.",
    )
    deletion_policy: Literal["Retain", "Delete"] = Field(
        default="Retain",
        description="Whether the bundles stay or are deleted when the model is deleted.",
    )
    suspend: Flag = Field(
        default=False,
        description="True stops runs and switches of traffic; the live version keeps serving.",
    )

    @model_validator(mode="after")
    def _excluded_are_features(self) -> Self:
        excluded = self.serving.prediction_log.exclude_features or ()
        listed = {feature.name for feature in self.dataset.features or ()}
        if listed and not listed.issuperset(excluded):
            raise ValueError(EXCLUDED_IS_NO_FEATURE)
        return self

    def identity(self) -> Identity:
        """Return the fields that identify a version."""
        return Identity(**{name: getattr(self, name) for name in Identity.model_fields})


class Metadata(BaseModel):
    """The part of Kubernetes' object metadata that Taxon reads."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, StringConstraints(pattern=names.MODEL_NAME_PATTERN)]
    namespace: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
    ] = "default"
    annotations: dict[str, str] = Field(default={})


class ClassifierModel(Part):
    """A tabular classifier, trained, gated, served and monitored from this one resource."""

    api_version: Literal["taxon.dev/v1alpha1"]
    kind: Literal["ClassifierModel"]
    metadata: Metadata
    spec: Spec = Field(description="Desired state of the model.")
