"""The records of a model's runs: which there are, in which order, and what they are good for."""

from datetime import datetime

from taxon_contracts.status import VersionRecord
from taxon_controller import clock
from taxon_controller.domain.model import Model

Records = tuple[VersionRecord, ...]


def newest_first(records: Records) -> Records:
    """Return the records by the time their run ended, in the same second by when it began."""
    return tuple(sorted(records, key=_when, reverse=True))


def _when(record: VersionRecord) -> tuple[datetime, datetime, str]:
    ended = clock.parse(record.completion_time)
    began = clock.parse(record.start_time) if record.start_time else ended
    return ended, began, record.version


def find(records: Records, version: str | None) -> VersionRecord | None:
    """Return the record of a version."""
    return next((one for one in records if one.version == version), None)


def with_record(records: Records, record: VersionRecord) -> Records:
    """Return the records with one added or replaced."""
    others = tuple(one for one in records if one.version != record.version)
    return newest_first((record, *others))


def has_result(record: VersionRecord) -> bool:
    """Return whether the outcome of a run is known; if not, the run may start again."""
    return record.reason != "Superseded" and record.outcome != "Unknown"


def latest_of_spec(model: Model, records: Records) -> VersionRecord | None:
    """Return the newest record if it is of this spec; otherwise the spec needs a run."""
    latest = next((one for one in records if has_result(one)), None)
    return latest if latest is not None and model.asks_for(latest) else None


def carried_out(model: Model, records: Records) -> VersionRecord | None:
    """Return the newest run of this spec that the retrain annotation caused.

    Without the annotation, it is the newest that nothing but the spec and its data set caused.
    """
    return next(
        (
            one
            for one in records
            if has_result(one)
            and model.cause(one.token or "") == model.retrain
            and model.asks_for(one)
        ),
        None,
    )


def can_serve(record: VersionRecord | None) -> bool:
    """Return whether a version has a bundle that servers can load."""
    return record is not None and bool(record.bundle_uri and record.manifest_digest)
