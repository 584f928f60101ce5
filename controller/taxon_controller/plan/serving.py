"""The objects of serving: the servers of each version in use, and the traffic."""

from taxon_contracts import names
from taxon_controller.domain.actions import Apply, Delete, Write
from taxon_controller.domain.history import can_serve, find
from taxon_controller.domain.hosts import outside_host
from taxon_controller.objects.disruption_budget import disruption_budget
from taxon_controller.objects.http_route import http_route
from taxon_controller.objects.inference_service import inference_service
from taxon_controller.objects.service import service
from taxon_controller.observe.parse import annotation
from taxon_controller.plan.scene import Scene
from taxon_kube.api import DISRUPTION_BUDGET, INFERENCE_SERVICE, Manifest


def plan_serving(
    scene: Scene, *, used: frozenset[str], budgeted: frozenset[str], traffic: str | None
) -> tuple[Write, ...]:
    """Return the writes that serve the versions in use and nothing else.

    Args:
        scene: the model and its surroundings.
        used: versions that have, or will have, servers.
        budgeted: versions with a PodDisruptionBudget.
        traffic: the version Service and HTTPRoute should point at; None: leave them.
    """
    kserve_answers = scene.observed.kserve == "Answering"
    writes: list[Write] = []
    if kserve_answers:
        writes += [one for version in sorted(used) for one in _servers(scene, version)]
    if traffic is not None:
        writes += [one for one in _traffic(scene, traffic, used) if not _is_taken(scene, one)]
    writes += _budgets(scene, budgeted)
    if kserve_answers:
        writes += _unused(scene, used)
    return tuple(writes)


def wanted_servers(scene: Scene, version: str) -> Manifest | None:
    """Return the InferenceService a version should have, or None when it cannot be served."""
    record = find(scene.records, version)
    if record is None or not can_serve(record):
        return None
    there = scene.observed.server(version)
    first = there.record if there and there.record else record
    runtime = there.runtime if there and there.runtime else scene.settings.runtime
    kept = first.model_copy(
        update={"bundle_uri": record.bundle_uri, "manifest_digest": record.manifest_digest}
    )
    manifest = inference_service(scene.model, kept, runtime=runtime, settings=scene.settings)
    if there is not None and there.record == kept:  # as written, also by another release
        annotations = manifest["metadata"]["annotations"]
        annotations[names.ANNOTATION_RECORD] = annotation(there.body, names.ANNOTATION_RECORD)
    return manifest


def _servers(scene: Scene, version: str) -> list[Write]:
    if any(one.version == version and one.deleting for one in scene.observed.servers):
        return []  # created again once it is gone
    manifest = wanted_servers(scene, version)
    if manifest is None:
        return []
    there = scene.observed.server(version)
    return [Apply(manifest, there.body if there else None)]


def _traffic(scene: Scene, version: str, used: frozenset[str]) -> list[Apply]:
    """Return the Service first, then the HTTPRoute."""
    there = scene.observed.service
    writes = [
        Apply(
            service(scene.model, version, settings=scene.settings),
            there.body if there else None,
        )
    ]
    gateway = scene.settings.gateway
    if scene.through_gateway and gateway:
        ready = {one.version for one in scene.observed.servers if one.up and not one.deleting}
        route = http_route(
            scene.model,
            version,
            versions=(used & ready) | {version},
            gateway=gateway,
            host=outside_host(scene.model, scene.settings),
            listener=scene.settings.gateway_listener,
        )
        over: Manifest | None = scene.observed.route.body if scene.observed.route else None
        writes.append(Apply(route, over))
    return writes


def _budgets(scene: Scene, versions: frozenset[str]) -> list[Write]:
    """Return one PodDisruptionBudget for each of these versions, and none for others."""
    there = {one.version: one.body for one in scene.observed.budgets}
    kept: list[Write] = [
        Apply(disruption_budget(scene.model, version), there.get(version))
        for version in sorted(versions)
    ]
    unused = [body for version, body in there.items() if version not in versions]
    return kept + [Delete(DISRUPTION_BUDGET, body) for body in unused]


def _is_taken(scene: Scene, write: Apply) -> bool:
    """Return whether an object's name belongs to someone else."""
    manifest = write.manifest
    return f"{manifest['kind']}/{manifest['metadata']['name']}" in scene.observed.foreign


def _unused(scene: Scene, used: frozenset[str]) -> list[Write]:
    """Delete the servers that are not in use and that nothing points at."""
    pointers = (scene.observed.service, scene.observed.route)
    pointed = {pointer.version for pointer in pointers if pointer is not None}
    return [
        Delete(INFERENCE_SERVICE, one.body)
        for one in scene.observed.servers
        if one.version not in used | pointed and not one.deleting
    ]
