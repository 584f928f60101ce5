"""One deadline for a whole HTTP call of urllib3, whose own timeouts apply to each read.

When the time is up, the connection is shut down under the call, whether it waits for a handshake,
a slow header or an endless body.
"""

import heapq
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_THIS_THREAD = threading.local()


class DeadlinePassed(Exception):  # noqa: N818 - a state, not a fault
    """The call took longer than its deadline."""


@dataclass
class _Call:
    """A call in progress, and a handle of its connection."""

    handle: socket.socket | None = None
    late: bool = False
    _over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def use(self, handle: socket.socket | None) -> None:
        """Continue on this connection."""
        with self._lock:
            self.handle = handle
            if self.late:
                self._shut_down()

    def break_off(self) -> None:
        """Shut the connection down, unless the call is over."""
        with self._lock:
            if not self._over:
                self.late = True
                self._shut_down()

    def end(self) -> None:
        """Leave the connection alone from now on: another call may use it."""
        with self._lock:
            self._over, self.handle = True, None

    def _shut_down(self) -> None:
        if self.handle is not None:
            with suppress(OSError):  # it is closed already
                self.handle.shutdown(socket.SHUT_RDWR)


class _Watchdog:
    """One thread that shuts down the calls whose time is up."""

    def __init__(self) -> None:
        self._calls: list[tuple[float, int, _Call]] = []
        self._order = itertools.count()
        self._sooner = threading.Condition()
        self._thread: threading.Thread | None = None

    def watch(self, call: _Call, seconds: float) -> None:
        """Break a call off in so many seconds, unless it is over by then."""
        with self._sooner:
            entry = (time.monotonic() + seconds, next(self._order), call)
            heapq.heappush(self._calls, entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            if self._calls[0] is entry:
                self._sooner.notify()

    def _run(self) -> None:
        while True:
            self._next().break_off()

    def _next(self) -> _Call:
        """Wait for the next call whose time is up."""
        with self._sooner:
            while True:
                wait = self._calls[0][0] - time.monotonic() if self._calls else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._calls)[2]
                self._sooner.wait(wait)


_WATCHDOG = _Watchdog()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound everything this thread does with a :func:`bounded` pool in the block.

    Raises:
        DeadlinePassed: the block took longer.
    """
    call = _THIS_THREAD.call = _Call()
    _WATCHDOG.watch(call, seconds)
    try:
        yield
    except Exception as error:
        if call.late:
            raise DeadlinePassed(f"no answer within {seconds:g} s") from error
        raise
    finally:
        call.end()
        _THIS_THREAD.call = None
    if call.late:  # a body without a length just ends when it is cut off
        raise DeadlinePassed(f"no answer within {seconds:g} s")


def bounded(manager: urllib3.PoolManager) -> None:
    """Let :func:`deadline` shut down the connections of a manager."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Handled:
    """Keeps a second handle of a connection's socket, because a handshake hides the first one."""

    _handle: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]  # of the class it is mixed into
        self._handle = made.dup()
        _use(self._handle)
        return made

    def putrequest(self, *words: object, **named: object) -> None:
        _use(self._handle)
        super().putrequest(*words, **named)  # type: ignore[misc]  # see above

    def close(self) -> None:
        super().close()  # type: ignore[misc]  # see above
        if self._handle is not None:
            self._handle.close()


def _use(handle: socket.socket | None) -> None:
    call: _Call | None = getattr(_THIS_THREAD, "call", None)
    if call is not None:
        call.use(handle)


class _Connection(_Handled, HTTPConnection):
    pass


class _SecureConnection(_Handled, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
