"""What another release wrote is read: newer fields ignored, older ones absent, the rest kept.

``documents/`` holds one document of every contract as the first release with this promise wrote it.
They are never edited: they are what later releases have to read.
"""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from taxon_contracts.document import read, salvage
from taxon_contracts.manifest import Manifest
from taxon_contracts.prediction import PredictionEvent
from taxon_contracts.reference import Reference
from taxon_contracts.run import RunRequest, RunResult
from taxon_contracts.status import Status, VersionRecord

DOCUMENTS = Path(__file__).parent / "documents"
Reader = Callable[[type[BaseModel], str], BaseModel]
CONTRACTS: dict[str, tuple[type[BaseModel], Reader]] = {
    "status": (Status, salvage),
    "record": (VersionRecord, salvage),
    "manifest": (Manifest, read),
    "run-request": (RunRequest, read),
    "run-result": (RunResult, salvage),
    "prediction": (PredictionEvent, salvage),
    "reference": (Reference, salvage),
}
UNDERSTOOD_WHOLE = (("identity",), ("gate",))
"""What a trainer must not read in part; below these a run request is strict."""
Place = tuple[str | int, ...]


def written(name: str) -> Any:
    """Return one of today's documents."""
    return json.loads((DOCUMENTS / f"{name}.json").read_text())


def mappings(node: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the place of every mapping with fixed keys in a document."""
    if isinstance(node, dict):
        if place not in {("files",), ("libraries",)}:  # their keys are the content
            yield place
        for key, child in node.items():
            yield from mappings(child, (*place, key))
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from mappings(child, (*place, index))


def at(document: Any, place: Place) -> Any:
    """Return what is at a place of a document."""
    for part in place:
        document = document[part]
    return document


@pytest.mark.parametrize("name", CONTRACTS)
def test_today_s_document_is_read_without_a_loss(name: str) -> None:
    """Nothing of the document is given up: it says again what was written."""
    kind, reader = CONTRACTS[name]
    document = written(name)

    understood = reader(kind, json.dumps(document))

    again = json.loads(understood.model_dump_json(by_alias=True, exclude_unset=True))
    assert again == document


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_newer_release_s_fields_are_ignored(name: str) -> None:
    """Whatever field is added, wherever it is, the document reads as without it."""
    kind, reader = CONTRACTS[name]
    document = written(name)
    places = [place for place in mappings(document) if place[:1] not in UNDERSTOOD_WHOLE]
    newer = copy.deepcopy(document)
    for place in places:
        at(newer, place)["fieldOfANewerRelease"] = {"any": ["thing"]}

    assert len(places) >= 1
    assert reader(kind, json.dumps(newer)) == reader(kind, json.dumps(document))


@pytest.mark.parametrize("name", CONTRACTS)
def test_an_older_release_s_document_lacks_the_fields_added_since(name: str) -> None:
    """Every optional field may be absent, one at a time and all at once."""
    kind, reader = CONTRACTS[name]
    document = written(name)
    optional = [
        field.alias or key for key, field in kind.model_fields.items() if not field.is_required()
    ]
    if name == "manifest":  # a binary model has both or is none
        optional = []
    for absent in ([one] for one in optional):
        older = {key: value for key, value in document.items() if key not in absent}
        assert isinstance(reader(kind, json.dumps(older)), kind)

    bare = {key: value for key, value in document.items() if key not in optional}
    assert reader(kind, json.dumps(bare)).model_dump(exclude_unset=True).keys() == {
        key for key, field in kind.model_fields.items() if (field.alias or key) in bare
    }


@pytest.mark.parametrize("name", [name for name, (_, how) in CONTRACTS.items() if how is salvage])
def test_a_field_that_cannot_be_read_costs_itself(name: str) -> None:
    """Where a newer release writes another type, every optional field beside it is kept."""
    kind, reader = CONTRACTS[name]
    document = written(name)
    for key, field in kind.model_fields.items():
        if field.is_required():
            continue
        spoilt = document | {field.alias or key: {"of": "another shape"}}

        understood = reader(kind, json.dumps(spoilt))

        expected = {other: value for other, value in document.items() if other != field.alias}
        expected.pop(key, None)
        assert understood == reader(kind, json.dumps(expected)), key


def test_one_unreadable_record_costs_that_record_only() -> None:
    """The status of a model with many versions is never lost as a whole."""
    document = written("status")
    document["versions"].insert(1, {"version": "of another form", "outcome": "Accepted"})

    assert salvage(Status, document) == salvage(Status, written("status"))


def test_a_record_in_a_list_costs_itself_and_a_number_its_list() -> None:
    """What is left of a list of numbers must never be taken for the list."""
    metrics = [*written("record")["metrics"], {"name": "f1"}]
    record = salvage(VersionRecord, written("record") | {"metrics": metrics})
    event = salvage(PredictionEvent, written("prediction") | {"features": [2.43, ["wide"]]})

    assert record == salvage(VersionRecord, written("record"))
    assert event.features is None


def test_an_unknown_word_costs_that_word_only() -> None:
    """A version whose outcome is new keeps its bundle and digest; the outcome is Unknown."""
    document = written("record") | {"outcome": "RolledBack", "trigger": "Drift"}

    record = salvage(VersionRecord, document)

    expected = salvage(VersionRecord, written("record"))
    assert record == expected.model_copy(update={"outcome": "Unknown", "trigger": "Unknown"})


def test_a_result_with_an_unknown_reason_is_a_result() -> None:
    """The figures and the digest of a finished run are not lost for one word."""
    result = salvage(RunResult, written("run-result") | {"reason": "WorseThanAnchor"})

    assert (result.reason, result.outcome) == ("Unknown", "Accepted")
    assert result.manifest_digest == written("run-result")["manifest_digest"]


def test_a_longer_message_is_cut() -> None:
    """A release with a larger bound does not cost the record."""
    record = salvage(VersionRecord, written("record") | {"message": "m" * 5000})

    assert len(record.message) == 1024


def test_too_many_records_lose_their_end() -> None:
    """A release that keeps more versions does not cost the list."""
    one = written("record")
    versions = [one | {"version": f"v{number:010x}"} for number in range(100)]

    status = salvage(Status, {"versions": versions})

    assert [record.version for record in status.versions or ()] == [
        f"v{number:010x}" for number in range(60)
    ]


@pytest.mark.parametrize("part", ["identity", "gate"])
def test_a_run_is_understood_whole_or_refused(part: str) -> None:
    """A trainer that ignored a field would make another version than the id says."""
    document = written("run-request")
    document[part]["fieldOfANewerRelease"] = 1

    with pytest.raises(ValidationError, match="fieldOfANewerRelease"):
        read(RunRequest, json.dumps(document))


def test_a_run_that_needs_nothing_new_is_written_without_defaults() -> None:
    """A default added to identity or gate does not reach a trainer of an earlier release."""
    document = written("run-request")

    encoded = json.loads(read(RunRequest, json.dumps(document)).encode())

    assert encoded["identity"] == document["identity"]
    assert encoded["gate"] == document["gate"]


@pytest.mark.parametrize("name", CONTRACTS)
def test_who_writes_is_strict(name: str) -> None:
    """A field that does not exist is an error where a document is made."""
    kind, _ = CONTRACTS[name]
    with pytest.raises(ValidationError, match="fieldOfANewerRelease"):
        kind.model_validate(written(name) | {"fieldOfANewerRelease": 1})


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "null", '{"a": '])
def test_what_is_not_a_document_is_an_error(text: str) -> None:
    """There is nothing to salvage."""
    with pytest.raises(ValidationError):
        salvage(VersionRecord, text)
