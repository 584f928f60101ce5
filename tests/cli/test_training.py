from pathlib import Path

import pytest
from support.training import run_request, small_table

from taxon_cli.local.processes import ProcessFailed
from taxon_cli.local.training import train


def test_a_trainer_that_ends_without_a_result_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trainer that is killed, for want of memory say, is reported with its exit code."""
    program = tmp_path / "taxon-train"
    program.write_text("#!/bin/sh\nkill -KILL $$\n")
    program.chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    request = run_request(small_table(), tmp_path)

    with pytest.raises(ProcessFailed, match=r"exit code -9 and no result: see .*trainer\.log"):
        train(request, tmp_path)
