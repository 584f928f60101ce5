"""The application of a client behind a real socket, in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from model_server.client import Client
from support.waiting import wait_until

from taxon_model_server.main import listen
from taxon_model_server.rest.http_protocol import HttpLimits, HttpProtocol


@contextmanager
def connected(
    client: Client, limits: HttpLimits | None = None, *, keep_alive: int = 60
) -> Iterator[str]:
    """Serve a client's application on loopback; yield the address."""
    protocol = type("Short", (HttpProtocol,), {"limits": limits or HttpLimits()})
    config = uvicorn.Config(
        client.app,
        http=protocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
