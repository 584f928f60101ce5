"""The target of a request line as a path, read as RFC 9112 section 3.2 and RFC 3986 say."""

import re
from urllib.parse import unquote

ABSOLUTE = re.compile(rb"https?://([^/?#]+)([^#]*)", re.IGNORECASE)
ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
SLASH = re.compile(r"%2f", re.IGNORECASE)


class InvalidTarget(ValueError):  # noqa: N818 - the message is the whole sentence
    """The target of a request is not one; the message says why."""


def read_target(target: bytes) -> tuple[str, bytes, bytes]:
    """Return a target's decoded path, raw path and query.

    An encoded slash stays encoded: it is part of a name and does not divide the path. Dot segments
    are removed, empty segments are not.

    Raises:
        InvalidTarget: it is not a target, or one for a proxy.
    """
    if b"#" in target:
        raise InvalidTarget("the request target holds a #: percent-encode it")
    if not target.startswith(b"/"):
        absolute = ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise InvalidTarget("the request target is not a path: send one that begins with /")
        rest = absolute[2]
        target = rest if rest.startswith(b"/") else b"/" + rest
    raw_path, _, query = target.partition(b"?")
    if b"/." in raw_path or b"%2" in raw_path:
        raw_path = _without_dot_segments(raw_path)
    path = raw_path.decode("ascii")
    if "%" in path:
        if ESCAPE.search(raw_path):
            raise InvalidTarget("the request target holds a % that two hex digits do not follow")
        path = unquote(SLASH.sub("%252F", path))
    return path, raw_path, query


def _without_dot_segments(path: bytes) -> bytes:
    """Return a path without ``.`` and ``..``, also where they are percent-encoded."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for place, segment in enumerate(segments):
        plain = segment.replace(b"%2e", b".").replace(b"%2E", b".")
        if plain not in (b".", b".."):
            kept.append(segment)
            continue
        if plain == b".." and kept:
            kept.pop()
        if place == len(segments) - 1:
            kept.append(b"")
    return b"/" + b"/".join(kept)
