"""What the server tells its operator: one JSON line per event, to standard error."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any


def tell(event: str, **fields: Any) -> None:
    """Write one line."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stderr.write(json.dumps({"time": time, "event": event, **fields}) + "\n")
    sys.stderr.flush()


class EventHandler(logging.Handler):
    """Tells what libraries log, with the traceback of a fault."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        fields = {"message": record.getMessage()}
        if record.exc_info:
            fields["traceback"] = logging.Formatter().formatException(record.exc_info)
        tell("log", level=record.levelname, logger=record.name, **fields)
