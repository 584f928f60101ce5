"""The process that writes one run's report as an offline W&B run."""

import json
import sys
from pathlib import Path
from typing import Any

import wandb


def main() -> None:
    """Record the report named on the command line, in the same folder."""
    file = Path(sys.argv[1])
    record(json.loads(file.read_text()), file.parent)


def record(report: dict[str, Any], folder: Path) -> None:
    """Write the offline run below ``folder``."""
    settings = wandb.Settings(mode="offline", console="off", silent=True)
    with wandb.init(
        project=report["project"],
        group=report["group"],
        name=report["name"],
        config=report["config"],
        dir=str(folder),
        settings=settings,
    ) as run:
        for number, trial in enumerate(report["trials"]):
            run.log(_trial(trial), step=number)
        confusion = report["confusion"]
        columns: list[str | int] = ["class", *map(str, confusion["classes"])]
        rows: list[Any] = [
            [str(name), *counts]
            for name, counts in zip(confusion["classes"], confusion["counts"], strict=True)
        ]
        run.log({"confusion_matrix": wandb.Table(columns=columns, data=rows)})
        run.summary.update(report["summary"])
        artifact = wandb.Artifact(report["name"], type="bundle", metadata=report["summary"])
        for name, content in report["files"].items():
            with artifact.new_file(name) as file:
                file.write(content)
        run.log_artifact(artifact)


def _trial(trial: dict[str, Any]) -> dict[str, Any]:
    """Return one trial's figures: its mean score, the score of each fold, its parameters."""
    scores = trial["scores"]
    return {
        "trial/score": sum(scores) / len(scores),
        **{f"trial/fold_{number}": score for number, score in enumerate(scores, start=1)},
        **{f"trial/{name}": str(value) for name, value in trial["parameters"].items()},
    }


if __name__ == "__main__":
    main()
