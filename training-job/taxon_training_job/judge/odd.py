"""Rows of odd values: every category, an unseen one, a gap wherever it is accepted."""

import numpy as np

from taxon_bundle.codec import UNSEEN, Codec, Rows
from taxon_contracts.manifest import SignatureFeature


def odd_rows(codec: Codec, rows: Rows) -> Rows:
    """Return rows with every category, an unseen one, and a gap in every feature that accepts it.

    First each alone for gaps and unseen ones, then all features at once, each through all it can
    be. There are none where every feature is a number that is always there.
    """
    odd = [_odd_values(feature) for feature in codec.features]
    alone = [(place, value) for place, values in enumerate(odd) for value in values[-2:]]
    if not alone:
        return rows[:0]
    count = max(map(len, odd)) + 1
    result = rows[np.arange(len(alone) + count) % len(rows)]
    places, values = zip(*alone, strict=True)
    result[np.arange(len(alone)), list(places)] = values
    turns = np.arange(count)
    for place, own in enumerate(odd):
        turn = (turns + place) % (len(own) + 1)  # the last is the row's own value
        changed = turn < len(own)
        result[len(alone) + turns[changed], place] = np.array(own)[turn[changed]]
    return result


def _odd_values(feature: SignatureFeature) -> list[float]:
    gap = [np.nan] if feature.gaps else []
    if feature.type != "Categorical":
        return gap
    return [*map(float, range(len(feature.categories))), *gap, UNSEEN]
