"""Write the sample tables and requests: the same bytes every time.

Real tables come from the copies in scikit-learn's package; ``tic-tac-toe.csv`` is played out here.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sklearn
from sklearn.datasets import load_breast_cancer, load_wine

SAMPLES = Path(__file__).parents[1] / "manifests/samples"
OPENML = Path(sklearn.__file__).parent / "datasets/tests/data/openml"
"""Tables of openml.org in the ARFF format, by id: scikit-learn tests its download with them."""
GAPS = {"", "NA"}
BOOLEANS = {"true": True, "false": False}
YES_NO = {"0": "no", "1": "yes"}
SQUARES = tuple(f"{row}-{column}" for row in ("top", "middle", "bottom") for column in
                ("left", "middle", "right"))  # fmt: skip
LINES = ("012", "345", "678", "036", "147", "258", "048", "246")
"""Squares, by position, that win when one player has all three."""


@dataclass(frozen=True)
class Sample:
    """A table: how its CSV is made, its target, and the columns a model of it leaves out."""

    text: Callable[[], str]
    target: str
    left_out: tuple[str, ...] = ()


def table(name: str) -> str:
    """Return a sample table as CSV."""
    return TABLES[name].text()


def row(name: str) -> str:
    """Return one row of a sample table as the body of a request to ``/predict``.

    It is the first row with exactly one gap; the first row of a table without such a row.
    """
    sample = TABLES[name]
    unused = {sample.target, *sample.left_out}
    rows = [
        {key: value(cell) for key, cell in one.items() if key not in unused}
        for one in csv.DictReader(io.StringIO(sample.text()))
    ]
    chosen = next((one for one in rows if list(one.values()).count(None) == 1), rows[0])
    return json.dumps(chosen, indent=1) + "\n"


def row_file(name: str) -> Path:
    """Return the path of the file with a row of a sample table."""
    return SAMPLES / name.replace(".csv", "-row.json")


def value(cell: str) -> bool | float | str | None:
    """Return a cell as JSON has it."""
    if cell in GAPS:
        return None
    if cell in BOOLEANS:
        return BOOLEANS[cell]
    try:
        return int(cell) if cell.isdecimal() else float(cell)
    except ValueError:
        return cell


def _copy(load: Callable[..., Any], target: str) -> Sample:
    """Return a table of scikit-learn's: its columns, then the class as text."""

    def text() -> str:
        data = load(as_frame=True)
        frame = data.data.assign(**{target: data.target_names[data.target]})
        return str(frame.to_csv(index=False, lineterminator="\n"))

    return Sample(text, target)


def _titanic() -> str:
    """Return the passengers; ``deck``, ``boarded`` and ``alone`` follow from other columns."""
    taken = ("pclass", "name", "sex", "age", "sibsp", "parch", "fare")
    days = {"S": "1912-04-10", "C": "1912-04-10", "Q": "1912-04-11", "": ""}
    names = (*taken, "deck", "embarked", "boarded", "alone", "survived")
    rows = (
        [
            *(one[name] for name in taken),
            one["cabin"][:1],
            one["embarked"],
            days[one["embarked"]],
            "true" if one["sibsp"] == one["parch"] == "0" else "false",
            YES_NO[one["survived"]],
        ]
        for one in _openml("id_40945/data-v1-dl-16826755.arff.gz")
    )
    return _csv(names, rows)


def _penguins() -> str:
    """Return the penguins; a gap is written NA, as in R, also where the sex is ``_``."""
    names = ("island", "culmen_length_mm", "culmen_depth_mm", "flipper_length_mm", "body_mass_g",
             "sex", "species")  # fmt: skip
    rows = (
        ["NA" if one[name] in ("", "_") else one[name] for name in names]
        for one in _openml("id_42585/data-v1-dl-21854866.arff.gz")
    )
    return _csv(names, rows)


def _openml(file: str) -> Iterator[dict[str, str]]:
    """Yield the rows of an ARFF file; a missing value is an empty text."""
    lines = iter(gzip.decompress((OPENML / file).read_bytes()).decode().splitlines())
    names = []
    for line in lines:
        keyword, *rest = line.split(maxsplit=2) or [""]
        if keyword.lower() == "@data":
            break
        if keyword.lower() == "@attribute":
            names.append(rest[0].strip("'"))
    for cells in csv.reader(lines):
        yield dict(zip(names, ("" if cell == "?" else cell for cell in cells), strict=True))


def _tic_tac_toe() -> str:
    """Return every board at which a game can end when x begins, and whether x has won."""
    boards = sorted(_ends(), reverse=True)
    names = (*SQUARES, "x_wins")
    return _csv(names, ([*board, "yes" if _wins(board, "x") else "no"] for board in boards))


def _ends() -> set[str]:
    """Return the boards at which a game can end; ``b`` is a blank square."""
    ends, going = set[str](), {"b" * 9}
    for player in "xoxoxoxox":
        moved = {
            board[:square] + player + board[square + 1 :]
            for board in going
            for square, mark in enumerate(board)
            if mark == "b"
        }
        won = {board for board in moved if _wins(board, player)}
        ends |= won
        going = moved - won
    return ends | going


def _wins(board: str, player: str) -> bool:
    return any(all(board[int(square)] == player for square in line) for line in LINES)


def _csv(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([names, *rows])
    return text.getvalue()


TABLES = {
    "breast-cancer.csv": _copy(load_breast_cancer, "diagnosis"),
    "penguins.csv": Sample(_penguins, "species"),
    "tic-tac-toe.csv": Sample(_tic_tac_toe, "x_wins"),
    "titanic.csv": Sample(_titanic, "survived", left_out=("name", "boarded")),
    "wine.csv": _copy(load_wine, "cultivar"),
}

if __name__ == "__main__":
    for name in TABLES:
        (SAMPLES / name).write_text(table(name))
        row_file(name).write_text(row(name))
