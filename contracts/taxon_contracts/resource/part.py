"""The strings, numbers and rules that all parts of the resource use."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints
from pydantic.alias_generators import to_camel

from taxon_contracts.resource import cron

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
ClassName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
PythonLiteral = Annotated[
    str,
    StringConstraints(
        pattern=r"^(None|True|False|'[^'\\]*'|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)$",
        max_length=64,
    ),
]
Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Quantity = Annotated[
    str,
    StringConstraints(
        pattern=r"^([0-9]{1,12}|[0-9]{1,9}\.[0-9]{1,3})(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", max_length=16
    ),
]
ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", max_length=63)
]
SUFFIXES = {
    "": Decimal(1), "m": Decimal("0.001"),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
}  # fmt: skip


def amount(quantity: str) -> Decimal:
    """Return the value of a Kubernetes quantity (``500m``, ``2Gi``)."""
    digits = quantity.rstrip("mkMGTi")
    return Decimal(digits) * SUFFIXES[quantity[len(digits) :]]


def rule(cel: str, message: str) -> dict[str, Any]:
    """Return one ``x-kubernetes-validations`` entry."""
    return {"rule": cel, "message": message}


def published(*rules: dict[str, Any]) -> ConfigDict:
    """Return the configuration of a part of the resource, with its CEL rules."""
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": list(rules)})


def list_map(key: str) -> dict[str, Any]:
    """Return the schema extension with which server-side apply merges a list by ``key``."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def _five_fields(text: str) -> str:
    if fault := cron.wrong_shape(text):
        raise ValueError(fault)
    return text


CronSchedule = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(_five_fields),
    Field(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule("!self.startsWith('@')", cron.SHAPE_MESSAGE)
                | {"messageExpression": cron.cel_nickname_message()},
                rule(f"self.startsWith('@') || self.matches('{cron.SHAPE}')", cron.SHAPE_MESSAGE),
            ]
        }
    ),
]

TABLE = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^?#@[:cntrl:]]+[.](csv|parquet)$"
TABLE_MESSAGE = (
    "uri must be s3://bucket/key of a table whose name ends with .csv or .parquet, without ?, #, @"
    " and line breaks: credentials come from the Secret"
)
PART_OF_PATH = r"/[.][.]?/"
PART_OF_PATH_MESSAGE = "uri must not have . or .. as a part of its key: write the key without them"


def _table(uri: str) -> str:
    if not re.fullmatch(TABLE.strip("^$").replace("[:cntrl:]", r"\x00-\x1f\x7f"), uri):
        raise ValueError(TABLE_MESSAGE)
    if re.search(PART_OF_PATH, uri):
        raise ValueError(PART_OF_PATH_MESSAGE)
    return uri


TableURI = Annotated[
    str,
    StringConstraints(max_length=1024),
    AfterValidator(_table),
    Field(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(f"self.matches('{TABLE}')", TABLE_MESSAGE),
                rule(f"!self.matches('{PART_OF_PATH}')", PART_OF_PATH_MESSAGE),
            ]
        }
    ),
]


class Part(BaseModel):
    """A frozen piece of the resource: camelCase outside, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
    )
