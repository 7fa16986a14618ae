"""The access log's file: appended to only, readable by its owner only, whole lines only.

The file itself says which events it has, so there is no second file that could disagree with it: on opening,
a last line that a crash cut short is removed, and the lines before it are returned. A file that rotation
moved away is opened anew under its name. The new one begins with a remark that names the last event of the
old.

After a failed write or fsync nothing is known about what reached the disk, and a second fsync on the same
descriptor would claim success (https://wiki.postgresql.org/wiki/Fsync_Errors). So the file is closed, and on
opening it again everything after the last successful fsync is cut off, to be written again.
"""

import fcntl
import logging
import os
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

from turnstile.counts import counted
from turnstile.errors import ConfigError, LogError
from turnstile.files.private import close_to_others
from turnstile.files.whole import sync_folder
from turnstile.log.lines import Event, continuation, event_of, may_begin_line

MAX_TAIL_BYTES = 2 * 2**20
"""How much of the end of the file is read on opening: about 14,000 visits."""

log = logging.getLogger("turnstile")


class _Durable(NamedTuple):
    """What is known to be on the disk."""

    device: int
    inode: int
    size: int


class LogFile:
    """One access log that one process appends to."""

    def __init__(self, path: Path) -> None:
        """Name the file; `open` opens it."""
        self._path = path
        self._fd = -1
        self._durable: _Durable | None = None
        self._failed = False

    @property
    def is_open(self) -> bool:
        """Tell whether lines can be appended."""
        return self._fd >= 0

    def open(self, *, after: Event | None = None) -> list[str]:
        """Open or create the file, repair its end and its permissions, and return its last lines.

        Args:
            after: the last event logged before; an empty file then begins by naming it.

        Raises:
            LogError: the file cannot be opened, locked or written to.
            ConfigError: it holds something that is not an access log, and is left as it is.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._claim()
            lines = self._repaired()
            close_to_others(self._path)
            if not lines and after is not None:
                self._write(continuation(after))
            os.fsync(self._fd)
            sync_folder(self._path.parent)
        except OSError as error:
            self._give_up(error)
        except (ConfigError, LogError):
            self.close()
            raise
        self._note_durable()
        return lines

    def append(self, lines: Sequence[str]) -> None:
        """Write lines, each with one write, and return when they are on the disk.

        Raises:
            LogError: the disk is full or fails; the file is closed, and none of `lines` counts as written.
        """
        try:
            for line in lines:
                self._write(line)
            os.fsync(self._fd)
        except OSError as error:
            self._give_up(error)
        self._note_durable()

    def move_aside(self) -> Path:
        """Give the file a name as rotation would, close it, and return the name.

        Raises:
            LogError: it cannot be renamed.
        """
        aside = self._path.with_name(f"{self._path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        try:
            self._path.rename(aside)
            sync_folder(self._path.parent)
        except OSError as error:
            self._give_up(error)
        self.close()
        return aside

    def was_moved(self) -> bool:
        """Tell whether the open file is no longer the one of that name, or was emptied in place."""
        if self._durable is None:
            return False
        try:
            found = self._path.stat()
        except OSError:
            return True
        same = (found.st_dev, found.st_ino) == (self._durable.device, self._durable.inode)
        return not same or found.st_size < self._durable.size

    def close(self) -> None:
        """Let go of the file; what was appended is on the disk already."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _claim(self) -> None:
        """Make sure that the file is a plain one, and that nobody else writes it."""
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{self._path} is not a plain file; name another one for the access log")
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LogError(f"cannot write {self._path}: another logger is writing it") from error

    def _repaired(self) -> list[str]:
        """Cut off what is not a whole line, and return the last whole ones."""
        size = os.fstat(self._fd).st_size
        if self._failed and self._durable is not None and self._is_same_file() and size > self._durable.size:
            os.ftruncate(self._fd, self._durable.size)
            size = self._durable.size
        self._failed = False
        lines, torn = _last_lines(self._fd, size)
        _refuse_what_is_no_log(self._path, lines, torn)
        if torn:
            os.ftruncate(self._fd, size - len(torn))
            log.warning(
                "%s: the last line was cut short by a crash (%s); it is removed",
                self._path,
                counted(len(torn), "byte"),
            )
        return lines

    def _is_same_file(self) -> bool:
        found = os.fstat(self._fd)
        return self._durable is not None and (found.st_dev, found.st_ino) == self._durable[:2]

    def _write(self, line: str) -> None:
        data = f"{line}\n".encode()
        written = os.write(self._fd, data)
        if written != len(data):
            raise OSError(
                None, f"only {written} of {len(data)} bytes could be written; the disk is probably full"
            )

    def _note_durable(self) -> None:
        found = os.fstat(self._fd)
        self._durable = _Durable(found.st_dev, found.st_ino, found.st_size)

    def _give_up(self, error: OSError) -> NoReturn:
        self.close()
        self._failed = True
        raise LogError(f"cannot write {self._path}: {error.strerror}") from error


def refuse_foreign(path: Path) -> None:
    """Leave alone what no logger wrote.

    Raises:
        ConfigError: the file is something else.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is not a plain file; name another one for the access log")
    with path.open("rb") as file:
        _refuse_what_is_no_log(path, *_last_lines(file.fileno(), os.fstat(file.fileno()).st_size))


def _last_lines(descriptor: int, size: int) -> tuple[list[str], bytes]:
    """Return the last whole lines of a file, and what stands behind them."""
    begin = max(0, size - MAX_TAIL_BYTES)
    whole, newline, torn = os.pread(descriptor, size - begin, begin).rpartition(b"\n")
    lines = whole.decode(errors="replace").split("\n") if newline else []
    return lines[1:] if begin else lines, torn


def _refuse_what_is_no_log(path: Path, lines: Sequence[str], torn: bytes) -> None:
    """Leave alone what no logger wrote. A power cut may leave zeros at the end of a file."""
    if lines:
        ours = any(event_of(line) is not None for line in lines)
    else:
        ours = may_begin_line(torn.rstrip(b"\0").decode(errors="replace"))
    if not ours:
        raise ConfigError(f"{path} holds something that is not an access log; name another file for the log")
