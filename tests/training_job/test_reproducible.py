"""The same request gives the same bundle, digest for digest."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.training import run_request, small_identity, small_table, train

from taxon_contracts.run import RunRequest

SEARCHED: dict[str, dict[str, Any]] = {
    "Grid": {"strategy": "Grid", "folds": 2},
    "Random": {"strategy": "Random", "folds": 2, "trials": 3},
    "Bayesian": {"strategy": "Bayesian", "folds": 2, "trials": 3},
    "None": {"strategy": "None", "folds": 2},
}
PIPELINES: dict[str, dict[str, Any]] = {
    "RandomForest": {
        "type": "RandomForest",
        "parameters": [
            {"name": "n_estimators", "values": ["3", "5"]},
            {"name": "max_depth", "values": ["2", "None"]},
        ],
    },
    "LogisticRegression": {
        "type": "LogisticRegression",
        "parameters": [{"name": "C", "values": ["0.1", "1.0", "10.0"]}],
    },
}


def request(folder: Path, strategy: str, kind: str, *, classes: int = 2) -> RunRequest:
    """Return a request to train into ``folder``."""
    classifier = PIPELINES[kind]
    if strategy == "None":
        single = [{**p, "values": p["values"][:1]} for p in classifier["parameters"]]
        classifier = {**classifier, "parameters": single}
    identity = small_identity(
        pipeline={"polynomialDegree": 2, "classifier": classifier}, search=SEARCHED[strategy]
    )
    return run_request(small_table(classes=classes), folder, identity=identity)


def in_a_process(requests: list[RunRequest], **environment: str) -> list[str]:
    """Return the digests that trainings in one fresh process seal."""
    program = (
        "import sys\n"
        "from support.training import train\n"
        "from taxon_contracts import logs\n"
        "from taxon_contracts.run import RunRequest\n"
        "logs.configure()\n"
        "for text in sys.argv[1:]:\n"
        "    print(train(RunRequest.model_validate_json(text)).digest)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *(asked.encode() for asked in requests)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return ended.stdout.split()


@pytest.mark.parametrize("kind", PIPELINES)
@pytest.mark.parametrize("strategy", SEARCHED)
def test_the_same_request_gives_the_same_digest(tmp_path: Path, strategy: str, kind: str) -> None:
    """Whatever is searched and fitted, here with three classes."""
    digests = {
        train(request(tmp_path / name, strategy, kind, classes=3)).digest for name in ("a", "b")
    }

    assert len(digests) == 1


def test_a_fresh_process_with_other_cores_and_threads_gives_it_too(tmp_path: Path) -> None:
    """Neither hash seeds, nor cores, nor the threads of BLAS show in the bundle."""
    here = [train(request(tmp_path / kind, "Grid", kind)).digest for kind in PIPELINES]
    there = in_a_process(
        [request(tmp_path / f"{kind}-there", "Grid", kind) for kind in PIPELINES],
        PYTHONHASHSEED="77",
        LOKY_MAX_CPU_COUNT="1",
        OMP_NUM_THREADS="2",
        OPENBLAS_NUM_THREADS="2",
    )

    assert there == here


def test_another_seed_gives_another_bundle(tmp_path: Path) -> None:
    """The seed is not for show."""
    digests = {
        train(
            run_request(small_table(), tmp_path / str(seed), identity=small_identity(seed=seed))
        ).digest
        for seed in (1, 2)
    }

    assert len(digests) == 2
