"""Categories that no training row had: what is said about them."""

from collections.abc import Mapping, Sequence
from itertools import islice

from taxon_bundle.codec import Codec, Unseen
from taxon_bundle.texts import Texts

MOST_WARNINGS = 20
"""Warnings of one answer; further ones are left out."""
LONGEST_TEXT = 40
"""Characters of a category that a warning repeats."""

Warned = tuple[int, str]
"""The position of a row, and a sentence about it."""


def kept(codec: Codec, unseen: Unseen) -> Mapping[str, Texts]:
    """Return the unseen categories of the features that matter to the classifier, by name."""
    named = ((codec.features[place], texts) for place, texts in unseen.items())
    return {feature.name: texts for feature, texts in named if not feature.dropped}


def warnings_of(unseen: Mapping[str, Texts]) -> Sequence[Warned]:
    """Return the first warnings, by row."""
    first = [
        (row, feature, texts[row])
        for feature, texts in unseen.items()
        for row in islice(texts, MOST_WARNINGS)
    ]
    first.sort(key=lambda warned: warned[0])
    return [(row, _sentence(feature, text)) for row, feature, text in first[:MOST_WARNINGS]]


def _sentence(feature: str, text: str) -> str:
    return (
        f"{feature} {text[:LONGEST_TEXT]!r} was not in the training rows: it counts as none of the"
        " feature's categories"
    )
