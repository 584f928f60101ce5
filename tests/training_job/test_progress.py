"""What a run shows: bars to people on a terminal, JSON lines to programs elsewhere."""

import io
import json
from typing import Any

import pytest
from support.waiting import wait_until

from taxon_contracts import logs
from taxon_training_job import progress as shown
from taxon_training_job.progress import Progress, Size, Standing

SIZE = Size("roc_auc", combinations=3, folds=2)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


@pytest.fixture
def terminal() -> Terminal:
    """Return a terminal that receives the log."""
    stream = Terminal()
    logs.configure(stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the log's lines."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_its_context(log: io.StringIO) -> None:
    """In the format of all parts; whatever a field is, it has a text."""
    Progress(stream=log, model="small").event("Split", train=3, note={"a": 1j})
    (line,) = lines(log)

    assert (line["event"], line["model"], line["train"]) == ("Split", "small", 3)
    assert (line["level"], line["logger"]) == ("info", "taxon_training_job")
    assert line["time"].endswith("Z")


def test_an_event_on_a_terminal_is_for_people(terminal: Terminal) -> None:
    """Its name and fields, no JSON, and no model that the person named a moment ago."""
    Progress(stream=terminal, model="small").event("Split", train=3, test=1)
    text = terminal.getvalue()

    assert "Split" in text
    assert "{" not in text
    assert "small" not in text


def test_a_bar_counts_the_fits_and_shows_the_best(terminal: Terminal) -> None:
    """Worker processes add them to the tally, one line a fit."""
    with Progress(stream=terminal).search(SIZE) as tally:
        for depth, score in ((1, 0.5), (1, 0.7), (2, 0.9), (2, 0.8), (3, 0.1), (3, 0.2)):
            tally.add({"max_depth": depth}, score)

    assert "search: 100%" in terminal.getvalue()
    assert "6/6" in terminal.getvalue()
    assert "roc_auc=0.8500" in terminal.getvalue()
    assert not tally.file.exists()


def test_a_log_shows_how_far_a_search_is(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits done and to do, the best so far, the time left; no bar."""
    monkeypatch.setattr(shown, "EVENT_SECONDS", 0.01)
    with Progress(stream=log, model="small").search(SIZE) as tally:
        for depth, score in ((1, 0.5), (1, 0.7), (2, 0.9)):
            tally.add({"max_depth": depth}, score)
        wait_until(lambda: any(line["done"] == 3 for line in lines(log)), seconds=20)
    line = lines(log)[-1]

    assert line["event"] == "SearchProgress"
    assert (line["done"], line["fits"], line["model"]) == (3, 6, "small")
    assert (line["best"], line["roc_auc"]) == ({"max_depth": "1"}, 0.6)
    assert line["seconds_left"] >= 0


def test_a_short_search_logs_no_progress(log: io.StringIO) -> None:
    """It has ended before anybody would ask."""
    with Progress(stream=log).search(SIZE) as tally:
        tally.add({"max_depth": 1}, 0.5)

    assert log.getvalue() == ""


def test_the_best_so_far_has_been_judged_by_every_fold() -> None:
    """One lucky fold does not lead; of losses the lowest is best."""
    standing = Standing(Size("log_loss", combinations=3, folds=2))
    standing.read(b'[{"C": "1"}, 0.1]\n[{"C": "2"}, 0.6]\n[{"C": "2"}, 0.4]\n[{"C": "3"}, 0.')
    first = standing.best
    standing.read(b'7]\n[{"C": "3"}, 0.1]\n')

    assert first == ({"C": "2"}, 0.5)
    assert standing.best
    assert standing.best[0] == {"C": "3"}
    assert standing.best[1] == pytest.approx(0.4)
    assert standing.done == 5


def test_a_fault_of_the_trainer_is_one_line(log: io.StringIO) -> None:
    """With its traceback as a field."""
    try:
        raise ZeroDivisionError("by zero")  # noqa: TRY301 - the test needs a traceback
    except ZeroDivisionError as error:
        Progress(stream=log).failure("InternalError", "see the log", error)
    Progress(stream=log).failure("SingleClass", "add rows")
    line, without = lines(log)

    assert line["level"] == without["level"] == "error"
    assert "exception" not in without
    assert line["exception"].endswith("ZeroDivisionError: by zero")
