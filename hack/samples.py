"""Write the sample tables and requests from scikit-learn's copies: the same bytes every time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer, load_wine

SAMPLES = Path(__file__).parents[1] / "manifests/samples"
TABLES: dict[str, tuple[Callable[..., Any], str]] = {
    "breast-cancer.csv": (load_breast_cancer, "diagnosis"),
    "wine.csv": (load_wine, "cultivar"),
}
"""Each table's loader and the name of its target column."""


def table(name: str) -> str:
    """Return a sample table as CSV: scikit-learn's columns, then the class as text."""
    load, target = TABLES[name]
    data = load(as_frame=True)
    frame = data.data.assign(**{target: data.target_names[data.target]})
    return str(frame.to_csv(index=False, lineterminator="\n"))


def row(name: str) -> str:
    """Return the first row of a sample table as the body of a request to ``/predict``."""
    load, _ = TABLES[name]
    return json.dumps(load(as_frame=True).data.iloc[0].to_dict(), indent=1) + "\n"


def row_file(name: str) -> Path:
    """Return the path of the file with the first row of a sample table."""
    return SAMPLES / name.replace(".csv", "-row.json")


if __name__ == "__main__":
    for name in TABLES:
        (SAMPLES / name).write_text(table(name))
        row_file(name).write_text(row(name))
