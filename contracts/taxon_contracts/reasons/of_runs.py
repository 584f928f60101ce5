"""Reasons of a run: final ones, on which a person has to act, and those that Taxon retries."""

from taxon_contracts.reasons.reason import (
    AGAIN,
    RUN_FAILED,
    Reason,
)

OF_RUNS: tuple[Reason, ...] = (
    # A person has to act: the run
    Reason("BundleCorrupt", RUN_FAILED, "The bundle in object storage is damaged.", AGAIN),
    Reason(
        "ClassMissing",
        RUN_FAILED,
        "positiveClass is not a class of the table.",
        "correct dataset.positiveClass",
    ),
    Reason(
        "DatasetChanged",
        RUN_FAILED,
        "The table at the URI is not the one this version was trained on.",
        AGAIN,
    ),
    Reason(
        "DatasetNotFound",
        RUN_FAILED,
        "There is no table at the URI, no such data set, or no such version of it.",
        "correct dataset, or load the data set: a model that follows its newest version then trains"
        f" by itself; in all other cases {AGAIN}",
    ),
    Reason(
        "DatasetUnreadable",
        RUN_FAILED,
        "The table cannot be parsed.",
        f"correct the table and {AGAIN}",
    ),
    Reason(
        "FeatureCopiesTarget",
        RUN_FAILED,
        "A feature is a copy of the target.",
        "list dataset.features without it",
    ),
    Reason(
        "FeatureMissing",
        RUN_FAILED,
        "A listed feature is not a column.",
        "correct dataset.features",
    ),
    Reason("InfiniteValues", RUN_FAILED, "A value is infinite.", f"correct it and {AGAIN}"),
    Reason(
        "InvalidParameter",
        RUN_FAILED,
        "scikit-learn refuses a parameter.",
        "correct pipeline.classifier.parameters",
    ),
    Reason(
        "InvalidRun",
        RUN_FAILED,
        "The trainer cannot read the run request.",
        "use controller and trainer of the same release",
    ),
    Reason(
        "LabelsNotDiscrete",
        RUN_FAILED,
        "The target column contains fractions; a classifier needs text or integer labels.",
        "choose another target in a new ClassifierModel",
    ),
    Reason(
        "MissingValues",
        RUN_FAILED,
        "A label is missing, or a feature's value without an imputer.",
        f"fill it in and {AGAIN}, or set pipeline.imputer",
    ),
    Reason(
        "NonBooleanFeature",
        RUN_FAILED,
        "A feature listed as Boolean holds other values than true and false.",
        "list it with another type, or remove it from dataset.features",
    ),
    Reason(
        "NonNumericFeature",
        RUN_FAILED,
        "A feature listed as Numeric, or numeric but for a few cells, holds text.",
        f"correct the cells and {AGAIN}, list it as Categorical, or remove it from"
        " dataset.features",
    ),
    Reason(
        "ParityFailed",
        RUN_FAILED,
        "The serving graph's answers differ from scikit-learn's.",
        "report it with the trainer's log",
    ),
    Reason(
        "SearchNotFinite",
        RUN_FAILED,
        "No combination has a finite score.",
        "change metric, folds or parameters",
    ),
    Reason("SingleClass", RUN_FAILED, "The target has one class only.", "choose another table"),
    Reason(
        "TargetMissing",
        RUN_FAILED,
        "The target is not a column.",
        "set dataset.target in a new ClassifierModel",
    ),
    Reason(
        "TooFewRows",
        RUN_FAILED,
        "A class has too few rows, or all rows that were held out have the same features.",
        f"add rows and {AGAIN}",
    ),
    Reason(
        "ModelTooLarge",
        RUN_FAILED,
        "The classifier does not fit into the trainer's memory, or into a serving file.",
        f"raise training.resources (and {AGAIN}), or lower the hyperparameters the message names",
    ),
    Reason(
        "TooManyCategories",
        RUN_FAILED,
        "The features have more categories than a bundle may list.",
        "leave the features out that the message names",
    ),
    Reason(
        "UnsupportedFeature",
        RUN_FAILED,
        "A listed feature holds dates, lists, bytes or free text.",
        f"derive numbers or categories from it and {AGAIN}, or remove it from dataset.features",
    ),
    Reason(
        "TooManyFeatures",
        RUN_FAILED,
        "The table is too wide.",
        "list fewer features or degrees",
    ),
    Reason(
        "DeadlineExceeded",
        RUN_FAILED,
        "An attempt took longer than training.deadlineSeconds.",
        f"raise it and {AGAIN}",
    ),
    Reason(
        "AttemptsExhausted",
        RUN_FAILED,
        "Every attempt failed; the message has the last reason.",
        f"fix the cause and {AGAIN}",
    ),
    Reason(
        "Superseded",
        ("Trained",),
        "The spec changed before the run ended. In status.versions only.",
    ),
    Reason(
        "ResultLost",
        ("Trained",),
        "The run's pod was removed, and with it the result. In status.versions only.",
        AGAIN,
    ),
    Reason(
        "Unknown",
        (*RUN_FAILED, "GatePassed"),
        "Another release of Taxon wrote a reason this one does not know; read the message.",
        f"upgrade the controller, or {AGAIN}",
    ),
    Reason(
        "InternalError",
        ("Trained",),
        "The trainer failed unexpectedly. Taxon retries.",
        "report it with the trainer's log",
    ),
    Reason(
        "DatabaseUnavailable",
        ("Trained",),
        "The database with the data set did not answer. Taxon retries.",
        "check the database, and the Secret taxon-datasets-read",
    ),
    Reason(
        "StorageDenied",
        ("Trained",),
        "Object storage refused the credentials. Taxon retries.",
        "correct the Secret",
    ),
    Reason(
        "StorageUnavailable",
        ("Trained",),
        "Object storage did not answer. Taxon retries.",
        "check the object storage",
    ),
    Reason(
        "PodLost",
        ("Trained",),
        "The pod ended without a result (node lost, evicted, deleted). Taxon retries.",
    ),
)
