"""The page of the schema: every table and view with its columns, and what each role may do."""

from collections.abc import Mapping
from dataclasses import dataclass

from taxon_datastore.roles import GRANTS, TABLES, VIEWS


@dataclass(frozen=True)
class Relation:
    """A table or a view: what it is for, and type and meaning of each column."""

    about: str
    columns: Mapping[str, tuple[str, str]]


ID = ("uuid", "UUIDv7 of the prediction: it orders by time")
NAMESPACE = ("text", "Namespace of the model; policies on rows compare it")
MODEL = ("text", "Name of the ClassifierModel")
VERSION = ("text", "Version of the model, such as `v0123456789`")
JSON_LABEL = ("jsonb", "A class: a string or an integer, as in the training table")

PREDICTION = {
    "id": ID,
    "namespace": NAMESPACE,
    "model": MODEL,
    "version": VERSION,
    "time": ("timestamp with time zone", "When the request was answered; chooses the partition"),
    "request_id": ("text", "What the client called its request"),
    "features": (
        "double precision[]",
        (
            "The row in the signature's order: a boolean as 0 or 1, NULL for a missing value and in"
            " the place of a category; NULL as a whole where the log leaves features out"
        ),
    ),
    "label": ("jsonb", "The answered class; NULL for a failed request"),
    "confidence": ("double precision", "Probability of the answered class"),
    "probabilities": ("double precision[]", "Probability of each class, in the bundle's order"),
    "latency_seconds": ("double precision", "Time the whole request took, in seconds"),
    "outcome": ("text", "`Answered` or `Failed`"),
    "inputs": (
        "jsonb",
        "The row as a JSON array, in rows of earlier releases that are not numbers alone",
    ),
    "categories": (
        "text[]",
        "The categorical features only, in the signature's order; NULL where the version has none",
    ),
    "transport": ("text", "How the request came: `http`; NULL in rows of earlier releases"),
    "mirrored": ("boolean", "Whether it is a copy whose answer went to nobody"),
}
LABEL = {
    "id": ("uuid", "UUIDv5 of what was observed, so that sending it again changes nothing"),
    "namespace": NAMESPACE,
    "model": MODEL,
    "prediction_id": ("uuid", "The prediction that it is about; NULL where `request_id` is set"),
    "request_id": ("text", "The request that it is about; NULL where `prediction_id` is set"),
    "label": JSON_LABEL,
    "observed_at": ("timestamp with time zone", "When the class was observed; the newest counts"),
    "received_at": ("timestamp with time zone", "When the server got it"),
    "submitter": ("text", "Who sent it, as far as that was said"),
}
RELATIONS = {
    "predictions": Relation(
        "The prediction log: a row for each predicted row, and one for each failed request."
        " Partitioned by day (UTC); rows of days without a partition are in"
        " `predictions_default`. Primary key `(id, time)`.",
        PREDICTION,
    ),
    "signatures": Relation(
        "What the arrays of a version's rows stand for; servers add a row with the first rows of"
        " a version. Primary key `(namespace, model, version)`.",
        {
            "namespace": NAMESPACE,
            "model": MODEL,
            "version": VERSION,
            "features": (
                "jsonb",
                (
                    "List of `{name, type}` in the order of the arrays; a type is `Numeric`,"
                    " `Categorical` or `Boolean`"
                ),
            ),
        },
    ),
    "retentions": Relation(
        "How long a model's rows are kept where its spec says so; the newest row counts.",
        {
            "namespace": NAMESPACE,
            "model": MODEL,
            "days": ("integer", "Days; NULL is the bound of the whole installation"),
            "since": ("timestamp with time zone", "When a server first said so"),
        },
    ),
    "labels": Relation(
        "Observed classes of predictions. All are kept as long as their predictions.", LABEL
    ),
    "datasets": Relation(
        "A row for each version of each data set; a version never changes.",
        {
            "id": ("bigint", "Number that the rows refer to"),
            "namespace": NAMESPACE,
            "name": ("text", "Name of the data set"),
            "version": ("integer", "1, 2, 3 and so on"),
            "digest": ("text", "SHA-256 of the file that was loaded; a file is one version"),
            "format": ("text", "`csv` or `parquet`"),
            "rows": ("bigint", "Number of rows"),
            "columns": ("jsonb", "Names and types of the columns, in the file's order"),
            "arrow_schema": ("bytea", "Arrow schema of a Parquet file"),
            "created_at": ("timestamp with time zone", "When it was loaded"),
            "created_by": ("text", "Database role that loaded it"),
        },
    ),
    "dataset_numbers": Relation(
        "Every number that a version of a data set ever had: that of a deleted one is not given"
        " again.",
        {
            "namespace": NAMESPACE,
            "name": ("text", "Name of the data set"),
            "version": ("integer", "The number"),
        },
    ),
    "training_data": Relation(
        "The rows of data sets. They go with their version. Primary key `(dataset, row)`.",
        {
            "dataset": ("bigint", "`id` of the version in `datasets`"),
            "namespace": NAMESPACE,
            "row": ("bigint", "Place of the row in the file"),
            "cells": ("text[]", "The cells as the file has them; NULL for an empty one"),
        },
    ),
    "predictions_intake": Relation(
        "Where servers copy rows of `predictions`: its trigger skips those that exist"
        " ([why](decisions/rows-through-a-view.md)).",
        PREDICTION,
    ),
    "labels_intake": Relation("The same for `labels`.", LABEL),
    "prediction_values": Relation(
        "A row for each value of each logged row, under the name of its feature. Ask for a"
        " namespace, a model and a time, which choose the partitions that are read.",
        {
            **{name: PREDICTION[name] for name in ("id", "time", "namespace", "model", "version")},
            "mirrored": PREDICTION["mirrored"],
            "feature": ("text", "Name; NULL where the version's signature is not stored"),
            "type": ("text", "`Numeric`, `Categorical` or `Boolean`"),
            "number": ("double precision", "The value; a boolean is 0 or 1; NULL for a category"),
            "text": ("text", "The category"),
        },
    ),
    "live_accuracy": Relation(
        "What the labels say about the answers of each model, version and day. Mirrored and"
        " failed requests do not count.",
        {
            "namespace": NAMESPACE,
            "model": MODEL,
            "version": VERSION,
            "day": ("date", "Day of the predictions (UTC)"),
            "predictions": ("bigint", "Number of answers"),
            "labelled": ("bigint", "How many of them have a label"),
            "share_labelled": ("double precision", "The share that has a label"),
            "correct": ("bigint", "How many labelled answers were right"),
            "accuracy": ("double precision", "Share of the labelled answers that were right"),
            "low": ("double precision", "Lower end of the accuracy's 95 % interval (Wilson)"),
            "high": ("double precision", "Upper end of that interval"),
        },
    ),
}
READERS = {
    "servers": "Model servers of a namespace",
    "trainers": "Training jobs of a namespace",
    "datasets": "People and programs that load data sets of a namespace",
    "monitor": "The monitor, for all namespaces",
}


