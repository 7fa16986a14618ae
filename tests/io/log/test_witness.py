"""The witness: heads are appended to a file of heads, and to no other."""

from pathlib import Path

import pytest

from turnstile.io.log.witness import MAX_BYTES, Witness, read
from turnstile.log.chain import Head

HEADS = [Head(number, bytes([number]) * 32) for number in (1, 2)]


def test_heads_are_kept_for_their_owner_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that was open to others is closed, and that is said."""
    path = tmp_path / "away" / "heads.txt"
    Witness(path, "office/logger").keep(HEADS[0])
    path.chmod(0o644)
    Witness(path, "office/logger").keep(HEADS[1])
    assert [kept.head for kept in read(path, "office/logger")] == HEADS
    assert path.stat().st_mode & 0o777 == 0o600
    assert "was open to others (mode 0644)" in caplog.text


def test_a_line_that_was_cut_short_is_still_ours(tmp_path: Path) -> None:
    """The next head begins a line of its own."""
    path = tmp_path / "heads.txt"
    Witness(path, "office/logger").keep(HEADS[0])
    path.write_bytes(path.read_bytes()[:-10])
    Witness(path, "office/logger").keep(HEADS[1])
    assert [kept.head for kept in read(path, "office/logger")] == HEADS[1:]


def test_somebody_elses_file_is_not_appended_to(tmp_path: Path) -> None:
    """It is trouble that says which file to name."""
    path = tmp_path / "diary"
    path.write_bytes(b"Dear diary,\nit is 2026-11-25.\n")
    path.chmod(0o644)
    witness = Witness(path, "office/logger")
    witness.keep(HEADS[0])
    assert "it holds something that is no witness; name another file" in witness.trouble
    assert path.read_bytes() == b"Dear diary,\nit is 2026-11-25.\n"
    assert path.stat().st_mode & 0o777 == 0o644


def test_of_a_long_file_the_newest_heads_are_read(tmp_path: Path) -> None:
    """Those that came last show whether the end was cut off."""
    path, last = tmp_path / "heads.txt", tmp_path / "last.txt"
    for one, head in zip((path, last), HEADS, strict=True):
        Witness(one, "office/logger").keep(head)
    path.write_bytes(path.read_bytes() + b"x" * MAX_BYTES + b"\n" + last.read_bytes())
    assert [kept.head for kept in read(path, "office/logger")] == HEADS[1:]
