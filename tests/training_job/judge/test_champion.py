"""A candidate against the live version: the same rows, none the champion saw."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.training import (
    VERSION,
    carried_out,
    forest,
    run_request,
    small_identity,
    small_table,
    train,
)

from taxon_bundle.bundle import Bundle, files_of, seal
from taxon_contracts.manifest import METRICS_NAME
from taxon_contracts.run import Champion
from taxon_training_job.data import split


def champion_of(bundle: Bundle) -> Champion:
    """Return a bundle as the live version."""
    return Champion(
        version=bundle.manifest.version, bundle_uri=bundle.uri, manifest_digest=bundle.digest
    )


def challenged(folder: Path, table: pd.DataFrame, live: Bundle, **changes: Any) -> Any:
    """Return the result of a run against a live version."""
    request = run_request(
        table, folder, version="v1111111111", champion=champion_of(live), **changes
    )
    return carried_out(request).result


def test_the_champion_is_judged_on_the_same_held_out_rows(tmp_path: Path) -> None:
    """The same model as champion gains exactly nothing."""
    table = small_table()
    live = train(run_request(table, tmp_path / "live"))
    result = challenged(tmp_path / "next", table, live)

    assert result.champion.version == VERSION
    assert result.champion.candidate == result.champion.champion
    assert (result.champion.gain, result.champion.low, result.champion.high) == (0.0, 0.0, 0.0)
    assert "not compared" not in result.message


def test_a_candidate_that_is_shown_to_be_worse_is_refused(tmp_path: Path) -> None:
    """Its whole interval lies below the margin."""
    table = small_table(rows=500)
    live = train(run_request(table, tmp_path / "live"))
    coin = [{"name": "n_estimators", "values": ["1"]}, {"name": "max_samples", "values": ["2"]}]
    identity = small_identity(pipeline=forest(classifier={"parameters": coin}))
    result = challenged(tmp_path / "next", table, live, identity=identity)

    assert (result.outcome, result.reason) == ("Refused", "WorseThanChampion")
    assert result.champion.high < -0.01


def test_the_paired_interval_is_narrower_than_the_difference_of_two(tmp_path: Path) -> None:
    """The luck of which rows were held out is shared."""
    table = small_table(rows=600)
    live = train(run_request(table, tmp_path / "live"))
    identity = small_identity(pipeline=forest(), seed=42)
    result = challenged(tmp_path / "next", table, live, identity=identity)
    own = next(value for value in result.metrics if value.name == "roc_auc")

    assert result.champion.low <= result.champion.gain <= result.champion.high
    assert result.champion.high - result.champion.low < own.high - own.low


def test_a_grown_table_is_judged_on_rows_the_champion_never_saw(tmp_path: Path) -> None:
    """All of them, as the split keeps its sides."""
    live = train(run_request(small_table(), tmp_path / "live"))
    grown = pd.concat([small_table(), small_table(seed=3)], ignore_index=True)
    result = challenged(tmp_path / "next", grown, live)

    assert result.champion is not None
    assert "held-out rows that live" not in result.message


def test_rows_a_champion_of_another_seed_saw_are_left_out(tmp_path: Path) -> None:
    """They would flatter it."""
    table = small_table(rows=900)
    live = train(run_request(table, tmp_path / "live", identity=small_identity(seed=1)))
    result = challenged(tmp_path / "next", table, live)
    held_out = result.rows.test
    compared = int(result.message.split("compared on the ")[1].split()[0])

    assert f"of {held_out} held-out rows that live {VERSION} was not fitted on" in result.message
    assert 0.1 < compared / held_out < 0.3


def test_too_few_unseen_rows_are_no_comparison(tmp_path: Path) -> None:
    """The note says how many the live version was fitted on."""
    table = small_table()
    live = train(run_request(table, tmp_path / "live", identity=small_identity(seed=1)))
    result = challenged(tmp_path / "next", table, live)

    assert result.champion is None
    assert f"not compared: live {VERSION} was fitted on" in result.message
    assert result.outcome == "Accepted"


def few_rows(rows: int) -> pd.DataFrame:
    """Return the first of any number of rows of which a dozen are different."""
    generator = np.random.default_rng(3)
    drawn = np.array([(generator.integers(0, 12), generator.random()) for _ in range(rows)])
    content, luck = drawn[:, 0], drawn[:, 1]
    label = np.where(luck < 0.1 + 0.8 * content / 12, "malignant", "benign")
    return pd.DataFrame({"length": content // 4, "width": content % 4, "label": label})


@pytest.mark.parametrize("words", [{}, {0: "Cork", 1: "\u00c5bo", 2: "", 3: "n/a"}], ids=str)
def test_few_different_rows_are_compared_on_repeats_neither_was_fitted_on(
    tmp_path: Path, words: dict[int, str]
) -> None:
    """The live version's own rule says which repeats it held out, categories and gaps included.

    All but those whose draw is between the bounds of the two.
    """
    table = few_rows(2600).replace({"width": words}) if words else few_rows(2600)
    live = train(run_request(table[:2000], tmp_path / "live"))
    result = challenged(tmp_path / "next", table, live)
    compared = re.search("compared on the ([0-9]+) of", result.message)

    assert result.champion is not None
    assert compared is None or int(compared[1]) > 0.95 * result.rows.test


def test_a_live_version_that_held_out_whole_contents_is_compared_on_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As versions before 0.2 did, whatever the table."""
    with monkeypatch.context() as earlier:
        earlier.setattr(split, "_divided", lambda *_: split.Divided())
        live = train(run_request(few_rows(1000), tmp_path / "live"))
    held_out = split.Rule.of(json.loads(live.read(METRICS_NAME))["split"])
    result = challenged(tmp_path / "next", few_rows(1000), live)
    compared = int(result.message.split("compared on the ")[1].split()[0])

    assert not held_out.divided
    assert 0 < compared < result.rows.test