def schema_page() -> str:
    """Return the page as Markdown."""
    parts = [
        "<!-- Generated from datastore/taxon_datastore by `make generate`; do not edit. -->",
        "# The schema",
        (
            "Tables and views of Taxon's database, PostgreSQL 14 to 18. Releases only add to it, so"
            " that servers of the previous release work during an upgrade. Any SQL client reads it."
        ),
        *(_section(name, relation) for name, relation in RELATIONS.items()),
        "## Who may do what",
        (
            "Every role but the owner sees the rows of its namespace only; the monitor sees all."
            " Nobody but the owner changes a row, and no role owns a table."
            " `taxon_datastore.commands.migrate` creates the roles."
        ),
        _privileges(),
        (
            "The role of data sets also creates views in the schema of its namespace, and"
            " the role of trainers may use that schema. Rows of a data set go when the data set is"
            " deleted."
        ),
    ]
    return "\n\n".join(parts) + "\n"


def privileges() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return what each role may do with each table and view."""
    granted: dict[str, dict[str, tuple[str, ...]]] = {
        str(use): {relation: tuple(may) for relation, may in relations.items()}
        for use, relations in GRANTS.items()
    }
    return granted | {"monitor": dict.fromkeys((*TABLES, *VIEWS), ("SELECT",))}


def _section(name: str, relation: Relation) -> str:
    rows = "\n".join(
        f"| `{column}` | {kind} | {meaning} |"
        for column, (kind, meaning) in relation.columns.items()
    )
    return f"## {name}\n\n{relation.about}\n\n| Column | Type | Meaning |\n|---|---|---|\n{rows}"


def _privileges() -> str:
    granted = privileges()
    header = "| | " + " | ".join(READERS.values()) + " |\n|---" + "|---" * len(READERS) + "|\n"
    return header + "\n".join(
        f"| `{name}` | "
        + " | ".join(", ".join(granted[role].get(name, ())) for role in READERS)
        + " |"
        for name in RELATIONS
    )
