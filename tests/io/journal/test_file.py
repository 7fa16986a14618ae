"""The journal's file is its owner's only, and nobody else's database."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.flips import FlippedJournal, outcomes_of_a_sample
from turnstile.errors import JournalError
from turnstile.io.journal.file import open_journal


def test_a_journal_that_was_open_to_others_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its write-ahead log: encodings, names and pictures are in both."""
    path = tmp_path / "journal.db"
    open_journal(path).close()
    path.chmod(0o644)
    with closing(open_journal(path)):
        modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "journal.db-wal" in modes
    assert f"{path} was open to others (mode 0644); it is its owner's only now (0600)" in caplog.text


def test_the_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    """No table is added to it, and its mode stays."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(JournalError, match="it is a database of something else; name another journal"):
        open_journal(path)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (before, 0o644)


def test_a_flipped_bit_is_noticed_or_harmless(tmp_path: Path) -> None:
    """A sample of the bits in use: the broker or the log says so, or all is as it was."""
    assert outcomes_of_a_sample(FlippedJournal(tmp_path), flips=100) == {"noticed", "harmless"}
