"""One run, start to verdict: what it refuses, what it records, and what it does not do twice."""

import io
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference
from support.training import (
    VERSION,
    carried_out,
    failing,
    forest,
    run_request,
    small_identity,
    small_table,
    train,
)

from taxon_bundle.bundle import Bundle, files_of, find_bundle, open_bundle, seal, verify
from taxon_bundle.classifier import Classifier
from taxon_bundle.location import open_store
from taxon_contracts.manifest import (
    GOLDEN_NAME,
    METRICS_NAME,
    MODEL_CARD_NAME,
    MODEL_NAME,
    PREPROCESSOR_NAME,
    RUN_RECORD_NAME,
)
from taxon_contracts.run import EXIT_FINAL
from taxon_training_job import run
from taxon_training_job.bundle.serving import serving
from taxon_training_job.failure import RunFailed


def figures(bundle: Bundle) -> dict[str, Any]:
    """Return a bundle's held-out figures."""
    document: dict[str, Any] = json.loads(bundle.read(METRICS_NAME))
    return document


def with_duplicates() -> pd.DataFrame:
    """Return the small table with ten rows twice."""
    table = small_table()
    return pd.concat([table, table.iloc[:10]], ignore_index=True)


def test_duplicates_and_constants_are_recorded(tmp_path: Path) -> None:
    """In the run's result, in the figures and on the model card."""
    outcome = carried_out(run_request(with_duplicates(), tmp_path))
    rows, card = outcome.result.rows, outcome.files[MODEL_CARD_NAME].decode()

    assert rows is not None
    assert (rows.duplicates, rows.constant_features, rows.features) == (10, 1, 3)
    assert rows.train + rows.test == 130
    assert "10 of all rows repeat an earlier one; each is on the same side" in card
    assert "Constant features, accepted and ignored: batch" in card


def test_columns_that_are_left_out_are_reported_everywhere(
    tmp_path: Path, log: io.StringIO
) -> None:
    """In the log, the result, the model card and the gate's message, the doubtful one first."""
    table = small_table().assign(note=[f"private {n}" for n in range(120)], depth="0.5")
    table.loc[4, "depth"] = "#REF!"
    outcome = carried_out(run_request(table, tmp_path))
    result, card = outcome.result, outcome.files[MODEL_CARD_NAME].decode()
    why = "numeric but for 1 of 120 cells, in row 5"
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    reported = {e["why"]: e["columns"] for e in events if e["event"] == "ColumnsLeftOut"}

    assert reported == {"free text": ["note"], why: ["depth"]}
    assert [(c.name, c.why) for c in result.left_out] == [("depth", why), ("note", "free text")]
    assert result.left_out_count == 2
    assert result.message.endswith(f"; left out: 'depth' ({why}), 'note' (free text)")
    assert f"Columns left out: 'note' (free text), 'depth' ({why})" in card
    assert not any(cell in result.encode() + card for cell in ("private", "#REF!"))


def test_a_table_as_people_have_them_becomes_a_version(tmp_path: Path, log: io.StringIO) -> None:
    """Gaps, text, booleans and dates, with nothing but a target said about it."""
    table = small_table(rows=300)
    table["port"] = ["Cork", " Cork", "\u00c5bo", "A\u030abo", "n/a", "Brest"] * 50
    table["member"] = ["true", "FALSE", ""] * 100
    table["day"] = "2026-01-31"
    table.loc[::5, "width"] = np.nan
    request = run_request(table, tmp_path)
    bundle = train(request)
    (event,) = [
        e for line in log.getvalue().splitlines() if (e := json.loads(line))["event"] == "Features"
    ]
    features = {one.name: one for one in bundle.manifest.features}
    classifier = Classifier.load(bundle)
    again = carried_out(request).result

    counted = {key: event[key] for key in ("numeric", "categorical", "boolean", "with_gaps")}
    assert counted == {"numeric": 3, "categorical": 1, "boolean": 1, "with_gaps": 3}
    assert set(features["port"].categories) == {"Cork", "\u00c5bo", "Brest"}
    assert [features[name].gaps for name in ("length", "width", "port", "member")] == [
        False, True, True, True,
    ]  # fmt: skip
    assert features["batch"].dropped
    assert again.reused
    assert again.message.endswith("left out: 'day' (dates or times)")
    row = {"length": 1, "width": None, "batch": 7, "port": " A\u030abo", "member": None}
    (encoded,) = classifier.codec.encode_rows([[row[name] for name in classifier.features]]).rows
    assert encoded[3] == features["port"].categories.index("\u00c5bo")
    assert np.isfinite(classifier.probabilities(encoded[None])).all()


