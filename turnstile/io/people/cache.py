"""Encodings of enrolment pictures, kept on disk."""

import logging
from pathlib import Path

from turnstile.files.whole import write_whole
from turnstile.people.encodings import is_encoding

log = logging.getLogger("turnstile")


class EncodingCache:
    """Encodings on disk, by picture hash, in a folder for each engine that only its owner can read."""

    def __init__(self, folder: Path, engine: str) -> None:
        self._folder = folder / engine.replace("/", "-")
        self._failed = False

    def get(self, digest: str) -> bytes | None:
        """Return the encoding of a picture; none if there is none or the file is damaged."""
        try:
            data = (self._folder / f"{digest}.f32").read_bytes()
        except OSError:
            return None
        return data if is_encoding(data) else None

    def put(self, digest: str, encoding: bytes) -> None:
        """Keep an encoding; a disk that cannot be written to costs only the next start's time."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._folder / f"{digest}.f32", encoding)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("encoding cache %s cannot be written: %s", self._folder, error.strerror)
            self._failed = True
