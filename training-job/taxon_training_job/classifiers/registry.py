"""The families there are; a family that is not listed here does not exist."""

from taxon_training_job.classifiers import forest, logistic
from taxon_training_job.classifiers.family import Family
from taxon_training_job.failure import RunFailed

FAMILIES = {family.name: family for family in (forest.FAMILY, logistic.FAMILY)}


def family_named(name: str) -> Family:
    """Return the family a spec names as ``pipeline.classifier.type``.

    Raises:
        RunFailed: no family has this name.
    """
    if name not in FAMILIES:
        raise RunFailed(
            "InvalidRun",
            f"this trainer does not know the classifier type {name!r}: use {' or '.join(FAMILIES)},"
            " or a trainer of the release that offers it",
        )
    return FAMILIES[name]


def family_of(estimator: object) -> Family:
    """Return the family of a fitted estimator.

    Raises:
        TypeError: it belongs to no family.
    """
    for family in FAMILIES.values():
        if type(estimator) is family.estimator:
            return family
    raise TypeError(f"{type(estimator).__name__} cannot be served: register its family")
