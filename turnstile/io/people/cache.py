"""Encodings of enrolment pictures, kept on disk.

A file is named by its picture's hash. It holds a digest of the engine, that hash and the encoding, and then
the encoding. So what a power failure or a hand left there is noticed, also the encoding of another picture.
"""

import hashlib
import logging
from pathlib import Path

from turnstile.files.private import close_to_others
from turnstile.files.whole import write_whole
from turnstile.people.encodings import is_encoding
from turnstile.protocol.fields import ENCODING_BYTES

_DIGEST_BYTES = 32

log = logging.getLogger("turnstile")


class EncodingCache:
    """Encodings on disk, by picture hash, in a folder for each engine that only its owner can read."""

    def __init__(self, folder: Path, engine: str) -> None:
        self._folder = folder / engine.replace("/", "-")
        self._engine = engine
        self._failed = self._closed = False
        self._reported: set[str] = set()

    def get(self, digest: str) -> bytes | None:
        """Return the encoding of a picture; `None` if there is none, or none that is sound, which is said."""
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
        seal, encoding = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if seal == self._seal(digest, encoding) and is_encoding(encoding):
            return encoding
        if len(data) != ENCODING_BYTES or not any(data):  # else of a version that kept the encoding alone
            self._report(path, f"its {len(data)} bytes are not what was written")
        return None

    def put(self, digest: str, encoding: bytes) -> None:
        """Keep an encoding; a disk that cannot be written to costs only the next start's time."""
        path = self._folder / f"{digest}.f32"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            close_to_others(self._folder)
            write_whole(path, self._seal(digest, encoding) + encoding, durable=True)
        except OSError as error:
            if not self._failed:
                log.warning("encoding cache %s cannot be written: %s", self._folder, error.strerror)
            self._failed = True
        else:
            self._failed = False
            self._reported.discard(path.name)

    def _seal(self, digest: str, encoding: bytes) -> bytes:
        return hashlib.sha256(f"{self._engine} {digest} ".encode() + encoding).digest()

    def _report(self, path: Path, why: str) -> None:
        if path.name not in self._reported:
            self._reported.add(path.name)
            log.warning("cached encoding %s is not used: %s; the picture is encoded again", path, why)
