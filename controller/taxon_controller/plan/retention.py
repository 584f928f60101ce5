"""Which versions are kept, and the removal of the rest.

A version is removed in steps, each visible in the cluster: its servers, then its bundle by a
clean-up Job, then its training Jobs, then its record in the status. Even without the status, a
remaining Job shows that there is a bundle.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from taxon_contracts.status import VERSIONS_AT_MOST, VersionRecord
from taxon_controller.domain.actions import Create, Delete, Event, Finding, Write
from taxon_controller.domain.bundles import version_folder
from taxon_controller.domain.history import Records, newest_first
from taxon_controller.objects.cleanup_job import cleanup_job, version_cleanup_name
from taxon_controller.observe.observed import Cleanup, Observed
from taxon_controller.plan.scene import Scene
from taxon_kube.api import INFERENCE_SERVICE, JOB, Manifest

CLEANUP_LOOK = timedelta(seconds=60)
CLEANUPS_AT_A_TIME = 2


@dataclass(frozen=True)
class RetentionPlan:
    """What becomes of old versions."""

    records: Records
    writes: tuple[Write, ...] = ()
    due: tuple[datetime, ...] = ()
    events: tuple[Event, ...] = ()


def plan_retention(scene: Scene, *, protected: frozenset[str]) -> RetentionPlan:
    """Decide about old versions; ``protected`` ones are kept at any age."""
    observed, records = scene.observed, scene.records
    if observed.unread_of(JOB, INFERENCE_SERVICE):
        return RetentionPlan(records)
    leaving = _leaving(records, protected, scene.model.spec.version_history_limit)
    writes = _unwanted_cleanups(scene, leaving)
    if not leaving:
        return RetentionPlan(records, tuple(writes))
    gone: set[str] = set()
    events: list[Event] = []
    for record in reversed(leaving):
        attempts = [one for one in observed.attempts if one.version == record.version]
        job = observed.cleanup(version_cleanup_name(scene.model, record))
        if job is not None and job.succeeded:
            writes += [Delete(JOB, one.body) for one in attempts if not one.deleting]
            gone |= set() if attempts else {record.version}
        elif job is not None and job.failed:
            events.append(_not_removed(scene, record, job))
        elif job is None and _may_begin(observed, record, writes):
            writes.append(Create(_cleanup(scene, record)))
    kept = tuple(one for one in records if one.version not in gone)
    bounded = _bounded(kept, protected)
    events += [_forgotten(scene, one) for one in kept if one not in bounded]
    due = (scene.now + CLEANUP_LOOK,)
    return RetentionPlan(bounded, tuple(writes), due, tuple(events))


def _leaving(records: Records, protected: frozenset[str], limit: int) -> Records:
    """Return the versions that are not kept, newest first; failed runs displace no bundle."""
    made = tuple(one for one in records if one.manifest_digest)
    failed = tuple(one for one in records if not one.manifest_digest)
    failed_limit = min(limit, (VERSIONS_AT_MOST - limit) // 2)
    return newest_first(
        (*_beyond(made, protected, limit), *_beyond(failed, protected, failed_limit))
    )


def _beyond(records: Records, protected: frozenset[str], limit: int) -> Records:
    room = limit - sum(one.version in protected for one in records)
    others = tuple(one for one in records if one.version not in protected)
    return others[max(0, room) :]


def _unwanted_cleanups(scene: Scene, leaving: Records) -> list[Write]:
    """Stop the clean-ups of versions that are kept again, before they have a new bundle."""
    wanted = {version_cleanup_name(scene.model, record) for record in leaving}
    return [
        Delete(JOB, one.body)
        for one in scene.observed.cleanups
        if one.name not in wanted and not one.succeeded
    ]


def _may_begin(observed: Observed, record: VersionRecord, writes: list[Write]) -> bool:
    """Return whether a bundle may be removed now: it is not in use, and not too many at once."""
    served = any(one.version == record.version for one in observed.servers)
    begun = sum(isinstance(one, Create) for one in writes)
    return not served and begun < CLEANUPS_AT_A_TIME


def _cleanup(scene: Scene, record: VersionRecord) -> Manifest:
    model, settings = scene.model, scene.settings
    folders = (version_folder(model, record, settings),)
    name = version_cleanup_name(model, record)
    seconds = int(settings.cleanup_seconds)
    return cleanup_job(model, name, folders, seconds=seconds, settings=settings)


def _not_removed(scene: Scene, record: VersionRecord, job: Cleanup) -> Event:
    folder = version_folder(scene.model, record, scene.settings)
    message = (
        f"the bundle of {record.version} below {folder} could not be removed; Taxon retries"
        f" within an hour: read the log of Job {job.name} in"
        f" namespace {scene.settings.namespace}"
    )
    about = str(job.body["metadata"]["uid"])
    return Event(Finding("CleanupFailed", message), warning=True, about=about)


def _forgotten(scene: Scene, record: VersionRecord) -> Event:
    folder = version_folder(scene.model, record, scene.settings)
    message = (
        f"status.versions is full, so {record.version} was dropped before its bundle was removed:"
        f" remove {folder} by hand"
    )
    return Event(Finding("CleanupFailed", message), warning=True, about=record.version)


def _bounded(records: Records, protected: frozenset[str]) -> Records:
    """Forget the oldest records when bundles cannot be removed for long: a status is bounded."""
    excess = len(records) - VERSIONS_AT_MOST
    if excess <= 0:
        return records
    forgotten = [one.version for one in records if one.version not in protected][-excess:]
    return tuple(one for one in records if one.version not in forgotten)