def test_a_bundle_found_again_is_compared_on_the_rows_it_held_out_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Today's rule would hold out rows that it was fitted on."""
    table = few_rows(1000)
    live = train(run_request(table, tmp_path / "live", version="v2222222222"))
    with monkeypatch.context() as earlier:
        earlier.setattr(split, "_divided", lambda *_: split.Divided())
        train(run_request(table, tmp_path / "next", version="v1111111111"))
    found = challenged(tmp_path / "next", table, live)

    assert found.reused
    assert f"of {found.rows.test} held-out rows that live" in found.message


def mixed_table(*, rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Return the small table with categories, booleans and gaps."""
    table, generator = small_table(rows=rows, seed=seed), np.random.default_rng(seed + 1)
    table["port"] = generator.choice(["Cork", "Åbo", ""], rows)
    table["member"] = generator.choice(["true", "false"], rows)
    table.loc[::7, "width"] = np.nan
    return table


def test_a_champion_of_a_mixed_table_reads_it_by_its_own_signature(tmp_path: Path) -> None:
    """Its categories, booleans and gaps: the same model gains exactly nothing."""
    live = train(run_request(mixed_table(), tmp_path / "live"))
    result = challenged(tmp_path / "next", mixed_table(), live)

    assert live.manifest.format_version == 2
    assert (result.champion.gain, result.champion.low, result.champion.high) == (0.0, 0.0, 0.0)


def test_a_category_the_champion_has_not_seen_is_answered(tmp_path: Path) -> None:
    """The rows it was not fitted on stay the ones it held out."""
    live = train(run_request(mixed_table(), tmp_path / "live"))
    new = mixed_table(rows=60, seed=3).assign(port="Aarhus")
    grown = pd.concat([new, mixed_table()], ignore_index=True)
    result = challenged(tmp_path / "next", grown, live)

    assert result.champion is not None
    assert "held-out rows that live" not in result.message


def test_a_champion_of_numbers_is_compared_on_a_table_that_got_categories(tmp_path: Path) -> None:
    """It goes on reading its numbers; both are judged where neither was fitted."""
    live = train(run_request(small_table(rows=900), tmp_path / "live"))
    table = small_table(rows=900).assign(port=["Cork", "Brest", "Narvik"] * 300)
    result = challenged(tmp_path / "next", table, live)

    assert live.manifest.format_version == 1
    assert result.champion is not None


def test_a_champion_of_an_earlier_release_takes_booleans_as_numbers(tmp_path: Path) -> None:
    """Its manifest knows no types."""
    table = small_table().assign(member=[True, False] * 60)
    made = train(run_request(table, tmp_path / "live"))
    contents = {name: made.read(name) for name in made.manifest.files}
    untyped = tuple(one.model_copy(update={"type": "Numeric"}) for one in made.manifest.features)
    manifest = made.manifest.model_copy(update={"features": untyped})
    live = seal(f"{tmp_path}/earlier/", manifest, contents, run_record=b"{}")
    result = challenged(tmp_path / "next", table, live)

    assert result.champion.gain == 0.0


def test_categories_of_a_champion_are_read_as_written_where_todays_are_numbers(
    tmp_path: Path,
) -> None:
    """Here 01 and 1 are one number, and two categories that decide the label."""
    generator = np.random.default_rng(5)
    code = generator.choice(["1", "01"], 900)
    positive = (code == "1") ^ (generator.random(900) < 0.01)
    label = np.where(positive, "malignant", "benign")
    table = pd.DataFrame({"length": generator.normal(size=900), "code": code, "label": label})
    names = [{"name": "length"}, {"name": "code", "type": "Categorical"}]
    dataset = {"uri": "s3://samples/small.csv", "target": "label"}
    identity = small_identity(dataset={**dataset, "features": names})
    live = train(run_request(table, tmp_path / "live", identity=identity))
    result = challenged(tmp_path / "next", table, live)

    assert result.champion.champion > 0.9
    assert result.champion.candidate < 0.7


def missing_column(live: Bundle) -> pd.DataFrame:
    """Return a table without a column the live version reads."""
    del live
    return small_table().drop(columns="width")


def text_for_numbers(live: Bundle) -> pd.DataFrame:
    """Return a table in which a column of numbers has become text."""
    del live
    return small_table().assign(width=["secret", "other", "third"] * 40)


def gaps(live: Bundle) -> pd.DataFrame:
    """Return a table with gaps where the live version takes none."""
    del live
    table = small_table()
    table.loc[::2, "width"] = np.nan
    return table


def three_classes(live: Bundle) -> pd.DataFrame:
    """Return a table of one more class."""
    del live
    return small_table(rows=240, classes=3)


def no_bundle(live: Bundle) -> pd.DataFrame:
    """Remove the live version's bundle."""
    for file in Path(live.uri).rglob("*.*"):
        file.unlink()
    return small_table()


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (missing_column, "cannot answer for today's table"),
        (text_for_numbers, "cannot answer for today's table (not numeric: 'width' (text)"),
        (gaps, "cannot answer for today's table: a value of feature 'width' is missing"),
        (three_classes, "has other classes"),
        (no_bundle, "cannot be read"),
    ],
)
def test_a_champion_that_cannot_be_compared_is_noted(
    tmp_path: Path, change: Any, note: str
) -> None:
    """The limits alone decide then."""
    live = train(run_request(small_table(), tmp_path / "live"))
    result = challenged(tmp_path / "next", change(live), live)

    assert result.champion is None
    assert f"not compared: live {VERSION} {note}" in result.message
    assert "secret" not in result.message


