"""Golden rows are written as a client writes them, gaps, categories and an unseen one included."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.training import forest, run_request, small_identity, train

from taxon_bundle.classifier import Classifier, check_golden
from taxon_contracts.manifest import GOLDEN_NAME, MODEL_CARD_NAME
from taxon_training_job.bundle.golden import GOLDEN_ROWS, NO_CATEGORY, ODD_ROWS

ROWS = 90


def table() -> pd.DataFrame:
    """Return a number with gaps, a category with gaps, a boolean; one category once only."""
    generator = np.random.default_rng(0)
    label = np.arange(ROWS) % 2
    ports = np.array(["Cork", "Brest", "Åbo", None], dtype=object)
    port = ports[generator.integers(0, 4, ROWS)]
    port[0] = "seen once"
    return pd.DataFrame(
        {
            "age": np.where(generator.random(ROWS) < 0.2, np.nan, generator.normal(size=ROWS)),
            "port": port,
            "member": label + generator.integers(0, 2, ROWS) > 0,
            "label": np.array(["no", "yes"])[label],
        }
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, bytes]:
    """Return the classifier of such a table, and its golden file."""
    folder: Path = tmp_path_factory.mktemp("golden")
    bundle = train(run_request(table(), folder, identity=small_identity(pipeline=forest())))
    assert bundle.read(MODEL_CARD_NAME)
    return Classifier.load(bundle), bundle.read(GOLDEN_NAME)


def test_they_hold_every_kind_of_value(trained: tuple[Classifier, bytes]) -> None:
    """A few dozen rows: text, true and false, null, and a text that no training row had."""
    classifier, content = trained
    ages, ports, members = zip(*json.loads(content)["rows"], strict=True)

    assert GOLDEN_ROWS < len(ages) <= GOLDEN_ROWS + ODD_ROWS
    assert None in ages
    assert {NO_CATEGORY, None, *classifier.codec.features[1].categories} == set(ports)
    assert set(members) == {True, False}
    assert all(type(one) is bool for one in members)


def test_they_are_answered_as_written(trained: tuple[Classifier, bytes]) -> None:
    """A server compares them through the codec its clients' rows go through."""
    classifier, content = trained

    check_golden(classifier, content)
