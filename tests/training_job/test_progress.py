"""A run is told to people on a terminal and to programs elsewhere."""

import io
import json

from taxon_training_job.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def test_an_event_is_one_json_line_with_its_context() -> None:
    """Time, event, what it is about, and its fields; whatever a field is, it has a text."""
    stream = io.StringIO()
    Progress(stream=stream, model="small").event("Split", train=3, note={"a": 1j})
    document = json.loads(stream.getvalue())

    assert (document["event"], document["model"], document["train"]) == ("Split", "small", 3)
    assert document["time"].endswith("+00:00")


def test_an_event_on_a_terminal_is_for_people() -> None:
    """Its name and fields, no JSON."""
    stream = Terminal()
    Progress(stream=stream, model="small").event("Split", train=3, test=1)

    assert stream.getvalue() == "Split            train 3  test 1\n"


def test_a_bar_counts_the_bytes_of_the_tally() -> None:
    """Worker processes append to it, one byte a fit."""
    stream = Terminal()
    with Progress(stream=stream).counted("search", 3) as tally, tally.open("ab") as file:
        file.write(b"...")

    assert "search: 100%" in stream.getvalue()
    assert "3/3" in stream.getvalue()
    assert not tally.exists()


def test_there_is_no_bar_elsewhere() -> None:
    """Carriage returns have no place in a log."""
    stream = io.StringIO()
    with Progress(stream=stream).counted("search", 3):
        pass

    assert stream.getvalue() == ""
