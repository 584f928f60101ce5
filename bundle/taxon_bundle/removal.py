"""Removes bundles, manifests first: what is half removed does not open as a bundle."""

from urllib.parse import urlsplit

from taxon_bundle.location import open_store
from taxon_contracts.manifest import MANIFEST_NAME

FOLDERS = 2
"""A bundle is below namespace and model: nothing above that is ever removed."""


def remove_below(uri: str) -> int:
    """Remove every object below a folder; return how many there were.

    Raises:
        ValueError: the folder contains bundles of more than one model.
        StorageError: storage failed; another call continues.
    """
    if len(urlsplit(uri).path.strip("/").split("/")) < FOLDERS or not uri.endswith("/"):
        raise ValueError(f"{uri}: name the folder of a model or a version, ending with a slash")
    store = open_store(uri)
    keys = sorted(store.keys(), key=lambda key: not key.endswith(MANIFEST_NAME))
    for key in keys:
        store.delete(key)
    return len(keys)
