"""What a PromQL expression reads: enough of the language to hold its names to the code."""

import re
from collections.abc import Iterator

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
DURATION = re.compile(r"\[[^\]]*\]")
GROUPING = re.compile(r"\b(?:by|on|group_left)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\b(?!\s*\()\s*(?:\{([^}]*)\})?")
MATCHER = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*[=!]")
OPERATORS = ("and", "or", "unless")


def selectors(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric an expression reads, and the labels it chooses series by."""
    plain = DURATION.sub("", GROUPING.sub("", STRING.sub('""', expr)))
    for name, matchers in SELECTOR.findall(plain):
        if name not in OPERATORS:
            yield name, set(MATCHER.findall(matchers))


def grouped(expr: str) -> set[str]:
    """Return the labels an expression groups or joins by."""
    listed = (labels.split(",") for labels in GROUPING.findall(STRING.sub('""', expr)))
    return {label.strip() for labels in listed for label in labels if label.strip()}
