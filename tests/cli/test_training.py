from pathlib import Path

import pytest
import yaml
from support.training import run_request as asked_run
from support.training import small_table

from taxon_cli.local.processes import ProcessFailed
from taxon_cli.local.state import State
from taxon_cli.local.training import run_request, train
from taxon_contracts.resource import ClassifierModel
from taxon_controller.domain.model import read_model


def test_a_trainer_that_ends_without_a_result_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trainer that is killed, for want of memory say, is reported with its exit code."""
    program = tmp_path / "taxon-train"
    program.write_text("#!/bin/sh\nkill -KILL $$\n")
    program.chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    request = asked_run(small_table(), tmp_path)

    with pytest.raises(ProcessFailed, match=r"exit code -9 and no result: see .*trainer\.log"):
        train(request, tmp_path, "")


@pytest.mark.parametrize("value", ["2026-07-01", "x" * 200])
def test_one_file_makes_the_version_a_cluster_makes_of_it(value: str, tmp_path: Path) -> None:
    """Local mode and the controller derive one id, whatever the retrain annotation says."""
    document = yaml.safe_load(Path("manifests/samples/breast-cancer.yaml").read_text())
    document["metadata"]["annotations"] = {"taxon.dev/retrain": value}
    in_a_cluster = read_model(
        {
            **document,
            "metadata": {
                **document["metadata"],
                "namespace": "default",
                "uid": "u",
                "creationTimestamp": "2026-07-01T00:00:00Z",
            },
        }
    )

    request = run_request(ClassifierModel.model_validate(document), State(tmp_path))

    assert request.version == in_a_cluster.version(in_a_cluster.retrain)