def test_a_live_version_of_a_later_release_may_split_in_another_way(tmp_path: Path) -> None:
    """There is no comparison then, and no failure."""
    made = train(run_request(small_table(), tmp_path / "live"))
    figures = json.loads(made.read(METRICS_NAME)) | {"split": {"by": "group"}}
    contents = {name: made.read(name) for name in made.manifest.files}
    contents[METRICS_NAME] = json.dumps(figures).encode()
    manifest = made.manifest.model_copy(update={"files": files_of(contents)})
    live = seal(f"{tmp_path}/later/", manifest, contents, run_record=b"{}")
    result = challenged(tmp_path / "next", small_table(), live)

    assert result.outcome == "Accepted"
    assert "this release does not understand which rows it held out" in result.message


def test_a_value_the_live_version_cannot_take_is_not_repeated(tmp_path: Path) -> None:
    """The message names the feature: what is in the table stays there."""
    cubes = small_identity(pipeline=forest(polynomialDegree=3, scaler="None"))
    live = train(run_request(small_table(), tmp_path / "live", identity=cubes))
    table = small_table()
    table["width"] *= 7.25e18
    result = challenged(tmp_path / "next", table, live)

    assert "a value of feature 'width' is too large for it" in result.message
    assert "e+18" not in result.message


def test_a_version_is_not_compared_with_itself(tmp_path: Path) -> None:
    """Once it is live it is its own champion."""
    request = run_request(small_table(), tmp_path)
    live = train(request)
    again = request.model_copy(update={"champion": champion_of(live)})

    assert carried_out(again).result.champion is None
