"""Free ports of this machine."""

import contextlib
import errno
import random
import socket
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
FIRST, LAST = 20_000, 32_000
"""Below the ports kernels lend to outgoing connections."""
BLOCK = 32
ATTEMPTS = 200


class PortTaken(Exception):  # noqa: N818 - a state of the machine, not a fault
    """Another program listens on a port; the message names the port and the remedy."""


class PortBlock:
    """31 free ports that no other block uses until this one is closed.

    The block's first port stays bound by its owner, so two owners never share a block, and a
    server can be stopped and started again on its port.
    """

    def __init__(self) -> None:
        for _ in range(ATTEMPTS):
            first = random.randrange(FIRST, LAST, BLOCK)  # noqa: S311 - spreads load, hides nothing
            with contextlib.suppress(OSError):
                self._guard = socket.create_server((HOST, first), backlog=0)
                self._free = list(range(first + 1, first + BLOCK))
                if all(map(is_free, self._free)):
                    return
                self._guard.close()
        raise PortTaken(f"no free ports between {FIRST} and {LAST}: stop some local servers")

    def take(self) -> int:
        """Return a port of the block that was not taken before."""
        return self._free.pop()

    def close(self) -> None:
        """Release the block."""
        self._guard.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_free(port: int) -> bool:
    """Return whether a server could listen on a loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True
