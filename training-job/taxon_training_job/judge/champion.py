"""The comparison of a candidate with the live version, on rows neither was fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taxon_bundle.bundle import BundleError, open_bundle
from taxon_bundle.classifier import Classifier
from taxon_bundle.codec import BadRow
from taxon_contracts.gate import ChampionComparison
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.run import Champion
from taxon_contracts.scores import ScoreName, gain
from taxon_training_job.data.columns import Column
from taxon_training_job.data.features import columns_as
from taxon_training_job.data.labels import Classes
from taxon_training_job.data.left_out import quoted
from taxon_training_job.data.signature import contents, encoded
from taxon_training_job.data.split import Rule
from taxon_training_job.data.table import Table
from taxon_training_job.failure import RunFailed
from taxon_training_job.judge.evaluation import interval, resamples
from taxon_training_job.judge.recorded import recorded_rule
from taxon_training_job.measure import Answers, measure

FEWEST_ROWS = 20
"""Unseen rows a comparison needs where the live version has seen others of today's."""


class NotComparable(Exception):  # noqa: N818 - a finding, not a fault
    """The champion cannot answer for the current rows; the message has the reason."""


@dataclass(frozen=True)
class Today:
    """Today's rows: the whole table, since the champion may read other columns of it.

    ``target`` is each row's position among the classes, shape [n]; ``test`` the positions of the
    rows the candidate was not fitted on.
    """

    table: Table
    classes: Classes
    target: NDArray[np.intp]
    test: NDArray[np.intp]


def categories_of(champion: Champion) -> tuple[str, ...]:
    """Return the columns a champion takes as categories: as they are written in the table.

    None where its bundle cannot be read: it will not be compared.

    Raises:
        StorageError: storage did not answer.
    """
    try:
        manifest = open_bundle(champion.bundle_uri, champion.manifest_digest).manifest
    except BundleError:
        return ()
    return tuple(one.name for one in manifest.features if one.type == "Categorical")


def compare(
    candidate: Answers, champion: Champion, today: Today, *, metric: ScoreName, seed: int
) -> tuple[ChampionComparison, int]:
    """Judge both on the held-out rows under the same resamples (a paired bootstrap).

    A version of another seed, test fraction or features was fitted on some of today's held-out
    rows; those are left out.

    Args:
        candidate: the candidate's answers on the held-out rows.
        champion: where the live version's bundle is.
        today: the rows.
        metric: what they are compared by.
        seed: of the resamples.

    Returns:
        The comparison, and on how many rows it was made.

    Raises:
        NotComparable: the champion's bundle, columns or classes do not fit today's table.
        StorageError: storage did not answer.
    """
    live, unseen = _answers(champion, today, candidate)
    if not unseen.all():
        present = np.unique(candidate.target[unseen])
        if unseen.sum() < FEWEST_ROWS or len(present) < len(today.classes):
            raise NotComparable(
                f"live {champion.version} was fitted on {int((~unseen).sum())} of the"
                f" {len(unseen)} held-out rows"
            )
        candidate, live = candidate.only(unseen), live.only(unseen)
    rows = len(candidate.target)
    once = np.ones((1, rows))
    own, other = (float(measure(metric, answers, once)[0]) for answers in (candidate, live))
    gains = [
        gain(metric, float(ours), float(theirs))
        for weights in resamples(rows, seed)
        for ours, theirs in zip(
            measure(metric, candidate, weights), measure(metric, live, weights), strict=True
        )
    ]
    low, high = interval(np.array(gains))
    comparison = ChampionComparison(
        version=champion.version,
        metric=metric,
        candidate=own,
        champion=other,
        gain=gain(metric, own, other),
        low=low,
        high=high,
    )
    return comparison, rows


def _answers(
    champion: Champion, today: Today, candidate: Answers
) -> tuple[Answers, NDArray[np.bool_]]:
    """Return the champion's answers, and which of the rows it was not fitted on."""
    try:
        bundle = open_bundle(champion.bundle_uri, champion.manifest_digest)
        classifier = Classifier.load(bundle)
        if classifier.classes != today.classes:
            raise NotComparable(f"live {champion.version} has other classes")
        features = classifier.manifest.features
        columns = _columns(features, today.table.only(today.test))
        probabilities = classifier.probabilities(encoded(columns, classifier.codec))
        unseen = _unseen(recorded_rule(bundle), columns, features, today)
    except BundleError as error:
        raise NotComparable(f"live {champion.version} cannot be read ({error})") from error
    except RunFailed as error:
        raise NotComparable(
            f"live {champion.version} cannot answer for today's table ({error})"
        ) from error
    except BadRow as error:  # its text repeats the value, which belongs to the table's owner
        what = "missing, where it takes none" if error.kind == "missing" else "too large for it"
        raise NotComparable(
            f"live {champion.version} cannot answer for today's table: a value of feature"
            f" {quoted(error.feature)} is {what}"
        ) from error
    labels = classifier.labels(probabilities)
    return Answers(candidate.target, labels, probabilities, candidate.positive), unseen


def _columns(features: Sequence[SignatureFeature], table: Table) -> tuple[Column, ...]:
    return columns_as(table, {feature.name: feature.type for feature in features})


def _unseen(
    rule: Rule, columns: Sequence[Column], features: Sequence[SignatureFeature], today: Today
) -> NDArray[np.bool_]:
    """Return which of the held-out rows the champion's own split holds out, shape [n].

    Only the whole table shows which repeat of a divided content a row is.
    """
    names = tuple(feature.name for feature in features)
    if not rule.divided:
        target = today.target[today.test]
        return rule.held_out(contents(columns), target, today.classes, names)
    whole = contents(_columns(features, today.table))
    return rule.held_out(whole, today.target, today.classes, names)[today.test]
