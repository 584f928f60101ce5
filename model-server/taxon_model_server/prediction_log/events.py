"""Segments of earlier releases: one prediction event per line, as JSON."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from taxon_contracts.document import salvage
from taxon_contracts.prediction import PredictionEvent


def read_lines(segment: Path) -> list[str]:
    """Return a segment's lines; bytes a disk damaged become replacement characters."""
    return segment.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]


def parse_events(lines: Sequence[str]) -> tuple[list[PredictionEvent], list[str]]:
    """Return the events in some lines, of any release, and the lines that are damaged."""
    events, damaged = [], []
    for line in lines:
        try:
            events.append(salvage(PredictionEvent, line))
        except ValidationError:
            damaged.append(line)
    return events, damaged
