"""The lines of a CSV file, one by one: the same checks wherever one is read."""

import codecs
import csv
import io
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
LINE_CHARACTERS = 64 * 1024 * 1024
"""A line longer than this is refused before it is read to its end."""
BLOCK_BYTES = 1024 * 1024


class BadTable(ValueError):  # noqa: N818 - the file is at fault, not this program
    """A file is not a table; the message names the line or the column."""


def csv_records(
    file: BinaryIO, *, cell_characters: int = sys.maxsize, line_characters: int = LINE_CHARACTERS
) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the number of its first line: the header, then the rows.

    Every record has as many fields as the header; blank lines are left out. One record is in
    memory at a time.

    Args:
        file: the content, UTF-8 with or without a byte order mark; it can seek, and is closed
            once nobody asks for another record.
        cell_characters: longest cell.
        line_characters: longest line.

    Raises:
        BadTable: a line is broken; the message has its number.
    """
    fields: list[str]
    line, header = 1, None
    with _fields_up_to(cell_characters):
        records = csv.reader(_lines(file, line_characters), strict=True)
        try:
            for fields in records:
                if fields:
                    if header is None:
                        header = checked_header(fields)
                    elif len(fields) != len(header):
                        raise BadTable(
                            f"line {line} has {len(fields)} fields, the header {len(header)}"
                        )
                    yield line, fields
                line = records.line_num + 1
        except csv.Error as error:
            raise BadTable(f"line {line} is broken ({error})") from error
        except UnicodeDecodeError as error:
            raise BadTable(f"line {_undecodable_line(file)} is not UTF-8") from error
    if header is None:
        raise BadTable("it is empty")


def checked_header(names: list[str]) -> list[str]:
    """Return a header whose columns are separated by commas and have names of their own.

    Raises:
        BadTable: they are not.
    """
    if len(names) == 1:
        for sign, name in OTHER_SEPARATORS.items():
            if sign in names[0]:
                raise BadTable(f"line 1 is separated by {name}: use commas")
    return unique(names)


def unique(names: Sequence[str]) -> list[str]:
    """Return columns' names once each has one of its own, also for a person's eyes.

    Raises:
        BadTable: a name is empty or appears twice, be it in another form of Unicode.
    """
    if "" in names:
        raise BadTable(f"column {names.index('') + 1} has no name")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise BadTable(f"column {repeated[0][:100]!r} appears twice")
    places: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        first = places.setdefault(unicodedata.normalize("NFC", name), place)
        if first != place:
            raise BadTable(
                f"columns {first} and {place} have names that only differ in their form of Unicode"
            )
    return list(names)


def _lines(file: BinaryIO, longest: int) -> Iterator[str]:
    """Yield the lines of a text, each of bounded length."""
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    number = 0
    while line := text.readline(longest):
        number += 1
        if len(line) == longest and line[-1] not in "\r\n":
            raise BadTable(f"line {number} has {longest:,} characters or more")
        yield line


def _undecodable_line(file: BinaryIO) -> int:
    """Return the first line that is not UTF-8."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    while block := file.read(BLOCK_BYTES):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return line + error.object.count(b"\n", 0, error.start)
        line += block.count(b"\n")
    return line


@contextmanager
def _fields_up_to(characters: int) -> Iterator[None]:
    """Set the csv module's limit, which is one for the whole process."""
    before = csv.field_size_limit(characters)
    try:
        yield
    finally:
        csv.field_size_limit(before)
