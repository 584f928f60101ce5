"""The owner of an object: this model, an earlier one of its name, or someone else."""

from taxon_contracts import names
from taxon_controller.domain.model import Model
from taxon_kube.api import Manifest


def owned_by(body: Manifest, uid: str) -> bool:
    """Return whether the model of this uid controls an object."""
    owners = body["metadata"].get("ownerReferences", ())
    return any(owner.get("uid") == uid and owner.get("controller") for owner in owners)


def is_left_over(body: Manifest, model: Model) -> bool:
    """Return whether an earlier model of the name controls an object: it is garbage collected."""
    owners = body["metadata"].get("ownerReferences", ())
    return not owned_by(body, model.uid) and any(
        owner.get("controller")
        and (owner.get("kind"), owner.get("name")) == (names.KIND, model.name)
        for owner in owners
    )


def is_foreign(body: Manifest, model: Model) -> bool:
    """Return whether an object belongs to someone else and is not being deleted."""
    return not owned_by(body, model.uid) and not is_left_over(body, model)


def is_leaving(body: Manifest, model: Model) -> bool:
    """Return whether an object is being deleted, or is about to be."""
    return "deletionTimestamp" in body["metadata"] or is_left_over(body, model)
