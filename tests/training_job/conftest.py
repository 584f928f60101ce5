"""What the trainer's tests share: a log of their own."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from taxon_contracts import logs


@pytest.fixture(autouse=True)
def logging_is_restored() -> Iterator[None]:
    """Leave logging as it was: the command configures it for the whole process."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def log() -> io.StringIO:
    """Return what receives the log, which is no terminal."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    return stream
