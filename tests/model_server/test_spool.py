import errno
import os
import stat
from pathlib import Path

import pytest

from taxon_datastore.rows import (
    LABEL_COLUMNS,
    PREDICTION_COLUMNS,
    Rows,
    Signature,
    SignatureColumn,
)
from taxon_model_server.prediction_log.segments import Unreadable, read_segment, write_segment
from taxon_model_server.prediction_log.spool import Spool, SpoolFull, SpoolUnusable

MEBIBYTE = 2**20


def rows(payload: str, count: int = 1) -> Rows:
    """Return rows of any content."""
    return Rows("labels", LABEL_COLUMNS, count, payload.encode())


def contents(spool: Spool) -> list[str]:
    """Return the rows of each segment."""
    return [read_segment(path).payload.decode() for path in spool.segments()]


def test_segments_come_back_oldest_first(tmp_path: Path) -> None:
    """What was appended is on disk, one segment per append, in order."""
    spool = Spool(tmp_path, max_bytes=MEBIBYTE)
    for text in ("first", "second"):
        spool.append(rows(text))

    assert contents(spool) == ["first", "second"]


def test_a_later_process_finds_what_an_earlier_one_left(tmp_path: Path) -> None:
    """A new spool over the folder has the old segments and never writes over them."""
    earlier = Spool(tmp_path, max_bytes=MEBIBYTE)
    earlier.append(rows("old"))
    earlier.close()
    later = Spool(tmp_path, max_bytes=MEBIBYTE)
    later.append(rows("new"))

    assert contents(later) == ["old", "new"]


def test_a_half_written_segment_is_no_segment(tmp_path: Path) -> None:
    """What a crash left half written is removed, not shipped."""
    (tmp_path / "000000000001.partial").write_text('{"half')
    spool = Spool(tmp_path, max_bytes=MEBIBYTE)

    assert list(tmp_path.iterdir()) == []
    assert spool.segments() == []


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A file that only resembles a segment is neither shipped nor removed."""
    (tmp_path / "notes.jsonl").touch()
    spool = Spool(tmp_path, max_bytes=MEBIBYTE)
    spool.append(rows("x"))

    assert [path.name for path in spool.segments()] == ["000000000001.rows"]


def test_a_full_spool_takes_no_more_until_it_is_emptied(tmp_path: Path) -> None:
    """At its size the spool refuses, also after a restart; removing makes room."""
    enough_for_one = 3 * len(write_segment(rows("y" * 20))) // 2
    first = Spool(tmp_path, max_bytes=enough_for_one)
    first.append(rows("x" * 20))
    first.close()
    spool = Spool(tmp_path, max_bytes=enough_for_one)
    with pytest.raises(SpoolFull):
        spool.append(rows("y" * 20))
    spool.remove(spool.segments()[0])
    spool.append(rows("y" * 20))

    assert len(spool.segments()) == 1


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    """A folder another server uses is refused with the setting that chooses another."""
    spool = Spool(tmp_path, max_bytes=MEBIBYTE)
    with pytest.raises(SpoolUnusable, match=f"uses the spool folder {tmp_path}.*--spool-folder"):
        Spool(tmp_path, max_bytes=MEBIBYTE)
    spool.close()

    Spool(tmp_path, max_bytes=MEBIBYTE).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A folder that cannot be used is refused with its name and the reason."""
    (tmp_path / "file").touch()

    with pytest.raises(SpoolUnusable, match=r"file/spool cannot be used \(Not a directory\)"):
        Spool(tmp_path / "file" / "spool", max_bytes=MEBIBYTE)


def test_a_folder_that_does_not_sync_keeps_the_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When only the folder cannot be flushed, the segment is kept; the next has its own name."""
    spool = Spool(tmp_path, max_bytes=MEBIBYTE)
    flush = os.fsync

    def files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "no")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    for text in ("first", "second"):
        spool.append(rows(text))

    assert contents(spool) == ["first", "second"]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment the disk does not take leaves no part of itself."""
    spool = Spool(tmp_path, max_bytes=MEBIBYTE)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        spool.append(rows("x"))

    assert list(tmp_path.iterdir()) == []


def test_a_segment_never_takes_the_place_of_another(tmp_path: Path) -> None:
    """A file that appeared under the next number stays as it is."""
    spool = Spool(tmp_path, max_bytes=MEBIBYTE)
    (tmp_path / "000000000001.rows").write_bytes(write_segment(rows("strange")))
    spool.append(rows("own"))

    assert contents(spool) == ["strange", "own"]


def test_a_number_that_was_set_aside_is_not_used_again(tmp_path: Path) -> None:
    """After a restart a new segment cannot replace one that is kept for a person."""
    earlier = Spool(tmp_path, max_bytes=MEBIBYTE)
    earlier.append(rows("odd"))
    earlier.set_aside(earlier.segments()[0])
    earlier.close()
    later = Spool(tmp_path, max_bytes=MEBIBYTE)
    later.append(rows("new"))

    assert [path.name for path in later.segments()] == ["000000000002.rows"]
    assert [path.name for path in later.aside.folder.iterdir()] == ["000000000001.rows"]


def test_what_is_set_aside_is_bounded(tmp_path: Path) -> None:
    """The oldest make room for the newest, and their rows are said."""
    size = len(write_segment(rows("x" * 100, count=3)))
    spool = Spool(tmp_path, max_bytes=10 * size)
    removed = []
    for _ in range(4):
        spool.append(rows("x" * 100, count=3))
        removed.append(spool.set_aside(spool.segments()[0]))

    assert removed == [0, 0, 3, 3]
    assert [path.stem[-1] for path in sorted(spool.aside.folder.iterdir())] == ["3", "4"]
    assert spool.aside.size == 2 * size


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "it has no header", id="empty"),
        pytest.param(b"\xff\xfe\n", "it has no header", id="not text"),
        pytest.param(b"[]\n", "it has no header", id="not an object"),
        pytest.param(b'{"format": 2}\n', "its format is 2, of a newer release", id="newer"),
        pytest.param(write_segment(rows("rows"))[:-1], "it has 3 bytes of rows", id="cut off"),
        pytest.param(
            write_segment(rows("rows"))[:-1] + b"S", "its checksum is wrong", id="changed"
        ),
    ],
)
def test_a_segment_that_cannot_be_used_says_why(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    """A damaged one and one of a newer release differ from one that can be stored."""
    path = tmp_path / "000000000001.rows"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=reason):
        read_segment(path)


def test_a_segment_has_its_signatures(tmp_path: Path) -> None:
    """What arrays stand for travels with them."""
    columns = (SignatureColumn("age", "Numeric"), SignatureColumn("port", "Categorical"))
    signature = Signature("default", "small", "v0123456789", columns, 30)
    kept = Rows("predictions", PREDICTION_COLUMNS, 1, b"rows", (signature,))
    spool = Spool(tmp_path, max_bytes=MEBIBYTE)
    spool.append(kept)

    assert read_segment(spool.segments()[0]) == kept
