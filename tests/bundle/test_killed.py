"""A run killed at any point leaves no readable bundle; the next one finishes it, and only once."""

from pathlib import Path

import pytest
from support.killed_seal import Moment, killed_seal
from support.training import carried_out, run_request, small_identity, small_table, train

from taxon_bundle.bundle import Bundle, find_bundle, verify
from taxon_contracts.manifest import BUNDLE_FILES

WRITES = len(BUNDLE_FILES) + 2  # the files, run.json, the manifest
TABLE = small_table(rows=40)
LINEAR = small_identity(pipeline={"classifier": {"type": "LogisticRegression"}})
CASES = [
    *(
        ("folder", write, moment)
        for write in range(WRITES)
        for moment in ("before", "amid", "after")
    ),
    *(("s3", write, moment) for write in (0, WRITES - 1) for moment in ("before", "after")),
]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return the bundle that an undisturbed run seals."""
    return train(run_request(TABLE, tmp_path_factory.mktemp("whole"), identity=LINEAR))


@pytest.fixture
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where in this kind of storage a run is to seal it."""
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('s3_bucket')}/v/"
    return f"{tmp_path}/bundle/"


@pytest.mark.parametrize(("destination", "write", "moment"), CASES, indirect=["destination"])
def test_a_killed_run_is_finished_by_the_next(
    sealed: Bundle, destination: str, tmp_path: Path, write: int, moment: Moment
) -> None:
    """Only the last write makes it readable; the run after the next finds it and does no work."""
    request = run_request(TABLE, tmp_path, identity=LINEAR, destination=destination)

    assert killed_seal(sealed, destination, write, moment)
    readable = find_bundle(destination) is not None
    assert readable == (write == WRITES - 1 and moment == "after")
    verify(train(request))
    assert carried_out(request).training is None


@pytest.mark.parametrize("destination", ["folder", "s3"], indirect=True)
def test_nothing_is_written_after_the_last_write(sealed: Bundle, destination: str) -> None:
    """The writes above are all there are: a run that was to die at a later one lives."""
    assert not killed_seal(sealed, destination, WRITES, "before")
