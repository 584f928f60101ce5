import errno
import os
import stat
from pathlib import Path

import pytest

from taxon_model_server.prediction_log.spool import Spool, SpoolFull, SpoolUnusable

MEBIBYTE = 2**20


def test_segments_come_back_oldest_first(tmp_path: Path) -> None:
    """What was appended is on disk, one segment per append, in order."""
    spool = Spool(tmp_path, max_bytes=MEBIBYTE)
    for text in ("first", "second"):
        spool.append([text, "more"])

    assert [path.read_text() for path in spool.segments()] == ["first\nmore\n", "second\nmore\n"]


def test_a_later_process_finds_what_an_earlier_one_left(tmp_path: Path) -> None:
    """A new spool over the folder has the old segments and never writes over them."""
    earlier = Spool(tmp_path, max_bytes=MEBIBYTE)
    earlier.append(["old"])
    earlier.close()
    later = Spool(tmp_path, max_bytes=MEBIBYTE)
    later.append(["new"])

    assert [path.read_text() for path in later.segments()] == ["old\n", "new\n"]


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
    spool.append(["x"])

    assert [path.name for path in spool.segments()] == ["000000000001.jsonl"]


def test_a_full_spool_takes_no_more_until_it_is_emptied(tmp_path: Path) -> None:
    """At its size the spool refuses, also after a restart; removing makes room."""
    first = Spool(tmp_path, max_bytes=30)
    first.append(["x" * 20])
    first.close()
    spool = Spool(tmp_path, max_bytes=30)
    with pytest.raises(SpoolFull):
        spool.append(["y" * 20])
    spool.remove(spool.segments()[0])
    spool.append(["y" * 20])

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
        spool.append([text])

    assert [path.read_text() for path in spool.segments()] == ["first\n", "second\n"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A segment the disk does not take leaves no part of itself."""
    spool = Spool(tmp_path / "spool", max_bytes=MEBIBYTE)
    (tmp_path / "spool" / "000000000001.jsonl").mkdir()
    with pytest.raises(OSError, match="directory"):
        spool.append(["x"])

    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["000000000001.jsonl"]
