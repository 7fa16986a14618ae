"""Files for their owner only."""

import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from turnstile.files.private import close_to_others, open_plain, write_all


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o755])
def test_what_was_open_to_others_is_closed_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    """Once: it is closed then."""
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    close_to_others(path)
    close_to_others(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode & 0o700
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} was open to others (mode {mode:04o}); it is its owner's only now ({mode & 0o700:04o})"
    ]


def test_what_is_not_there_is_open_to_nobody(tmp_path: Path) -> None:
    """SQLite's side files come and go."""
    close_to_others(tmp_path / "absent")


def test_a_pipe_and_a_folder_are_no_files(tmp_path: Path) -> None:
    """Nobody waits for the other end of a pipe."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(OSError, match=r"not a plain file|directory|No such device"):
            open_plain(tmp_path / name, os.O_WRONLY)


def test_a_short_write_is_noticed_and_undone(tmp_path: Path) -> None:
    """As on a disk that fills up."""
    descriptor = open_plain(tmp_path / "file", os.O_WRONLY | os.O_APPEND)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        write_all(descriptor, b"whole")
        resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
        with pytest.raises(OSError, match="only 3 of 9 bytes could be written; the disk is probably full"):
            write_all(descriptor, b"cut short")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
        os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"whole"