def few_rows() -> pd.DataFrame:
    """Return 600 rows of which six are different, each in both classes."""
    generator = np.random.default_rng(7)
    content = generator.integers(0, 6, 600)
    chances = np.array([0.1, 0.2, 0.4, 0.6, 0.8, 0.9])[content]
    return pd.DataFrame(
        {
            "length": content // 3,
            "width": content % 3,
            "label": np.where(generator.random(600) < chances, "malignant", "benign"),
        }
    )


def test_few_different_rows_are_judged_as_they_will_be_asked(tmp_path: Path) -> None:
    """All six on both sides: the best possible accuracy is 0.77."""
    outcome = carried_out(run_request(few_rows(), tmp_path))
    values = {value.name: value for value in outcome.result.metrics}
    card = outcome.files[MODEL_CARD_NAME].decode()

    assert outcome.result.rows is not None
    assert outcome.result.rows.test == pytest.approx(120, abs=12)
    assert values["accuracy"].value == pytest.approx(0.77, abs=0.1)
    assert values["accuracy"].low < 0.77 < values["accuracy"].high
    assert "repeats of a row are on both sides" in card


def test_the_figures_are_those_of_the_held_out_rows(tmp_path: Path) -> None:
    """Recomputed with scikit-learn from the pickled pipeline, on rows that were not fitted."""
    table = small_table(rows=300)
    outcome = carried_out(run_request(table, tmp_path))
    training = outcome.training
    assert training is not None
    pipeline = joblib.load(io.BytesIO(outcome.files[MODEL_NAME]))
    held_out = table.iloc[training.split.test]
    probabilities = pipeline.predict_proba(held_out[["length", "width"]].to_numpy())[:, 1]
    truth = (held_out["label"] == "malignant").to_numpy()
    values = {value.name: value.value for value in outcome.result.metrics}

    assert values["roc_auc"] == pytest.approx(reference.roc_auc_score(truth, probabilities))
    assert values["brier"] == pytest.approx(reference.brier_score_loss(truth, probabilities))
    assert values["f1"] == pytest.approx(reference.f1_score(truth, probabilities > 0.5))
    counts = reference.confusion_matrix(truth, probabilities > 0.5).tolist()
    assert json.loads(outcome.files[METRICS_NAME])["confusion"]["counts"] == counts


def test_the_important_feature_is_found(tmp_path: Path) -> None:
    """A feature that decides falls when shuffled; noise and a constant do not."""
    table = small_table(rows=400)
    table["noise"] = np.random.default_rng(9).normal(size=400)
    table["decides"] = (table["label"] == "malignant") + np.linspace(0, 0.1, 400)
    importances = figures(train(run_request(table, tmp_path)))["importances"]

    assert max(importances, key=importances.__getitem__) == "decides"
    assert abs(importances["noise"]) < 0.05
    assert importances["batch"] == 0.0


def test_pickles_are_the_pipeline_and_its_preprocessor(tmp_path: Path) -> None:
    """For people and notebooks: they give what the serving file gives."""
    table = small_table()
    bundle = train(run_request(table, tmp_path, identity=small_identity(pipeline=forest())))
    model, preprocessor = (
        joblib.load(io.BytesIO(bundle.read(name))) for name in (MODEL_NAME, PREPROCESSOR_NAME)
    )
    rows = table[["length", "width", "batch"]].to_numpy()
    answers = Classifier.load(bundle).probabilities(rows)

    assert np.array_equal(model.predict_proba(rows[:, :2]), answers)
    assert np.array_equal(model[-1].predict_proba(preprocessor.transform(rows[:, :2])), answers)


@pytest.mark.parametrize("searched", [True, False], ids=["searched", "fixed"])
def test_a_result_names_the_hyperparameters_that_won(tmp_path: Path, *, searched: bool) -> None:
    """As Python literals, in the order of their names; the same when the bundle is found again."""
    values = ["3", "5"] if searched else ["3"]
    parameters = [
        {"name": "n_estimators", "values": values},
        {"name": "max_features", "values": ["None"]},
    ]
    identity = small_identity(
        pipeline={"classifier": {"parameters": parameters}},
        search={"strategy": "Grid" if searched else "None", "folds": 2},
    )
    request = run_request(small_table(), tmp_path, identity=identity)
    first, second = carried_out(request), carried_out(request)
    named = [(one.name, one.value) for one in first.result.parameters]

    assert first.training
    assert named == [
        ("max_features", "None"),
        ("n_estimators", repr(first.training.parameters["n_estimators"])),
    ]
    assert second.result.parameters == first.result.parameters


