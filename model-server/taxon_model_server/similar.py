"""Names that were probably meant, where another was sent."""

import unicodedata
from collections.abc import Mapping, Sequence


def folded(name: str) -> str:
    """Return a name without what letter case, space around it and Unicode's forms add."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def by_folded(names: Sequence[str]) -> Mapping[str, str]:
    """Return names by what is left of them when they are folded, the first of equal ones."""
    return {folded(name): name for name in reversed(names)}
