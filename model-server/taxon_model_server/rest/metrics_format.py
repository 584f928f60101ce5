"""The two formats of metrics, chosen by the Accept header (RFC 9110, section 12.5.1)."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics

Format = tuple[Callable[[CollectorRegistry], bytes], str]
TEXT: Format = (generate_latest, CONTENT_TYPE_PLAIN_0_0_4)
OPENMETRICS: Format = (openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST)
MEDIA_TYPES: dict[tuple[str, str], Format] = {
    ("application/openmetrics-text", ""): OPENMETRICS,
    ("application/openmetrics-text", "1.0.0"): OPENMETRICS,
    ("application/*", ""): OPENMETRICS,
    ("text/plain", ""): TEXT,
    ("text/plain", "0.0.4"): TEXT,
    ("text/*", ""): TEXT,
    ("*/*", ""): TEXT,
}
"""Media ranges, with the version they name, that a format satisfies."""


def choose_format(accept: str) -> Format:
    """Return the format a scraper prefers; the text format where it accepts neither."""
    ranges = [_media_range(part) for part in accept.split(",")]
    for quality, media_range in sorted(ranges, key=lambda one: -one[0]):
        if quality > 0 and media_range in MEDIA_TYPES:
            return MEDIA_TYPES[media_range]
    return TEXT


def _media_range(text: str) -> tuple[float, tuple[str, str]]:
    """Return the quality of a media range, 0 to 1, and the range with its version."""
    name, *rest = text.split(";")
    pairs = (parameter.partition("=") for parameter in rest)
    parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 0.0
    within = 0 <= quality <= 1
    return quality if within else 0.0, (name.strip().lower(), parameters.get("version", ""))
