import json
from pathlib import Path

import pytest

from taxon_cli.local.state import StateError, opened_state
from taxon_contracts.resource import ClassifierModel
from taxon_contracts.run import Champion


def model(name: str, *, namespace: str = "default") -> ClassifierModel:
    """Return a model of this name."""
    return ClassifierModel.model_validate(
        {
            "apiVersion": "taxon.dev/v1alpha1",
            "kind": "ClassifierModel",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"dataset": {"uri": "s3://samples/wine.csv", "target": "cultivar"}},
        }
    )


def version(digit: str) -> Champion:
    """Return a version made of one digit."""
    return Champion(
        version=f"v{digit * 10}",
        bundle_uri="s3://taxon/default/wine/v/",
        manifest_digest=f"sha256:{digit * 64}",
    )


def test_the_live_version_is_kept_per_model(tmp_path: Path) -> None:
    """Each model of each namespace has its own live version, also in the next call."""
    with opened_state(tmp_path) as state:
        state.switch(model("wine"), version("1"))
        state.switch(model("wine"), version("2"))
        state.switch(model("wine", namespace="lab"), version("3"))

    with opened_state(tmp_path) as state:
        assert state.live(model("wine")) == version("2")
        assert state.live(model("wine", namespace="lab")) == version("3")


def test_a_new_model_has_no_live_version(tmp_path: Path) -> None:
    """The first version of a model has nothing to be compared with."""
    with opened_state(tmp_path / "new" / "folder") as state:
        assert state.live(model("wine")) is None


def test_a_folder_is_used_by_one_call_at_a_time(tmp_path: Path) -> None:
    """A second call learns of the first, and may come once that has ended."""
    with (
        opened_state(tmp_path),
        pytest.raises(StateError, match="another `taxon local run` uses"),
        opened_state(tmp_path),
    ):
        pass

    with opened_state(tmp_path):
        pass


def test_an_entry_of_another_release_costs_that_model_only(tmp_path: Path) -> None:
    """What cannot be read is as if that model had no live version; the others keep theirs."""
    with opened_state(tmp_path) as state:
        state.switch(model("wine"), version("1"))
    kept = json.loads((tmp_path / "live.json").read_text())
    kept["default/wine"]["fieldOfANewerRelease"] = 1
    (tmp_path / "live.json").write_text(json.dumps(kept | {"default/iris": "v1"}))

    with opened_state(tmp_path) as state:
        assert state.live(model("wine")) == version("1")
        assert state.live(model("iris")) is None


def test_a_damaged_state_is_reported(tmp_path: Path) -> None:
    """What is not even JSON is named with the way out."""
    (tmp_path / "live.json").write_text('{"default/wine":')

    with (
        opened_state(tmp_path) as state,
        pytest.raises(StateError, match=r"live\.json cannot be read .*: remove .* to start again"),
    ):
        state.live(model("wine"))
