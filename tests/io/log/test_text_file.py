"""The access log's file: whole lines, durable, its owner's only."""

import logging
import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from turnstile.errors import ConfigError, LogError
from turnstile.io.log.text_file import MAX_TAIL_BYTES, LogFile
from turnstile.log.lines import Event


def a_line(seq: int) -> str:
    """Return the line of an event."""
    return f"2026-11-22T12:00:00.000+00:00  door  DENIED  unknown  0.7000  8/8  unknown  event=aaaa:{seq}"


def some_lines(*seqs: int) -> list[str]:
    """Return the lines of events."""
    return [a_line(seq) for seq in seqs]


def as_text(*lines: str) -> str:
    """Return lines as a file holds them."""
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the log is to be."""
    return tmp_path / "access_log.txt"


def test_lines_are_appended_and_found_again(path: Path) -> None:
    """What one process wrote, the next one reads on opening."""
    with closing(LogFile(path)) as file:
        assert file.open() == []
        file.append(some_lines(1, 2))
        file.append(some_lines(3))
    assert path.read_text() == as_text(*some_lines(1, 2, 3))
    with closing(LogFile(path)) as file:
        assert file.open() == some_lines(1, 2, 3)


def test_a_new_file_and_its_folder_are_made(tmp_path: Path) -> None:
    """The first start needs no preparation, and nobody but the owner can read the log."""
    path = tmp_path / "var" / "log" / "access_log.txt"
    with closing(LogFile(path)) as file:
        file.open()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_wider_permissions_are_taken_back_with_a_message(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A log that others could read is made the owner's, and the operator learns that it was open."""
    path.write_text(as_text(a_line(1)))
    path.chmod(0o644)
    with closing(LogFile(path)) as file:
        file.open()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "0644" in caplog.text


@pytest.mark.parametrize("torn", ["2", a_line(3)[:40], a_line(3), "2026\0\0\0", "\0" * 4096])
def test_a_torn_last_line_is_cut_off_and_said_once(
    path: Path, torn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one that lacks nothing but its end, because its number may have lost digits."""
    path.write_text(as_text(*some_lines(1, 2)) + torn)
    for _ in range(2):
        with closing(LogFile(path)) as file:
            assert file.open() == some_lines(1, 2)
    assert path.read_text() == as_text(*some_lines(1, 2))
    assert caplog.text.count("cut short") == 1


def test_a_file_of_one_torn_line_becomes_empty(path: Path) -> None:
    """The very first write was interrupted."""
    path.write_text(a_line(1)[:50])
    with closing(LogFile(path)) as file:
        assert file.open() == []
    assert path.read_bytes() == b""


@pytest.mark.parametrize("text", ["my notes", "site: home\ncameras: {}\n", "\x89PNG\r\n\x1a\n", "x" * 100])
def test_a_file_that_is_no_access_log_is_refused_and_left_alone(path: Path, text: str) -> None:
    """A wrong path in the site file must not damage what is there."""
    path.write_bytes(text.encode())
    mode = path.stat().st_mode
    with pytest.raises(ConfigError, match="not an access log"):
        LogFile(path).open()
    assert (path.read_bytes(), path.stat().st_mode) == (text.encode(), mode)


def test_a_device_is_refused(tmp_path: Path) -> None:
    """A pipe or device cannot say which events it has."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="not a plain file"):
        LogFile(pipe).open()


def test_a_folder_in_its_place_is_said_clearly(tmp_path: Path) -> None:
    """The message names the path and what the system says."""
    with pytest.raises(LogError, match=f"cannot write {tmp_path}: Is a directory"):
        LogFile(tmp_path).open()


def test_two_loggers_cannot_write_one_file(path: Path) -> None:
    """Each would log every event."""
    with closing(LogFile(path)) as first, closing(LogFile(path)) as second:
        first.open()
        with pytest.raises(LogError, match="another logger"):
            second.open()
        first.close()
        second.open()
        assert second.is_open


def test_only_the_end_of_a_long_log_is_read(path: Path) -> None:
    """Opening takes no longer after years, and begins with a whole line."""
    path.write_text(as_text(*some_lines(*range(30_000))))
    with closing(LogFile(path)) as file:
        lines = file.open()
    assert lines[-1] == a_line(29_999)
    assert a_line(29_999 - len(lines) + 1) == lines[0]
    assert 0 < MAX_TAIL_BYTES - len(as_text(*lines)) < len(a_line(29_999)) + 1


def test_a_file_that_was_moved_is_noticed_and_a_new_one_names_its_last_event(path: Path) -> None:
    """Logrotate's move: the old file keeps its lines, the new one goes on."""
    with closing(LogFile(path)) as file:
        file.open()
        file.append(some_lines(1))
        assert not file.was_moved()
        path.rename(path.with_suffix(".1"))
        assert file.was_moved()
        file.close()
        file.open(after=Event("aaaa", 1))
        assert not file.was_moved()
        file.append(some_lines(2))
    assert path.read_text() == as_text("# continues after event=aaaa:1", a_line(2))
    assert path.with_suffix(".1").read_text() == as_text(a_line(1))
    with closing(LogFile(path)) as file:
        assert file.open() == ["# continues after event=aaaa:1", a_line(2)]


def test_a_new_file_in_its_place_and_one_emptied_in_place_are_noticed(path: Path) -> None:
    """Logrotate's create and copytruncate."""
    with closing(LogFile(path)) as file:
        file.open()
        file.append(some_lines(1))
        path.rename(path.with_suffix(".1"))
        path.touch()
        assert file.was_moved()
        file.close()
        file.open(after=Event("aaaa", 1))
        path.write_text("")
        assert file.was_moved()


@contextmanager
def files_bounded_to(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_after_a_full_disk_the_lines_that_did_not_count_are_written_once(path: Path) -> None:
    """Some lines of the batch, and a part of one, had reached the file; none is doubled or torn."""
    room = len(as_text(*some_lines(1, 2))) + 20
    with closing(LogFile(path)) as file:
        file.open()
        file.append(some_lines(1))
        with files_bounded_to(room):
            with pytest.raises(LogError, match="disk is probably full"):
                file.append(some_lines(2, 3, 4))
            assert not file.is_open
        assert path.stat().st_size == room
        assert file.open(after=Event("aaaa", 1)) == some_lines(1)
        file.append(some_lines(2, 3, 4))
    assert path.read_text() == as_text(*some_lines(1, 2, 3, 4))


def test_the_repair_is_quiet_about_lines_that_are_written_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed write is no crash; only the failure is reported."""
    caplog.set_level(logging.INFO)
    with closing(LogFile(path)) as file:
        file.open()
        with files_bounded_to(10), pytest.raises(LogError):
            file.append(some_lines(1))
        file.open()
    assert caplog.text == ""
