"""The log format of every part."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from taxon_contracts import logs


@pytest.fixture
def stream() -> io.StringIO:
    """Collect what is logged."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines as objects."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_structlog_and_the_standard_library_write_the_same_fields(stream: io.StringIO) -> None:
    """Whoever logs, a line has time, level, logger and event, and its own fields beside them."""
    structlog.get_logger("taxon.one").info("Applied", kind="Job")
    logging.getLogger("taxon.two").warning("Applied", extra={"kind": "Job"})
    one, two = lines(stream)
    assert one.keys() == two.keys() == {"time", "level", "logger", "event", "kind"}
    assert (one["level"], two["level"]) == ("info", "warning")
    assert (one["logger"], two["logger"]) == ("taxon.one", "taxon.two")
    assert one["time"].endswith("Z")


def test_an_exception_is_one_field_of_one_line(stream: io.StringIO) -> None:
    """A traceback does not spread over lines that a log collector would tear apart."""
    try:
        raise ValueError("the reason")  # noqa: TRY301 - the test needs a traceback
    except ValueError:
        logging.getLogger("taxon").exception("Failed")
    (line,) = lines(stream)
    assert line["exception"].endswith("ValueError: the reason")


def test_bound_context_is_in_every_line(stream: io.StringIO) -> None:
    """What a program binds once, as the model it works for, is in each of its lines."""
    with structlog.contextvars.bound_contextvars(model="default/iris"):
        logging.getLogger("taxon").info("Fitted")
    assert lines(stream)[0]["model"] == "default/iris"


def test_a_value_json_does_not_know_is_written_as_text(stream: io.StringIO) -> None:
    """Logging never fails for what it is given."""
    structlog.get_logger("taxon").info("Fitted", by=object)
    assert lines(stream)[0]["by"] == "<class 'object'>"
