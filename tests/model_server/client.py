"""An HTTP client of the application without a socket."""

import asyncio
from typing import Any

import httpx

from taxon_model_server.exchange import Exchange
from taxon_model_server.labels.intake import LabelIntake
from taxon_model_server.loader import load_model
from taxon_model_server.rest.app import create_app
from taxon_model_server.settings import Settings


class Client:
    """Asks the application that answers with ``exchange``, one request after the other."""

    def __init__(
        self, settings: Settings, exchange: Exchange, labels: LabelIntake | None = None
    ) -> None:
        self.settings = settings
        self.exchange = exchange
        self.app = create_app(settings, exchange, labels)
        self._transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)

    def request(self, method: str, path: str, **asked: Any) -> httpx.Response:
        """Return the answer to one request."""
        return asyncio.run(self._request(method, path, asked))

    def get(self, path: str, **asked: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return self.request("GET", path, **asked)

    def post(self, path: str, **asked: Any) -> httpx.Response:
        """Return the answer to a POST."""
        return self.request("POST", path, **asked)

    def load(self) -> None:
        """Load the model of the settings and answer with it from now on."""
        given = self.settings
        self.exchange.start(load_model(given.bundle, given.digest, version=given.version))

    async def _request(self, method: str, path: str, asked: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=self._transport, base_url="http://server", trust_env=False
        ) as client:
            return await client.request(method, path, **asked)
