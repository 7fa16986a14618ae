"""What is noted in the encoding cache of the newest anchors, so that older ones are not taken for them.

A backup that is put back, or a folder that is removed, would let faces in again of which somebody said that
they are not the person's. So the digest of each person's newest file is noted, and nobody of that name is let
in while another file, or none, stands in its place. Who means it removes the notes.

Removing both together is not noticed, nor is a backup of both.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from turnstile.errors import TurnstileError
from turnstile.files.reading import read_file, why
from turnstile.files.whole import Owner, owner_of, write_whole

MAX_BYTES = 16 * 2**20

_Notes = dict[str, dict[str, tuple[str, ...]]]
"""Folder → key of a name → the digests of files that may stand there."""


def digest_of(data: bytes) -> str:
    """Return what is noted of a file."""
    return hashlib.sha256(data).hexdigest()


class AnchorNotes:
    """The notes about one folder; a file may have those of several."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Name the file, which need not be there."""
        self.path, self._folder = path, str(folder.absolute())

    def read(self) -> Mapping[str, Sequence[str]]:
        """Return by key of a name which files may stand there; nothing else of that name may.

        Raises:
            TurnstileError: they cannot be read.
        """
        return self._read().get(self._folder, {})

    def note(self, key: str, *digests: str, owner: Owner | None = None) -> None:
        """Note which files of a name may stand there from now on; without any, none need stand there.

        Args:
            key: of the name.
            digests: of the files.
            owner: whose the notes are to be if there are none yet.

        Raises:
            TurnstileError: it cannot be written.
        """
        notes = self._read()
        if not digests and key not in notes.get(self._folder, {}):
            return
        mine = {**notes.get(self._folder, {}), key: digests}
        if not digests:
            del mine[key]
        try:
            if owner is not None and not self.path.parent.is_dir():
                self.path.parent.mkdir(mode=0o700, parents=True)
                os.chown(self.path.parent, *owner)
            body = msgspec.json.encode({**notes, self._folder: mine})
            write_whole(self.path, body, owner=owner_of(self.path) if notes else owner, durable=True)
        except OSError as error:
            raise TurnstileError(f"{self.path} cannot be written: {why(error, about=self.path)}") from error

    def _read(self) -> _Notes:
        try:
            return msgspec.json.decode(read_file(self.path, at_most=MAX_BYTES), type=_Notes)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self.path.is_symlink():
                return {}
            raise TurnstileError(f"{self.path} cannot be read: {why(error, about=self.path)}") from error
        except (msgspec.MsgspecError, UnicodeError) as error:
            words = f"{self.path} does not hold notes: {error}; remove it if the anchors are right"
            raise TurnstileError(words) from error
