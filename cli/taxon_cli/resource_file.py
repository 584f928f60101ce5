"""Reading a ClassifierModel from a YAML file, with errors that name the place."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from taxon_contracts.resource import ClassifierModel


class BadFile(Exception):  # noqa: N818 - the file is at fault, not this program
    """A file is wrong; the message names the place and the remedy."""


class _Loader(yaml.SafeLoader):
    """YAML as the API server reads it: a repeated key is an error."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's signature
    ) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key!r} appears twice: keep one", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_model(file: Path) -> ClassifierModel:
    """Return the model in a YAML file.

    Raises:
        BadFile: it contains none, or a field is wrong; every wrong field is named by its path.
    """
    document = _only_document(file)
    document.pop("status", None)  # what `kubectl get -o yaml` adds
    try:
        return ClassifierModel.model_validate(document)
    except ValidationError as error:
        problems = [f"{file}: {_sentence(problem)}" for problem in error.errors()]
        raise BadFile("\n".join(problems)) from error


def _only_document(file: Path) -> dict[str, Any]:
    try:
        documents = list(yaml.load_all(file.read_text(encoding="utf-8"), _Loader))
    except OSError as error:
        raise BadFile(f"{file}: {error.strerror}: check the path") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{file}: it is not UTF-8 text: pass a YAML file") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadFile(f"{file}, line {line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise BadFile(f"{file}: {str(error).splitlines()[0]}") from error
    documents = [document for document in documents if document is not None]
    if len(documents) != 1:
        raise BadFile(f"{file} contains {len(documents)} documents: keep one ClassifierModel")
    [document] = documents
    if not isinstance(document, dict):
        raise BadFile(f"{file} is not a ClassifierModel: it needs apiVersion and kind")
    return document


def _sentence(problem: ErrorDetails) -> str:
    """Return one wrong field's path and what is wrong with it."""
    path = ""
    for part in problem["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    path = path.removeprefix(".") or "document"
    value = problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            return f"{path}: unknown field: remove it or correct its name"
        case "missing":
            return f"{path}: it is missing: add it"
        case "string_type" if isinstance(value, (int, float)):
            return f"{path}: {value} must be text: write it in quotes"
    return f"{path}: {problem['msg'].removeprefix('Value error, ')}"
