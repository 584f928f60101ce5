"""Which version has the traffic, and which one should have it."""

from taxon_contracts.run import Champion
from taxon_contracts.status import VersionRecord
from taxon_controller.domain.actions import Finding
from taxon_controller.domain.history import can_serve, find
from taxon_controller.plan.scene import Scene


def live_version(scene: Scene) -> str | None:
    """Return the version that has the traffic: by the status or, if that is lost, the Service."""
    status, observed = scene.model.status, scene.observed
    version = status.live.version if status.live else None
    if status.observed_generation is None and observed.service is not None:
        version = observed.service.version
        if observed.server(version) is None:
            return None
    return version if can_serve(find(scene.records, version)) else None


def champion(scene: Scene) -> Champion | None:
    """Return the live version, with which the trainer compares a new one."""
    record = find(scene.records, live_version(scene))
    if record is None or not record.bundle_uri or not record.manifest_digest:
        return None
    return Champion(
        version=record.version,
        bundle_uri=record.bundle_uri,
        manifest_digest=record.manifest_digest,
    )


def choose(scene: Scene, live: str | None) -> tuple[str | None, Finding | None]:
    """Return the version that should be live, and why the pinned one cannot be if it cannot."""
    pin = scene.model.spec.pinned_version
    if pin is None:
        return _newest(scene, live), None
    refusal = _pin_refusal(scene, pin, live)
    return (live, refusal) if refusal else (pin, None)


def _newest(scene: Scene, live: str | None) -> str | None:
    """Return the newest version that passed.

    The live version has passed: if it ran again and failed, or was refused, no older version
    replaces it.
    """
    passed = (
        one.version
        for one in scene.records
        if one.version == live or (one.outcome == "Accepted" and can_serve(one))
    )
    return next(passed, live)


def _pin_refusal(scene: Scene, pin: str, live: str | None) -> Finding | None:
    record = find(scene.records, pin)
    if record is None or not can_serve(record):
        return Finding("PinNotFound", f"pinnedVersion {pin} is not kept{_instead(scene)}")
    if not _passed(record) and pin != live:
        return Finding(
            "PinNotAccepted",
            f"pinnedVersion {pin} did not pass the gate in its last run: {record.message}"
            f"{_instead(scene)}",
        )
    return None


def _passed(record: VersionRecord) -> bool:
    return record.outcome not in {"Refused", "Failed"}


def _instead(scene: Scene) -> str:
    """Return which versions can be pinned, and what to do."""
    can = [one.version for one in scene.records if can_serve(one) and _passed(one)]
    if not can:
        return "; no version can be pinned: remove pinnedVersion"
    return f"; pin one of {', '.join(can)}, or remove pinnedVersion"
