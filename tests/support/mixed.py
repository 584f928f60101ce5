"""Tables of numbers, booleans and categories with gaps, and what is fitted on them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from support.training import small_identity

from taxon_bundle.classifier import Classifier
from taxon_bundle.codec import UNSEEN, Codec, Rows
from taxon_contracts.manifest import Manifest, format_of
from taxon_contracts.resource import FeatureType
from taxon_training_job.bundle.serving import serving_graph
from taxon_training_job.data.columns import Column
from taxon_training_job.data.signature import encoded, signature, varies
from taxon_training_job.fit.pipeline import STEP, make_pipeline, parameter_grid
from taxon_training_job.judge.parity import check_parity

NAN = float("nan")


def column(name: str, kind: FeatureType, values: Any) -> Column:
    """Return a column of these values; None is missing, a category is its text."""
    if kind != "Categorical":
        given = [NAN if value is None else float(value) for value in values]
        return Column(name, kind, np.array(given))
    categories = tuple(sorted({value for value in values if value is not None}))
    codes = [NAN if value is None else categories.index(value) for value in values]
    return Column(name, kind, np.array(codes, np.float64), categories)


def numbers(name: str, rows: int, *, gaps: float = 0.0, seed: int = 0) -> Column:
    """Return a column of random numbers of which a share is missing."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=rows) * 10.0 ** generator.integers(-3, 6)
    return Column(name, "Numeric", with_gaps(values, gaps, generator))


def flags(name: str, rows: int, *, gaps: float = 0.0, seed: int = 0) -> Column:
    """Return a column of random booleans of which a share is missing."""
    generator = np.random.default_rng(seed)
    values = (generator.random(rows) < 0.4).astype(np.float64)
    return Column(name, "Boolean", with_gaps(values, gaps, generator))


def categories(
    name: str, rows: int, *, count: int = 6, gaps: float = 0.0, seed: int = 0, like: float = 0.6
) -> Column:
    """Return a column of random categories, each ``like`` times as frequent as the one before."""
    generator = np.random.default_rng(seed)
    share = like ** np.arange(count)
    codes = generator.choice(count, rows, p=share / share.sum()).astype(np.float64)
    texts = tuple(f"{name} {code}" for code in range(count))
    return Column(name, "Categorical", with_gaps(codes, gaps, generator), texts)


def with_gaps(
    values: NDArray[np.float64], share: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return values of which a share is missing."""
    return np.where(generator.random(len(values)) < share, NAN, values)


@dataclass(frozen=True)
class Mixed:
    """A pipeline fitted on the training rows of a table, and its serving classifier."""

    pipeline: Pipeline
    graph: bytes
    classifier: Classifier
    rows: Rows
    train: NDArray[np.intp]
    kept: tuple[int, ...]

    @property
    def fitted(self) -> Rows:
        """Return the rows it was fitted on."""
        return self.rows[self.train]

    def expected(self, rows: Rows) -> NDArray[np.float64]:
        """Return scikit-learn's answers."""
        answers: NDArray[np.float64] = self.pipeline.predict_proba(rows[:, list(self.kept)])
        return answers

    def columns_of(self, rows: Rows) -> NDArray[np.float64]:
        """Return what the classifier itself is given."""
        given: NDArray[np.float64] = self.pipeline[:-1].transform(rows[:, list(self.kept)])
        return given


def fit_mixed(
    columns: list[Column],
    spec: dict[str, Any],
    *,
    classes: int = 2,
    train: int | None = None,
    target: NDArray[np.intp] | None = None,
) -> Mixed:
    """Fit on the first ``train`` rows of a table."""
    total = len(columns[0].values)
    chosen = np.arange(total if train is None else train)
    if target is None:
        target = np.random.default_rng(7).permutation(np.arange(total) % classes)
    identity = small_identity(pipeline=spec)
    described = signature(columns, chosen, identity.pipeline.imputer)
    rows = encoded(columns, Codec(described))
    kept = tuple(
        place for place, one in enumerate(columns) if varies(one, identity.pipeline.imputer)
    )
    fitted = rows[chosen][:, list(kept)]
    pipeline = make_pipeline(
        identity.pipeline, [described[place] for place in kept], fitted, seed=1
    )
    parameters = {f"{STEP}__{n}": v[0] for n, v in parameter_grid(identity).items()}
    pipeline.set_params(**parameters).fit(fitted, target[chosen])
    graph = serving_graph(pipeline, features=len(columns), kept=kept)
    binary = len(pipeline.classes_) == 2
    manifest = Manifest(
        format_version=format_of(described),
        namespace="default",
        model="mixed",
        version="v0123456789",
        files={},
        features=described,
        classes=tuple(pipeline.classes_.tolist()),
        positive_class=1 if binary else None,
        threshold=0.5 if binary else None,
        classifier=identity.pipeline.classifier.type,
        dataset_digest="sha256:" + "0" * 64,
        libraries={},
    )
    return Mixed(pipeline, graph, Classifier.from_graph(graph, manifest), rows, chosen, kept)


def random_rows(mixed: Mixed, count: int, seed: int) -> Rows:
    """Return rows of everything a client may send: any category, unseen ones, gaps."""
    generator = np.random.default_rng(seed)
    rows = mixed.rows[generator.integers(0, len(mixed.rows), count)].copy()
    for place, feature in enumerate(mixed.classifier.codec.features):
        if feature.type == "Categorical":
            codes = generator.integers(-1, len(feature.categories), count).astype(np.float64)
            rows[:, place] = np.where(codes < 0, UNSEEN, codes)
        if feature.gaps:
            rows[generator.random(count) < 0.3, place] = NAN
        elif np.isnan(rows[:, place]).any():
            raise AssertionError("a feature that accepts no gaps has some")
    return rows


def largest_difference(mixed: Mixed, *, seed: int = 0) -> float:
    """Return the largest difference from scikit-learn on many rows, proof included."""
    rows = random_rows(mixed, 300, seed)
    together = mixed.classifier.probabilities(rows)
    single = np.concatenate([mixed.classifier.probabilities(row[None]) for row in rows[:25]])
    expected = mixed.expected(rows)
    proof = check_parity(
        mixed.pipeline, mixed.classifier, rows[:40], fitted=mixed.fitted, kept=mixed.kept
    )
    differences = np.concatenate([together - expected, single - expected[:25]])
    return max(proof, float(np.abs(differences).max()))
