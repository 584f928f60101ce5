"""Reading a table takes memory in proportion to it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROWS = 100_000
PROGRAM = """
import json, re, sys
from pathlib import Path
from taxon_contracts.resource import Identity
from taxon_training_job.data.examples import examine
from taxon_training_job.data.table import read_table

identity = Identity.model_validate(
    {"dataset": {"uri": "s3://samples/t.csv", "target": "label"}, "pipeline": {}, "search": {}}
)

def peak(file):
    table = read_table(file, "label")
    examples = examine(table, identity)
    (used,) = re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    return int(used) * 1024, int(table.frame.memory_usage(deep=True).sum()), len(examples.columns)

before, _, _ = peak(sys.argv[1])
after, size, columns = peak(sys.argv[2])
print(json.dumps({"times": (after - before) / size, "columns": columns}))
"""


def table(rows: int) -> pd.DataFrame:
    """Return ten columns of numbers, nine of text, one of booleans; some with gaps."""
    generator = np.random.default_rng(0)
    words = np.array([f"category-{number}" for number in range(10_000)])
    columns = {f"n{number}": generator.normal(size=rows) for number in range(10)}
    most = (5, 20, 50, 100, 300, 1000, 3000, 10_000, 10)
    texts = {
        f"c{number}": words[generator.integers(0, min(count, rows // 3), rows)]
        for number, count in enumerate(most)
    }
    frame = pd.DataFrame({**columns, **texts, "b": generator.choice(["true", "false", ""], rows)})
    frame.loc[::7, ["n1", "c1"]] = None
    return frame.assign(label=generator.choice(["a", "b"], rows))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_is_read_within_a_few_times_its_size(tmp_path: Path, kind: str) -> None:
    """The file included; a first, small table is for what the libraries need once."""
    files = [tmp_path / f"{name}.{kind}" for name in ("small", "large")]
    for file, rows in zip(files, (300, ROWS), strict=True):
        frame = table(rows)
        if kind == "csv":
            frame.to_csv(file, index=False)
        else:
            frame.to_parquet(file)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, files)],
        capture_output=True,
        check=True,
        text=True,
    )
    found = json.loads(run.stdout)

    assert found["columns"] == 20
    assert found["times"] < 4.5
