"""The log format of every part: one JSON object per line, the same fields everywhere.

Every line has ``time`` (RFC 3339, UTC), ``level``, ``logger`` and ``event``, then keyword fields,
and ``exception`` if there is one. On a terminal the same events are readable lines.
"""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor

SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.StackInfoRenderer(),
)


TALKATIVE = ("botocore",)
"""Libraries whose messages are logged only from warnings on."""


def configure(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send what structlog and the standard library log to one stream, in one format.

    Args:
        level: lowest level that is written.
        stream: the output, standard error by default.
    """
    target = stream if stream is not None else sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*SHARED, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendered(terminal=target.isatty()),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _rendered(*, terminal: bool) -> tuple[Processor, ...]:
    if terminal:
        return (structlog.dev.ConsoleRenderer(timestamp_key="time"),)
    return (structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str))
