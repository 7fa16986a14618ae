"""The recording of results that `turnstile replay` reads: appended to by the broker, if the site wants one.

Each record is its length in four bytes, the most significant first, and that many bytes. Encodings are in
it, so only its owner can read it. When it has grown to `MAX_BYTES`, it becomes ``<name>.1``, and the one that
bore that name before is gone.
"""

import errno
import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from turnstile.access.replay import AnyRecord, decode
from turnstile.errors import ConfigError, WireError
from turnstile.files.private import close_to_others, open_plain, write_all
from turnstile.files.reading import is_absent, read_file, why

MAX_BYTES = 500 * 2**20
"""One face at ten results a second is 8 kB/s: 17 hours of somebody in view."""

MAX_RECORD_BYTES = 4 * 2**20

_LENGTH = struct.Struct(">I")
_TAG_FIELD, _TAGS, _TAG_AT = b"\xa1t", (b"taken/", b"told/"), slice(4, 10)
"""How records begin as MessagePack, after a byte with the number of their fields."""

log = logging.getLogger("turnstile")


class ResultFile:
    """Appends records. A file that cannot be written is said once, and holds nothing up."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.problem = ""
        """Why nothing is recorded, in words; empty while it is."""
        self._path, self._max_bytes = path, max_bytes
        self._file: int | None = None
        self._bytes = 0
        self._open()

    def write(self, body: bytes) -> None:
        """Append a record."""
        if self._file is None:
            return
        try:
            if not os.fstat(self._file).st_nlink:  # removed, as `turnstile erase` advises
                self.close()
                self._open()
            if self._bytes >= self._max_bytes:
                self._rotate()
            if self._file is not None:
                write_all(self._file, _LENGTH.pack(len(body)) + body)
                self._bytes += _LENGTH.size + len(body)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Stop recording."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> None:
        try:
            self._file = open_plain(self._path, os.O_RDWR | os.O_APPEND)
            refuse_foreign(self._path)
            close_to_others(self._path)
            whole = _whole_bytes(self._path)
            os.ftruncate(self._file, whole)
            self._bytes = whole
        except OSError as error:
            self._give_up(error)

    def _rotate(self) -> None:
        older = self._path.with_name(f"{self._path.name}.1")
        if not is_absent(older):
            refuse_foreign(older)
        self.close()
        self._path.replace(older)
        self._open()

    def _give_up(self, error: OSError) -> None:
        self.problem = f"results are not recorded, {self._path} cannot be written: {error.strerror}"
        log.warning("%s", self.problem)
        self.close()


def read(path: Path) -> Iterator[AnyRecord]:
    """Give the records of a recording and of the one before it, oldest first; a torn end is left out.

    Raises:
        ConfigError: there is no recording, or it is something else; the text says where.
    """
    files = [one for one in (path.with_name(f"{path.name}.1"), path) if not _is_absent(one)]
    if not files:
        raise ConfigError(f"{path}: there is no recording; a site makes one when it has decision.record")
    if all(file.is_file() and not file.stat().st_size for file in files):
        raise ConfigError(f"{path}: nothing is recorded in it yet")
    for file in files:
        yield from _read_one(file)


def _is_absent(path: Path) -> bool:
    try:
        return is_absent(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be looked at: {why(error, about=path)}") from error


def _read_one(path: Path) -> Iterator[AnyRecord]:
    try:
        refuse_foreign(path)
        with path.open("rb") as file:
            while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
                (length,) = _LENGTH.unpack(head)
                body = file.read(min(length, MAX_RECORD_BYTES))
                if len(body) < length <= MAX_RECORD_BYTES:
                    return
                yield decode(body)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except WireError as error:
        raise ConfigError(f"{path}: {error}") from error


def refuse_foreign(path: Path) -> None:
    """Leave alone what no broker wrote.

    Raises:
        OSError: the file is something else, or cannot be read.
    """
    begin = read_file(path, at_most=_LENGTH.size + _TAG_AT.stop)
    record = begin[_LENGTH.size :]
    ours = record[1:3] == _TAG_FIELD and record[_TAG_AT].startswith(_TAGS)
    if begin and not ours:
        words = "it holds something that is no recording, and is left as it is; name another file"
        raise OSError(errno.EEXIST, words)


def _whole_bytes(path: Path) -> int:
    """Return how many bytes the whole records at the beginning of a file have."""
    whole, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            end = whole + _LENGTH.size + _LENGTH.unpack(head)[0]
            if end > size:
                break
            file.seek(end)
            whole = end
    return whole
