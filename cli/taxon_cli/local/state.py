"""What local mode keeps between calls."""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from taxon_contracts.document import salvage
from taxon_contracts.resource import ClassifierModel
from taxon_contracts.run import Champion

FOLDER = Path(".taxon/local")
"""Below the folder the command is called in."""


class _Kept(BaseModel):
    """The live version of every model, by namespace and name."""

    live: dict[str, Champion]


class StateError(Exception):
    """The state cannot be used; the message has the reason and the remedy."""


@dataclass(frozen=True)
class State:
    """The folder of one call at a time."""

    folder: Path

    def live(self, model: ClassifierModel) -> Champion | None:
        """Return the model's live version, None before the first.

        Raises:
            StateError: the file is damaged.
        """
        return self._champions().get(_key(model))

    def all_live(self) -> dict[str, Champion]:
        """Return every model's live version by ``namespace/name``.

        Raises:
            StateError: the file is damaged.
        """
        return self._champions()

    def switch(self, model: ClassifierModel, version: Champion) -> None:
        """Make a version the live one."""
        champions = self._champions() | {_key(model): version}
        document = _Kept(live=champions).model_dump(mode="json")["live"]
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(document, indent=1))
        partial.replace(self._file)

    @property
    def _file(self) -> Path:
        return self.folder / "live.json"

    def _champions(self) -> dict[str, Champion]:
        if not self._file.exists():
            return {}
        try:
            return salvage(_Kept, {"live": json.loads(self._file.read_bytes())}).live
        except ValueError as error:
            raise StateError(
                f"{self._file} cannot be read ({error}): remove {self.folder} to start again"
            ) from error


@contextlib.contextmanager
def opened_state(folder: Path) -> Iterator[State]:
    """Yield the state of a folder, locked for other calls; create it the first time.

    Raises:
        StateError: another call uses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(
                f"another `taxon local run` uses {folder}: stop it with Ctrl-C, or run this one in"
                " another folder"
            ) from error
        yield State(folder)


def _key(model: ClassifierModel) -> str:
    return f"{model.metadata.namespace}/{model.metadata.name}"
