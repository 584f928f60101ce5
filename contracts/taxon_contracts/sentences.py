"""Sentences that have to fit: a termination message, a condition, a record, an Event."""

LONGEST = 1024
"""Bytes of UTF-8: conditions and records may have as many characters, Events as many bytes."""
LONGEST_ENDING = 300
"""Bytes of a last clause that is kept whole: it is what to do next."""
CUT = "..."


def fitted(text: str, most: int = LONGEST) -> str:
    """Return a message of at most ``most`` bytes; a long one loses its middle, not its remedy.

    Clauses are separated by "; ", and the last one is the remedy. One too long for that is cut
    like everything else, at its end.
    """
    if _size(text) <= most:
        return text
    said, between, remedy = text.rpartition("; ")
    ending = between + remedy
    if not said or _size(ending) > min(LONGEST_ENDING, most // 2):
        return _cut(text, most)
    return _cut(said, most - _size(ending)) + ending


def _cut(text: str, most: int) -> str:
    """Return the words that fit, and that there were more."""
    kept = text.encode()[: max(0, most - len(CUT))].decode(errors="ignore")
    whole, _, part = kept.rpartition(" ")
    words = whole if len(part) < len(kept) // 2 else kept
    return words.rstrip(" ,;:") + CUT


def _size(text: str) -> int:
    return len(text.encode())
