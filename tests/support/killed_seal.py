"""A process that seals a bundle and is killed at one of its writes."""

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any, Literal

from taxon_bundle.bundle import Bundle, seal
from taxon_bundle.s3 import S3Store
from taxon_bundle.storage import FolderStore

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "taxon_bundle.bundle", "taxon_bundle.s3"])
SECONDS = 60.0

Moment = Literal["before", "amid", "after"]


def killed_seal(bundle: Bundle, uri: str, write: int, moment: Moment) -> bool:
    """Seal a copy of a bundle under ``uri`` in a process; return whether it met its end there."""
    process = CONTEXT.Process(target=_seal, args=(bundle, uri, write, moment, dict(os.environ)))
    process.start()
    process.join(SECONDS)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _seal(
    bundle: Bundle, uri: str, write: int, moment: Moment, environment: dict[str, str]
) -> None:
    os.environ.update(environment)  # a process of the fork server has the server's own
    count = itertools.count()
    for store in (FolderStore, S3Store):
        for name in ("write", "create"):
            original = getattr(store, name)
            setattr(store, name, _deadly(original, lambda: next(count) == write, moment))
    contents = {name: bundle.read(name) for name in bundle.manifest.files}
    seal(uri, bundle.manifest, contents, run_record=b"{}")


def _deadly(original: Callable[..., Any], due: Callable[[], bool], moment: Moment) -> Any:
    def write(*given: Any) -> Any:
        if not due():
            return original(*given)
        if moment == "before":
            _die()
        if moment == "amid":  # a folder's content is in a temporary file then
            os.fsync = _die  # type: ignore[assignment]  # it takes what fsync takes
        original(*given)
        return _die()

    return write


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
