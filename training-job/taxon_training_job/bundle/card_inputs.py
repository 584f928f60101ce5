"""What the model card says about the inputs: their types, categories and missing values."""

from collections import Counter
from collections.abc import Sequence

from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import Encoder, Imputer, Pipeline
from taxon_training_job.data.left_out import shortened, some

MOST_FEATURES = 100
"""Features the card lists; the manifest has all."""
MOST_CATEGORIES = 5


def cell(name: str | int) -> str:
    """Return a name that keeps to its cell of a Markdown table."""
    return " ".join(str(name).split()).replace("|", "\\|")


def kinds(features: Sequence[SignatureFeature]) -> str:
    """Return how many features of each type there are, in a sentence's words."""
    counts = Counter(feature.type for feature in features)
    *first, last = [f"{count} {name.lower()}" for name, count in counts.most_common()]
    what = f"{', '.join(first)} and {last}" if first else last
    return f"{what} feature{'s' if len(features) > 1 else ''}"


def inputs(features: Sequence[SignatureFeature], spec: Pipeline) -> str:
    """Return the section: a row for each feature, and the rules for all of them."""
    imputer = spec.imputer or Imputer(strategy="Median")
    lines = [
        "## Features\n",
        "| feature | type | categories | a missing value |",
        "|---|---|---|---|",
        *(
            f"| {cell(shortened(one.name))} | {one.type}{', constant' if one.dropped else ''}"
            f" | {_categories(one)} | {_missing(one, imputer)} |"
            for one in features[:MOST_FEATURES]
        ),
    ]
    if len(features) > MOST_FEATURES:
        lines.append(f"\n{len(features) - MOST_FEATURES} more are in manifest.json.")
    rules = _rules([one for one in features if not one.dropped], spec.encoder or Encoder(), imputer)
    return "\n".join([*lines, *(f"\n{rule}" for rule in rules)])


def _categories(feature: SignatureFeature) -> str:
    if feature.type != "Categorical":
        return ""
    names = (cell(shortened(name)) for name in feature.categories)
    return f"{len(feature.categories)}: {some(names, MOST_CATEGORIES)}"


def _missing(feature: SignatureFeature, imputer: Imputer) -> str:
    """Return what becomes of a missing value."""
    if not feature.gaps:
        return "is refused"
    if feature.dropped:
        return "is ignored"
    if feature.type == "Categorical":
        most_frequent = imputer.strategy == "MostFrequent"
        return f"becomes {'the most frequent one' if most_frequent else 'a category of its own'}"
    value = {
        "Median": "the median",
        "MostFrequent": "the most frequent value",
        "Constant": f"{imputer.value or 0:g}",
    }[imputer.strategy]
    return f"becomes {value}"


def _rules(
    features: Sequence[SignatureFeature], encoder: Encoder, imputer: Imputer
) -> tuple[str, ...]:
    """Return what holds for all features the classifier is fitted on."""
    rules = []
    if any(feature.type == "Categorical" for feature in features):
        least = encoder.min_frequency
        rows = f" and in at least {least} training rows" if least > 1 else ""
        rules.append(
            f"A category has an input of the classifier if it is one of the"
            f" {encoder.max_categories} most frequent of its feature{rows}. Any other, or one"
            " that no training row had, counts as none of them."
        )
    filled = any(
        one.gaps and (one.type != "Categorical" or imputer.strategy == "MostFrequent")
        for one in features
    )
    if imputer.indicator and filled:
        rules.append("Where a value is filled in, one more input says that it was missing.")
    return tuple(rules)
