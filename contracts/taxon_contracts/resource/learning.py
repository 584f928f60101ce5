"""What a model is trained on, and how: the table, the pipeline, the search."""

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, StringConstraints, field_validator, model_validator

from taxon_contracts.datasets import DATASET_NAME_PATTERN, DATASET_VERSION_MAX
from taxon_contracts.resource.part import (
    ClassName,
    ColumnName,
    Flag,
    Number,
    ParameterName,
    Part,
    PythonLiteral,
    TableURI,
    Whole,
    list_map,
    published,
    rule,
)

FeatureType = Literal["Numeric", "Categorical", "Boolean"]


class Feature(Part):
    """One input column."""

    name: ColumnName = Field(description="Column of the table, and name of the input.")
    type: FeatureType | None = Field(
        default=None,
        description="How the column is read and the input is sent. Numeric: numbers. Boolean: true"
        " and false. Categorical: text, where each distinct text is a category; numbers that are"
        " only names, such as postcodes, belong here. Default: what the column holds.",
    )


class DatasetTable(Part):
    """A data set in Taxon's database."""

    name: Annotated[str, StringConstraints(pattern=DATASET_NAME_PATTERN, max_length=63)] = Field(
        description="Name of the data set, in the namespace of the model."
    )
    version: Annotated[int, Strict(), Field(ge=1, le=DATASET_VERSION_MAX)] | None = Field(
        default=None,
        description="Version of the data set. Default: the newest; a newer one then starts a run.",
    )


ONE_SOURCE = "dataset needs exactly one of uri and table: remove one, or add the other"
TARGET_IS_NO_FEATURE = "features must not contain the target: remove it from features"