def test_a_bundle_that_another_release_sealed_is_judged(tmp_path: Path) -> None:
    """Its figures may hold more than this release knows, or name no hyperparameters."""
    request = run_request(small_table(), tmp_path)
    bundle = train(request)
    figures = json.loads(bundle.read(METRICS_NAME))
    del figures["parameters"]
    figures["metrics"] = [{**one, "resamples": 1000} for one in figures["metrics"]]
    figures["metrics"].append({"name": "gini", "value": 1.0, "low": 1.0, "high": 1.0})
    figures["rows"]["weights"] = 3
    contents = {name: bundle.read(name) for name in bundle.manifest.files}
    contents[METRICS_NAME] = json.dumps(figures).encode()
    other = f"{tmp_path}/other/"
    manifest = bundle.manifest.model_copy(update={"files": files_of(contents)})
    seal(other, manifest, contents, run_record=b"{}")
    result = carried_out(request.model_copy(update={"destination": other})).result

    assert result.outcome == "Accepted"
    assert len(result.metrics) == 9
    assert result.rows
    assert result.parameters == ()


def test_trials_times_and_host_stand_outside_the_digest(tmp_path: Path) -> None:
    """In run.json, which the manifest does not list."""
    identity = small_identity(pipeline=forest(), search={"strategy": "Grid", "folds": 2})
    bundle = train(run_request(small_table(), tmp_path, identity=identity))
    record = json.loads(bundle.store.read(RUN_RECORD_NAME))

    assert set(record) == {"seconds", "host", "machine", "trials"}
    assert record["trials"][0]["parameters"] == {"n_estimators": 3}
    assert len(record["trials"][0]["scores"]) == 2


KINDS: dict[str, tuple[dict[str, Any], int]] = {
    "two classes": (forest(), 2),
    "three classes": (forest(), 3),
    "products": (forest(polynomialDegree=2), 2),
    "no scaler": (forest(scaler="None"), 3),
    "a threshold": (forest(threshold=0.3), 2),
    "a linear model": ({"classifier": {"type": "LogisticRegression"}}, 2),
    "a linear model of three": ({"classifier": {"type": "LogisticRegression"}}, 3),
}


@pytest.mark.parametrize("case", KINDS)
def test_every_kind_of_model_is_sealed_and_answers_its_golden_rows(
    tmp_path: Path, case: str
) -> None:
    """All metrics are there, each inside its interval's reach."""
    pipeline, classes = KINDS[case]
    identity = small_identity(pipeline=pipeline)
    outcome = carried_out(run_request(small_table(classes=classes), tmp_path, identity=identity))

    assert outcome.result.outcome == "Accepted"
    assert len(outcome.result.metrics) == 9
    assert all(np.isfinite([m.value, m.low, m.high]).all() for m in outcome.result.metrics)


@pytest.mark.parametrize(
    "labels", [("-1", "1"), ("é", "日本"), ("a b", "c|d")], ids=["negative", "unicode", "signs"]
)
def test_labels_survive_the_way_through_the_bundle(tmp_path: Path, labels: tuple[str, str]) -> None:
    """Integers stay integers, text stays text."""
    table = small_table().replace({"benign": labels[0], "malignant": labels[1]})
    bundle = train(run_request(table, tmp_path))
    expected: Any = (-1, 1) if labels[0] == "-1" else labels

    assert bundle.manifest.classes == expected
    assert set(json.loads(bundle.read(GOLDEN_NAME))["labels"]) <= set(expected)


def test_an_overflowing_product_is_refused_with_its_feature_and_row(tmp_path: Path) -> None:
    """Before any fit."""
    table = small_table()
    table.loc[17, "width"] = -4e30
    identity = small_identity(pipeline=forest(polynomialDegree=3, scaler="None"))
    failure = failing(run_request(table, tmp_path, identity=identity))

    assert failure.reason == "InfiniteValues"
    assert "feature 'width' overflows float32" in failure.message
    assert "correct the value in row 18" in failure.message
    assert "4e+30" not in failure.message


