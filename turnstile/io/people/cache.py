"""Encodings of enrolment pictures, kept on disk.

A file is named by its picture's hash. It holds a digest of the engine, that hash, the maker and the encoding,
then the encoding, the maker and what the face looks like. So what a power failure or a hand left there is
noticed, also the encoding of another picture. The maker is the public key of the recognizer that made it;
none on a bus without keys.
"""

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import NamedTuple

import msgspec

from turnstile.files.private import close_to_others
from turnstile.files.whole import write_whole
from turnstile.people.encodings import is_encoding
from turnstile.protocol.fields import ENCODING_BYTES, Looks

_DIGEST_BYTES = 32

log = logging.getLogger("turnstile")


class Made(NamedTuple):
    """An encoding, the key of the recognizer that made it, and what the face looks like."""

    encoding: bytes
    maker: str = ""
    looks: Looks | None = None
    """`None` of one made before November 2026."""


class EncodingCache:
    """Encodings on disk, by picture hash, in a folder for each engine that only its owner can read.

    Attributes:
        makers: the keys whose encodings are used; `None` when the bus has no keys, and all are.
    """

    def __init__(self, folder: Path, engine: str) -> None:
        self._folder = folder / engine.replace("/", "-")
        self._engine = engine
        self.makers: frozenset[str] | None = None
        self._failed = self._closed = self._distrusted = False
        self._reported: set[str] = set()

    def get(self, digest: str) -> bytes | None:
        """Return the encoding of a picture; `None` if there is none that is sound and trusted."""
        made = self.find(digest)
        return None if made is None else made.encoding

    def find(self, digest: str) -> Made | None:
        """Return the encoding of a picture and its maker; why one that is there is not used is said."""
        path = self._folder / f"{digest}.f32"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            if not self._closed:  # the same for all files, as for a user who may not read them
                log.warning("encoding cache %s cannot be read: %s", self._folder, error.strerror)
            self._closed = True
            return None
        seal, rest = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        made = _read(rest)
        if seal == self._seal(digest, made) and is_encoding(made.encoding):
            return made if self._trusts(made) else None
        if len(data) != ENCODING_BYTES or not any(data):  # else of a version that kept the encoding alone
            self._report(path, f"its {len(data)} bytes are not what was written")
        return None

    def put(self, digest: str, encoding: bytes, maker: str = "", looks: Looks | None = None) -> None:
        """Keep an encoding; a disk that cannot be written to costs only the next start's time."""
        path = self._folder / f"{digest}.f32"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            close_to_others(self._folder)
            made = Made(encoding, maker, looks)
            write_whole(path, self._seal(digest, made) + encoding + _tail(made), durable=True)
        except OSError as error:
            if not self._failed:
                log.warning("encoding cache %s cannot be written: %s", self._folder, error.strerror)
            self._failed = True
        else:
            self._failed = False
            self._reported.discard(path.name)

    def _trusts(self, made: Made) -> bool:
        if self.makers is None or made.maker in self.makers:
            return True
        if not self._distrusted:
            log.warning(
                "some cached encodings are not used: the recognizers that made them have no key now, or had "
                "none then; their pictures are encoded again"
            )
        self._distrusted = True
        return False

    def _seal(self, digest: str, made: Made) -> bytes:
        about = f"{self._engine} {digest} {made.maker and f'{made.maker} '}"
        shown = b"" if made.looks is None else msgspec.msgpack.encode(made.looks)
        return hashlib.sha256(about.encode() + made.encoding + shown).digest()

    def _report(self, path: Path, why: str) -> None:
        if path.name not in self._reported:
            self._reported.add(path.name)
            log.warning("cached encoding %s is not used: %s; the picture is encoded again", path, why)


def _tail(made: Made) -> bytes:
    """Return what follows the encoding; a key has no zero byte."""
    return made.maker.encode() + (b"" if made.looks is None else b"\0" + msgspec.msgpack.encode(made.looks))


def _read(data: bytes) -> Made:
    """Return what a file holds after its digest."""
    encoding, (maker, zero, looks) = data[:ENCODING_BYTES], data[ENCODING_BYTES:].partition(b"\0")
    shown: Looks | None = None
    with contextlib.suppress(msgspec.MsgspecError):
        shown = msgspec.msgpack.decode(looks, type=Looks) if zero else None
    return Made(encoding, maker.decode(errors="replace"), shown)
