"""Which models use a data set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from taxon_bundle.bundle import open_bundle
from taxon_cli.environment import leading_to
from taxon_cli.kubectl import ClusterError, models_of
from taxon_cli.local.object_store import running_object_store
from taxon_cli.local.ports import HOST, PortBlock
from taxon_cli.local.state import State


@dataclass(frozen=True)
class Use:
    """Somebody who needs a data set; ``version`` is None for the newest, whichever it is."""

    dataset: str
    version: int | None
    who: str

    def is_of(self, dataset: str, versions: Iterable[int], newest: int) -> bool:
        """Return whether it is one of these versions that is needed."""
        return self.dataset == dataset and (self.version or newest) in versions


def cluster_uses(namespace: str) -> list[Use]:
    """Return what the models of a namespace name in their specs and kept versions.

    Raises:
        ClusterError: kubectl is missing, or the models cannot be read.
    """
    uses: list[Use] = []
    for model in models_of(namespace):
        try:
            uses += _uses_of(model)
        except (AttributeError, KeyError, TypeError) as error:
            raise ClusterError(f"a model of namespace {namespace} cannot be read") from error
    return uses


def _uses_of(model: Mapping[str, Any]) -> Iterable[Use]:
    name = model["metadata"]["name"]
    if table := model["spec"]["dataset"].get("table"):
        yield Use(table["name"], table.get("version"), f"model {name}")
    for kept in model.get("status", {}).get("versions", ()):
        dataset = kept.get("dataset")
        if dataset and kept["outcome"] != "Failed":  # a run that failed left nothing to keep
            who = f"version {kept['version']} of model {name}"
            yield Use(dataset["name"], dataset["version"], who)


def local_uses(state: State, ports: PortBlock) -> list[Use]:
    """Return what the live versions of local mode were trained on, from their manifests.

    Raises:
        ProcessFailed: the object store did not start.
        BundleError: a live version's bundle is damaged.
        StorageError: it cannot be read.
    """
    live = state.all_live()
    if not live:
        return []
    with (
        running_object_store(state.folder, ports) as store,
        leading_to(store.environment, host=HOST),
    ):
        uses = []
        for key, champion in live.items():
            manifest = open_bundle(champion.bundle_uri, champion.manifest_digest).manifest
            if manifest.dataset:
                who = f"live version {champion.version} of model {key}"
                uses.append(Use(manifest.dataset.name, manifest.dataset.version, who))
        return uses