def test_a_held_out_value_that_overflows_is_reported_by_its_scaled_size(tmp_path: Path) -> None:
    """Not the one whose numbers are large is named, but the one that is far out."""
    table = small_table()
    table["width"] *= 1e15
    identity = small_identity(pipeline=forest(polynomialDegree=3))
    for row in range(40):  # about one in five is held out; a fitted one widens the scale instead
        spoilt = table.copy()
        spoilt.loc[row, "length"] = 1e14
        request = run_request(spoilt, tmp_path / str(row), identity=identity)
        try:
            carried_out(request)
        except RunFailed as failure:
            assert "feature 'length' overflows" in failure.message  # noqa: PT017 - one of many must fail
            assert f"correct the value in row {row + 1}" in failure.message  # noqa: PT017 - as above
            return
    pytest.fail("no row was held out")


def test_extremes_that_never_met_do_not_stop_a_run(tmp_path: Path) -> None:
    """Golden rows combine them, and leave out what would overflow."""
    table = small_table()
    table.loc[3, "length"], table.loc[4, "width"] = 1e12, 1e12
    table.loc[3, "width"], table.loc[4, "length"] = 0.0, 0.0
    identity = small_identity(pipeline=forest(polynomialDegree=3, scaler="None"))
    table[["length", "width"]] = table[["length", "width"]].clip(-3, 3.5e12)

    assert carried_out(run_request(table, tmp_path, identity=identity)).result.bundle_uri


def test_a_graph_that_differs_is_not_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails for good and leaves no bundle."""
    request = run_request(small_table(), tmp_path)
    other = carried_out(
        run_request(small_table(seed=5), tmp_path / "other", destination=f"{tmp_path}/o/")
    ).training
    assert other is not None
    wrong = serving(other)
    monkeypatch.setattr(run, "serving", lambda _: wrong)

    failure = failing(request)
    assert failure.reason == "ParityFailed"
    assert "differs from scikit-learn" in failure.message
    assert find_bundle(request.destination) is None


def test_a_fit_that_gives_no_numbers_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is proven or sealed."""
    monkeypatch.setattr(
        "sklearn.pipeline.Pipeline.predict_proba", lambda *_: np.array([[np.nan, np.nan]])
    )
    failure = failing(run_request(small_table(), tmp_path))

    assert failure.reason == "SearchNotFinite"


def test_a_linear_model_that_does_not_converge_is_reported(
    tmp_path: Path, log: io.StringIO
) -> None:
    """It is used all the same; the remedy is in the log."""
    linear = {
        "type": "LogisticRegression",
        "parameters": [
            {"name": "max_iter", "values": ["1"]},
            {"name": "C", "values": ["10.0"]},
        ],
    }
    identity = small_identity(pipeline={"classifier": linear})
    train(run_request(small_table(), tmp_path, identity=identity))

    assert '"NotConverged"' in log.getvalue()


@pytest.mark.parametrize(
    ("field", "uri", "reason"),
    [
        ("source", "https://example.com/table.csv", "DatasetNotFound"),
        ("source", "s3://samples/../table.csv", "DatasetNotFound"),
        ("source", "s3://samples/ta\nble.csv", "DatasetNotFound"),
        ("destination", "https://example.com/bundle/", "InvalidRun"),
    ],
)
def test_a_uri_that_can_never_be_read_is_final(
    tmp_path: Path, field: str, uri: str, reason: str
) -> None:
    """Another attempt cannot help, and the reason's remedy is to correct the URI."""
    request = run_request(small_table(), tmp_path).model_copy(update={field: uri})
    failure = failing(request)

    assert failure.reason == reason
    assert failure.exit_code == EXIT_FINAL


def test_a_run_from_and_to_object_storage(tmp_path: Path, s3_bucket: str) -> None:
    """Table and bundle in a real S3 server."""
    local = run_request(small_table(), tmp_path)
    open_store(f"s3://{s3_bucket}/").write("t.csv", Path(local.source).read_bytes())
    destination = f"s3://{s3_bucket}/default/small/{VERSION}/"
    changes = {"source": f"s3://{s3_bucket}/t.csv", "destination": destination}
    result = carried_out(local.model_copy(update=changes)).result

    assert result.bundle_uri == destination
    verify(open_bundle(destination, result.manifest_digest or ""))