class Dataset(Part):
    """The table a model is trained on."""

    model_config = published(
        rule(
            "!has(self.features) || !self.features.exists(f, f.name == self.target)",
            TARGET_IS_NO_FEATURE,
        ),
        rule("has(self.uri) != has(self.table)", ONE_SOURCE),
    )

    uri: TableURI | None = Field(
        default=None,
        description="Table in object storage, s3://bucket/key, CSV or Parquet. Credentials come"
        " from training.secretRef, never from the URI. Either this or table.",
    )
    table: DatasetTable | None = Field(
        default=None,
        description="Data set in the database, loaded with taxon dataset load. Either this or uri.",
    )
    target: ColumnName = Field(
        description="Column of labels: text, or integers where every label is written as one."
        " Immutable.",
        json_schema_extra={
            "x-kubernetes-validations": [
                rule("self == oldSelf", "target is immutable: create another ClassifierModel")
            ]
        },
    )
    positive_class: ClassName | None = Field(
        default=None,
        description="Binary models: the class whose probability is compared with the threshold,"
        " written as in the table. Default: the last in sorted order.",
    )
    features: (
        Annotated[
            tuple[Feature, ...],
            Field(
                min_length=1,
                max_length=1000,
                json_schema_extra=list_map("name"),
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Input columns, in order. Default: every column of numbers, booleans or"
        " categories except the target; dates, lists, bytes and free text are left out.",
    )
    test_fraction: Number = Field(
        default=0.2,
        ge=0.05,
        le=0.5,
        description="Share of each class held out of training, for the metrics and the gate.",
    )

    @property
    def place(self) -> str:
        """Return where the table is, for people: its URI, or its data set."""
        if self.table is None:
            return self.uri or ""
        version = f" version {self.table.version}" if self.table.version else ""
        return f"data set {self.table.name}{version}"

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.uri is None) == (self.table is None):
            raise ValueError(ONE_SOURCE)
        return self

    @model_validator(mode="after")
    def _features_are_inputs(self) -> Self:
        listed = [feature.name for feature in self.features or ()]
        if self.target in listed:
            raise ValueError(TARGET_IS_NO_FEATURE)
        if len(set(listed)) != len(listed):
            raise ValueError("features must have distinct names: remove the repeated one")
        return self


VALUE_NEEDS_CONSTANT = "value needs strategy Constant: remove value or change the strategy"


class Imputer(Part):
    """What takes the place of missing values."""

    model_config = published(
        rule("!has(self.value) || self.strategy == 'Constant'", VALUE_NEEDS_CONSTANT)
    )

    strategy: Literal["None", "Median", "MostFrequent", "Constant"] = Field(
        description="None refuses missing values, in the table and in requests. The others accept"
        " them in every feature. A missing number or boolean becomes the training rows' median"
        " (Median), their most frequent value (MostFrequent), or 'value' (Constant). A missing"
        " category becomes the most frequent one (MostFrequent), or a category of its own (Median,"
        " Constant)."
    )
    indicator: Flag = Field(
        default=False,
        description="Adds an input for the classifier to each feature whose missing values are"
        " filled in: 1 where the value was missing, else 0. A missing category that is a category"
        " of its own needs none.",
    )
    value: Number | None = Field(
        default=None,
        description="Strategy Constant only: what a missing number or boolean becomes. Default: 0.",
    )

    @model_validator(mode="after")
    def _value_needs_constant(self) -> Self:
        if self.value is not None and self.strategy != "Constant":
            raise ValueError(VALUE_NEEDS_CONSTANT)
        return self


class Encoder(Part):
    """How a category becomes numbers."""

    type: Literal["OneHot"] = Field(
        default="OneHot",
        description="OneHot gives each category an input of the classifier, 1 where a row has that"
        " category, else 0. A category without one, because it is rare or was not in the training"
        " rows, is 0 in all of them: it counts as none of the known ones.",
    )
    min_frequency: Whole = Field(
        default=1,
        ge=1,
        le=1_000_000,
        description="A category that fewer training rows have is rare.",
    )
    max_categories: Whole = Field(
        default=50,
        ge=1,
        le=1000,
        description="Categories of one feature that get an input of the classifier: the most"
        " frequent ones. All others count as rare.",
    )


class Parameter(Part):
    """One hyperparameter of the classifier."""

    name: ParameterName = Field(description="Name of the scikit-learn parameter.")
    values: tuple[PythonLiteral, ...] = Field(
        min_length=1,
        max_length=50,
        description="Python literals as strings: 5, 0.5, None, True, 'sqrt'."
        " One value fixes the parameter, several are searched.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class Classifier(Part):
    """The last step of the pipeline."""

    type: Literal["RandomForest", "LogisticRegression"] = Field(
        default="RandomForest", description="Kind of classifier. The list may grow."
    )
    parameters: (
        Annotated[
            tuple[Parameter, ...],
            Field(
                min_length=1,
                max_length=20,
                json_schema_extra=list_map("name"),
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Hyperparameters. Default: a grid of the type (RandomForest: 108 combinations,"
        " which are 540 fits with 5 folds; LogisticRegression: 5 combinations), or scikit-learn's"
        " defaults where the search strategy is None.",
    )

    @model_validator(mode="after")
    def _parameters_are_distinct(self) -> Self:
        listed = [parameter.name for parameter in self.parameters or ()]
        if len(set(listed)) != len(listed):
            raise ValueError("parameters must have distinct names: remove the repeated one")
        return self


class Pipeline(Part):
    """The steps from a row to its label."""

    scaler: Literal["Standard", "None"] = Field(
        default="Standard",
        description="Standard scales numbers and booleans to zero mean and unit variance.",
    )
    imputer: Imputer | None = Field(
        default=None,
        description="What takes the place of missing values. Default: as Median, in those features"
        " that have missing values in the table; the others refuse them.",
    )
    encoder: Encoder | None = Field(
        default=None, description="How categories become numbers. Default: OneHot."
    )
    polynomial_degree: Whole = Field(
        default=1,
        ge=1,
        le=3,
        description="Above 1, products of features up to this degree are added.",
    )
    classifier: Classifier = Field(
        default=Classifier(), description="The classifier and its hyperparameters."
    )
    threshold: Number | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Binary models: the label is positive exactly when the probability of the"
        " positive class is above this. Default: 0.5.",
    )

    @field_validator("encoder")
    @classmethod
    def _defaults_are_as_if_absent(cls, encoder: Encoder | None) -> Encoder | None:
        return None if encoder == Encoder() else encoder


TRIALS_NEED_SAMPLING = (
    "trials needs strategy Random or Bayesian: remove trials or change the strategy"
)


class Search(Part):
    """How hyperparameters are chosen."""

    model_config = published(
        rule(
            "!has(self.trials) || (has(self.strategy) && self.strategy in ['Random', 'Bayesian'])",
            TRIALS_NEED_SAMPLING,
        )
    )

    strategy: Literal["Grid", "Random", "Bayesian", "None"] = Field(
        default="Grid",
        description="Grid tries every combination, Random a sample of them; Bayesian chooses each"
        " trial by the results of the ones before; None fits once.",
    )
    folds: Whole = Field(
        default=5, ge=2, le=20, description="Folds of the stratified cross-validation."
    )
    trials: Annotated[int, Strict(), Field(ge=1, le=1000)] | None = Field(
        default=None, description="Combinations to try (Random and Bayesian only). Default: 30."
    )

    @model_validator(mode="after")
    def _trials_need_sampling(self) -> Self:
        if self.trials is not None and self.strategy not in ("Random", "Bayesian"):
            raise ValueError(TRIALS_NEED_SAMPLING)
        return self
