"""Values that overflow on their way to the classifier end the run before any fit, by name."""

from pathlib import Path

import numpy as np
import pandas as pd
from support.training import failing, forest, run_request, small_identity


def table() -> pd.DataFrame:
    """Return a category, a number with gaps, and a number with one enormous value."""
    label = np.arange(60) % 2
    width = label + np.linspace(0, 1, 60)
    width[17] = 1e30
    return pd.DataFrame(
        {
            "port": np.array(["Cork", "Brest", "Rome"])[np.arange(60) % 3],
            "age": np.where(np.arange(60) % 7 == 0, np.nan, np.linspace(0, 9, 60)),
            "width": width,
            "label": np.array(["no", "yes"])[label],
        }
    )


def test_a_product_is_blamed_on_its_number_beside_categories(tmp_path: Path) -> None:
    """The number and its row are named, whatever stands before it in the table."""
    identity = small_identity(pipeline=forest(scaler="None", polynomialDegree=2))
    failed = failing(run_request(table(), tmp_path, identity=identity))

    assert failed.reason == "InfiniteValues"
    assert "'width'" in failed.message
    assert "row 18" in failed.message


def test_a_constant_that_no_classifier_takes_is_refused(tmp_path: Path) -> None:
    """A row with a gap would be refused by the server, or spoil the fit."""
    imputer = {"strategy": "Constant", "value": 1e300}
    identity = small_identity(pipeline=forest(scaler="None", imputer=imputer))
    failed = failing(run_request(table(), tmp_path, identity=identity))

    assert failed.reason == "InfiniteValues"
    assert "change pipeline.imputer" in failed.message
