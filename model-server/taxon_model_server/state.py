"""What the server serves, and whether requests should be sent to it."""

from typing import Literal

from taxon_model_server.errors import NotLoaded, UnknownModel
from taxon_model_server.loader import Model

Phase = Literal["loading", "ready", "draining"]


class ServerState:
    """The one model of a server, from its loading until the server ends."""

    def __init__(self, name: str) -> None:
        """Take the name clients call the model by."""
        self.name = name
        self.draining = False
        self._model: Model | None = None

    @property
    def version(self) -> str:
        """Return the loaded version's id; empty while none is loaded."""
        return self._model.version if self._model else ""

    @property
    def phase(self) -> Phase:
        """Return what the server is doing."""
        if self.draining:
            return "draining"
        return "loading" if self._model is None else "ready"

    @property
    def ready(self) -> bool:
        """Return whether requests should be sent here."""
        return self.phase == "ready"

    @property
    def loaded(self) -> Model | None:
        """Return the model, None while it is being loaded."""
        return self._model

    @property
    def model(self) -> Model:
        """Return the loaded model.

        Raises:
            NotLoaded: none is loaded yet.
        """
        if self._model is None:
            raise NotLoaded(f"model {self.name!r} is not loaded yet: try again shortly")
        return self._model

    def serve(self, model: Model) -> None:
        """Answer with this model from now on."""
        self._model = model

    def check_name(self, name: str, version: str | None = None) -> None:
        """Check that a client means the model that is served.

        Raises:
            UnknownModel: the name or the version is another's.
        """
        if name != self.name:
            raise UnknownModel(f"model {name!r} is not here: this server has {self.name!r}")
        if version is not None and self._model is not None and version != self.version:
            raise UnknownModel(
                f"version {version!r} of model {name!r} is not here: this server has"
                f" {self.version!r}"
            )
