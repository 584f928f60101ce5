"""The one place that reads the clock, and the one text form of a time."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def text(time: datetime) -> str:
    """Return a time as Kubernetes writes it, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(value: str) -> datetime:
    """Return the time an RFC 3339 text names."""
    return datetime.fromisoformat(value)
