"""Object storage: what every store can do, how it fails, and a folder that behaves like S3."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class StorageError(Exception):
    """Object storage failed; the message names the URI and the remedy."""


class ObjectMissing(StorageError):  # noqa: N818 - a state, not a fault
    """There is no object under this URI."""


class StorageDenied(StorageError):  # noqa: N818 - a state, not a fault
    """The credentials do not allow it."""


class StorageUnavailable(StorageError):  # noqa: N818 - a state, not a fault
    """Storage did not answer, or answered that it cannot now; worth trying again."""


class BadURI(ValueError):  # noqa: N818 - a state, not a fault
    """A URI is none that storage knows, and will be none tomorrow."""


class Store(Protocol):
    """A folder of immutable objects."""

    @property
    def uri(self) -> str:
        """Return the folder, ending with a slash."""

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        """Return an object's content, or its first ``limit`` bytes.

        Raises:
            ObjectMissing: there is none.
            StorageDenied: the credentials do not allow it.
            StorageUnavailable: storage does not answer.
        """

    def write(self, key: str, content: bytes) -> None:
        """Write an object whole or not at all, over an earlier one."""

    def create(self, key: str, content: bytes) -> bool:
        """Write an object whole unless there is one; return whether it was written."""

    def keys(self) -> tuple[str, ...]:
        """Return the key of every object."""

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone is not an error."""


@dataclass(frozen=True)
class FolderStore:
    """Objects as files below a folder."""

    folder: Path

    @property
    def uri(self) -> str:
        """Return the folder, ending with a slash."""
        return f"{self.folder}/"

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        """Return a file's content, or its first ``limit`` bytes."""
        path = self.folder / key
        with _folder_errors(path), path.open("rb") as file:
            return file.read() if limit is None else file.read(limit)

    def write(self, key: str, content: bytes) -> None:
        """Write a file through a temporary one, so that it is never seen half written."""
        path = self.folder / key
        with _folder_errors(path), self._written(path, content) as temporary:
            temporary.replace(path)

    def create(self, key: str, content: bytes) -> bool:
        """Write a file unless there is one: a hard link is made only where there is no file."""
        path = self.folder / key
        with _folder_errors(path), self._written(path, content) as temporary:
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                return False
            return True

    def keys(self) -> tuple[str, ...]:
        """Return the path of every file below the folder."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return tuple(sorted(path.relative_to(self.folder).as_posix() for path in files))

    def delete(self, key: str) -> None:
        """Delete a file, and the folders it leaves empty."""
        path = self.folder / key
        with _folder_errors(path):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for folder in path.parents:
                folder.rmdir()
                if folder == self.folder:
                    break

    @contextlib.contextmanager
    def _written(self, path: Path, content: bytes) -> Iterator[Path]:
        """Yield a temporary file beside ``path`` that holds ``content`` on disk."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".partial-", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o644)
                yield temporary
            finally:
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _folder_errors(path: Path) -> Iterator[None]:
    """Raise a file system's errors as errors of storage."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ObjectMissing(f"{path} does not exist: check the path") from error
    except PermissionError as error:
        raise StorageDenied(f"{path} may not be used: check its owner and mode") from error
    except OSError as error:
        raise StorageUnavailable(f"{path} failed ({error.strerror}): check the disk") from error
