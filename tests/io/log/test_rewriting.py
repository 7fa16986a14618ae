"""Rewriting the text of a log: only what is text, and nothing but its lines."""

import gzip
import lzma
import os
import stat
from pathlib import Path

import pytest

from turnstile.errors import LogError
from turnstile.io.log.rewriting import log_files, rewrite

SOMEBODY = 65_534
"""A user and a group that own nothing here."""


def shouted(line: str) -> str | None:
    """Change lines with an a, and remove those with a b."""
    return None if "b" in line else line.replace("a", "A")


def test_lines_change_and_the_owner_and_mode_stay(tmp_path: Path) -> None:
    """Root's command leaves the logger's file to the logger."""
    file = tmp_path / "access_log.txt"
    file.write_bytes(b"a\nb\nc\n")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, SOMEBODY, SOMEBODY)
    before = file.stat()
    assert rewrite(file, shouted) == 2
    after = file.stat()
    assert file.read_bytes() == b"A\nc\n"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"a\nnote", b"A\nnote"), (b"a", b"A"), (b"a\r\nb\r\nc\r\n", b"A\r\nc\r\n"), (b"\n\na\n", b"\n\nA\n")],
)
def test_line_ends_stay_as_they_are(tmp_path: Path, before: bytes, after: bytes) -> None:
    """A last line without one is a line like any other."""
    file = tmp_path / "file"
    file.write_bytes(before)
    rewrite(file, shouted)
    assert file.read_bytes() == after


def test_gzip_stays_gzip_whatever_its_name(tmp_path: Path) -> None:
    """Of several members, too."""
    file = tmp_path / "access_log.txt.1"
    file.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"c\n"))
    assert rewrite(file, shouted) == 1
    assert gzip.decompress(file.read_bytes()) == b"A\nc\n"


@pytest.mark.parametrize(
    "data",
    [
        lzma.compress(b"a\nb\n"),
        b"a\n\xff\n",
        b"\x28\xb5\x2f\xfd\x00\x01a",
        gzip.compress(b"a\n" * 9)[:-9],
        gzip.compress(b"a\n") + b"more",
        gzip.compress(lzma.compress(b"a\n")),
    ],
    ids=["xz", "damaged text", "zstd", "cut gzip", "gzip and more", "xz in gzip"],
)
def test_what_is_no_text_is_left_byte_for_byte(tmp_path: Path, data: bytes) -> None:
    """And named, as it may hold what was to be changed."""
    file = tmp_path / "access_log.txt.3.xz"
    file.write_bytes(data)
    with pytest.raises(LogError, match=r"access_log.txt.3.xz is left as it is: .+"):
        rewrite(file, shouted)
    assert file.read_bytes() == data


def test_a_folder_is_named_and_not_touched(tmp_path: Path) -> None:
    """A logger's folder may hold one under such a name."""
    folder = tmp_path / "access_log.txt.old"
    folder.mkdir()
    assert log_files(tmp_path / "access_log.txt") == [folder]
    with pytest.raises(LogError, match="Is a directory"):
        rewrite(folder, shouted)


def test_a_link_stays_one(tmp_path: Path) -> None:
    """What it leads to is rewritten."""
    target, link = tmp_path / "target", tmp_path / "access_log.txt"
    target.write_bytes(b"a\n")
    link.symlink_to(target)
    rewrite(link, shouted)
    assert (link.is_symlink(), target.read_bytes()) == (True, b"A\n")


def test_a_dry_run_only_counts(tmp_path: Path) -> None:
    """The file is the same one afterwards."""
    file = tmp_path / "access_log.txt"
    file.write_bytes(b"a\nc\n")
    before = file.stat()
    assert rewrite(file, shouted, dry_run=True) == 1
    assert (file.read_bytes(), file.stat()) == (b"a\nc\n", before)


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    """To be unable to look is not to find nothing."""
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot be looked into: Not a directory"):
        log_files(tmp_path / "file" / "access_log.txt")
    assert log_files(tmp_path / "absent" / "access_log.txt") == []
    assert stat.S_ISREG((tmp_path / "file").stat().st_mode)
