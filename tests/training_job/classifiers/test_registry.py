"""A family of classifiers is registered, or it does not exist."""

from typing import get_args

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from support.training import numeric_pipeline, small_identity

from taxon_contracts.resource.learning import Classifier
from taxon_training_job.classifiers.registry import FAMILIES, family_named, family_of
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.pipeline import parameter_grid


def test_every_type_of_the_resource_has_a_family() -> None:
    """And no family is unreachable."""
    types = get_args(Classifier.model_fields["type"].annotation)

    assert sorted(FAMILIES) == sorted(types)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_makes_the_estimator_it_is_recognised_by(name: str) -> None:
    """Its default grid holds parameters the estimator has; the last value of each is a fit's."""
    family = family_named(name)
    estimator = family.make(3)

    assert family_of(estimator) is family
    assert estimator.get_params()["random_state"] == 3
    assert family.default_grid.keys() <= estimator.get_params().keys()


def test_a_type_without_a_family_is_an_error_that_names_it() -> None:
    """Not another classifier in its place."""
    identity = small_identity()
    unknown = identity.pipeline.classifier.model_copy(update={"type": "ExtraTrees"})
    pipeline = identity.pipeline.model_copy(update={"classifier": unknown})

    with pytest.raises(RunFailed, match="does not know the classifier type 'ExtraTrees'") as made:
        numeric_pipeline(pipeline, features=2, seed=0)
    assert made.value.reason == "InvalidRun"
    with pytest.raises(RunFailed, match="use RandomForest or LogisticRegression"):
        parameter_grid(identity.model_copy(update={"pipeline": pipeline}))


def test_an_estimator_of_no_family_is_not_served() -> None:
    """It is named."""
    neighbours = KNeighborsClassifier().fit(np.eye(6), [0, 1, 0, 1, 0, 1])

    with pytest.raises(TypeError, match="KNeighborsClassifier cannot be served"):
        family_of(neighbours)
