"""An HTTP client of the application without a socket."""

import asyncio
from typing import Any

import httpx

from taxon_model_server.app import create_app
from taxon_model_server.dataplane import DataPlane


class Client:
    """Asks the application that answers for ``plane``, one request after the other."""

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane
        self._transport = httpx.ASGITransport(create_app(plane), raise_app_exceptions=False)

    def request(self, method: str, path: str, **asked: Any) -> httpx.Response:
        """Return the answer to one request."""
        return asyncio.run(self._request(method, path, asked))

    def get(self, path: str, **asked: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return self.request("GET", path, **asked)

    def post(self, path: str, **asked: Any) -> httpx.Response:
        """Return the answer to a POST."""
        return self.request("POST", path, **asked)

    async def _request(self, method: str, path: str, asked: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=self._transport, base_url="http://server", trust_env=False
        ) as client:
            return await client.request(method, path, **asked)
