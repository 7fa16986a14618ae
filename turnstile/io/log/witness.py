"""Heads of the chain in a file of their own, which should lie where the logger's disk does not.

A line a head: time, log, number, hash. The file is only appended to. A chain alone does not show that its end
was cut off or that all of it was written anew; a head that was kept does.
"""

import errno
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from turnstile.errors import LogError
from turnstile.files.private import close_to_others, open_plain, write_all
from turnstile.files.reading import read_file
from turnstile.log.chain import START, Head
from turnstile.log.inspection import KeptHead

PERIOD_S = 60.0
"""A head is kept so often, if there is a new one, and when the logger stops."""

MAX_BYTES = 64 * 2**20
"""Read of a file, its end: the newest heads of about a year. They vouch for what the older ones did."""

_MAX_LINE_BYTES = 2048
_HEAD = re.compile(r"\d{4}-\d\d-\d\dT\S+  \S+  \d+  [0-9a-f]")
"""How a line begins, be it cut short."""


class Witness:
    """A file of heads, for one log.

    Attributes:
        trouble: why the newest head could not be kept; empty when it could.
    """

    def __init__(self, path: Path, log: str) -> None:
        self.trouble = ""
        self._path, self._log = path, log
        self._kept = START
        self._keep_at = 0.0

    def keep_if_due(self, head: Head) -> None:
        """Keep a head if it is new and the last one is a minute old."""
        if time.monotonic() >= self._keep_at:
            self.keep(head)

    def keep(self, head: Head) -> None:
        """Keep a head, durably; a file that cannot be written is `trouble`, not an error."""
        if head == self._kept:
            return
        self._keep_at = time.monotonic() + PERIOD_S
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = f"{now}  {self._log}  {head.number}  {head.hash.hex()}\n"
        try:
            descriptor = open_plain(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                refuse_foreign(self._path)
                close_to_others(self._path)
                write_all(descriptor, f"\n{line}".encode() if _is_torn(self._path) else line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            self.trouble = f"the witness {self._path} cannot be written: {error.strerror}"
            return
        self._kept, self.trouble = head, ""


def read(path: Path, log: str) -> Iterator[KeptHead]:
    """Give the heads of a log that a file holds, each with where and when it was kept.

    A line that a crash cut short is passed over.

    Raises:
        LogError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MAX_BYTES))
            text = file.read(MAX_BYTES).decode(errors="replace")
    except OSError as error:
        raise LogError(f"the witness {path} cannot be read: {error.strerror}") from error
    for line in text.split("\n"):
        fields = line.split("  ")
        if len(fields) == 4 and fields[1] == log and fields[2].isdecimal() and len(fields[3]) == 64:
            try:
                head = Head(int(fields[2]), bytes.fromhex(fields[3]))
                at_ns = round(datetime.fromisoformat(fields[0]).timestamp() * 1e9)
                yield KeptHead(head, f"{path} kept at {fields[0]}", at_ns)
            except ValueError:
                continue


def refuse_foreign(path: Path) -> None:
    """Leave alone what no logger wrote.

    Raises:
        OSError: the file is something else, or cannot be read.
    """
    begin = read_file(path, at_most=_MAX_LINE_BYTES).decode(errors="replace")
    if begin and not any(_HEAD.match(line) for line in begin.split("\n")):
        raise OSError(errno.EEXIST, "it holds something that is no witness; name another file")


def _is_torn(path: Path) -> bool:
    size = path.stat().st_size
    if not size:
        return False
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) != b"\n"
