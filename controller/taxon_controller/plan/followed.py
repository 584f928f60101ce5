"""The version of a data set that a new run trains on, where the model follows the newest."""

from taxon_controller.domain.actions import Finding
from taxon_controller.plan.scene import Scene


def newest_version(scene: Scene, dataset: str) -> int | Finding:
    """Return the newest version of the data set the model follows, or why no run can start."""
    namespace, newest = scene.model.namespace, scene.observed.dataset
    if scene.settings.monitor_url is None:
        return Finding(
            "MonitorMissing",
            f"nothing knows the newest version of data set {dataset}: set dataset.table.version, or"
            " install Taxon with a database",
        )
    if newest is None or newest.why:
        why = newest.why if newest else "it has not been asked yet"
        return Finding(
            "DatasetVersionUnknown",
            f"the run waits for the monitor, which knows the newest version of data set {dataset}:"
            f" {why}",
        )
    if newest.version is None:
        return Finding(
            "DatasetNotFound",
            f"namespace {namespace} has no data set {dataset}: load it with taxon dataset load"
            f" {dataset} FILE --namespace {namespace}",
        )
    return newest.version
