"""Errors of requests, independent of the transport; each transport has one table for them."""

from dataclasses import dataclass


class RequestError(Exception):
    """A request that gets no answer; the message says what to change."""


class InvalidInput(RequestError):  # noqa: N818 - the names say what is wrong with the request
    """The request or its tensors do not fit the model."""


@dataclass(frozen=True)
class Problem:
    """One wrong place in a plain request: where it is, what to send, and the kind of mistake."""

    path: tuple[str | int, ...]
    message: str
    kind: str


class InvalidFields(RequestError):  # noqa: N818
    """Values of a plain request do not fit the features."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems


class UnknownModel(RequestError):  # noqa: N818
    """The server has no such model or version."""


class TooLarge(RequestError):  # noqa: N818
    """The body or the number of rows is over its limit."""


class EncodedBody(RequestError):  # noqa: N818
    """The body is compressed in a way that is not read."""


class UnknownMediaType(RequestError):  # noqa: N818
    """The body's Content-Type is not supported."""


class TryLater(RequestError):  # noqa: N818
    """A request that may be sent again after some seconds."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class TooManyRequests(TryLater):
    """The client is over its rate limit."""


class Overloaded(TryLater):
    """The server has no memory left for the request."""


class NotKept(TryLater):
    """What was sent cannot be kept on disk now."""


class NotLogged(RequestError):  # noqa: N818
    """The predictions are not logged."""


class NotLoaded(RequestError):  # noqa: N818
    """No model is loaded."""
