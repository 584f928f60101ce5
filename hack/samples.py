"""Write the sample tables from scikit-learn's copies: the same bytes every time."""

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


if __name__ == "__main__":
    for name in TABLES:
        (SAMPLES / name).write_text(table(name))
