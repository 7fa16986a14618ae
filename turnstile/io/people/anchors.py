"""Anchors on disk: a file for each person, beside the faces folder, which only its owner can read.

A file that is damaged keeps its person out, and so does one that is gone, or older than the newest
(`turnstile.io.people.anchor_notes`). Its name tells whose it is. One writer changes them at a time.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from turnstile.errors import TurnstileError, WireError
from turnstile.files.private import close_to_others
from turnstile.files.reading import is_absent, read_file, why
from turnstile.files.whole import owner_of, sync_folder, write_whole
from turnstile.io.people.anchor_notes import AnchorNotes, digest_of
from turnstile.people.anchors import MAX_ANCHORS, Anchor, Anchored, PersonAnchors, from_file, rows_of, to_file
from turnstile.people.encodings import Encodings
from turnstile.protocol.names import name_key
from turnstile.site.settings import GallerySettings

SUFFIX = ".anchors"
MAX_BYTES = 2**20
MAX_PEOPLE = 10_000


class AnchorFolder:
    """The anchors of all people of a site."""

    def __init__(self, folder: Path, engine: str, *, like: Path) -> None:
        """Name a folder, which need not be there.

        Args:
            folder: where the files lie.
            engine: of the site.
            like: a folder of the broker's, whose owner is to own new anchors. The notes lie in it.
        """
        self._folder, self._engine, self._like = folder, engine, like
        self._notes = AnchorNotes(like / "anchors.noted", folder)

    def stamp(self) -> tuple[int, int, int] | None:
        """Return what changes whenever a file comes, goes or is replaced."""
        try:
            found = self._folder.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns

    def read(self) -> Anchored:
        """Return everybody's anchors."""
        try:
            with self._locked(fcntl.LOCK_SH):
                return self._read()
        except TurnstileError as error:
            return Anchored(trouble=f"nobody is enrolled: {error}")

    def of(self, person: str) -> tuple[Anchor, ...]:
        """Return the anchors of a person.

        Raises:
            TurnstileError: they cannot be read.
        """
        key, path = name_key(person), self._path_of(person)
        data = b"" if path is None else _data_of(path)
        found = () if path is None else self._anchors_in(path, data).anchors
        allowed = self._notes.read().get(key)
        if allowed is not None and digest_of(data) not in allowed:
            raise TurnstileError(self._words_of_stale(key))
        return found

    def everybody(self) -> list[PersonAnchors]:
        """Return the anchors of all people, in order of name.

        Raises:
            TurnstileError: some cannot be read.
        """
        return [self._anchors_in(path, _data_of(path)) for path in self._listed()]

    def add(self, person: str, event: str, encoding: bytes) -> None:
        """Keep an anchor, in place of an earlier one of the same event.

        Raises:
            TurnstileError: it cannot be written, or the person has too many.
        """
        self._make_folder()
        with self._locked(fcntl.LOCK_EX):
            kept = tuple(one for one in self.of(person) if one.event != event)
            if len(kept) >= MAX_ANCHORS:
                raise TurnstileError(f"{person} has {len(kept)} anchors, which is the most: undo some")
            self._write(person, (*kept, Anchor(event=event, made_ns=time.time_ns(), encoding=encoding)))

    def undo(self, person: str, event: str) -> None:
        """Take back an anchor.

        Raises:
            TurnstileError: there is none, or it cannot be removed.
        """
        with self._locked(fcntl.LOCK_EX):
            before = self.of(person)
            kept = tuple(one for one in before if one.event != event)
            if len(kept) == len(before):
                known = ", ".join(one.event for one in before) or "none"
                raise TurnstileError(f"{person} has no anchor of event {event}; there are: {known}")
            if kept:
                self._write(person, kept)
            else:
                self._remove(person)

    def files_of(self, person: str) -> list[Path]:
        """Return the files with a person's anchors, sound or damaged.

        Raises:
            TurnstileError: the folder cannot be read.
        """
        return [path for path in self._listed() if name_key(_person_of(path)) == name_key(person)]

    def remove(self, person: str) -> int:
        """Remove all anchors of a person, sound or damaged; return how many files that were.

        Raises:
            TurnstileError: they cannot be removed.
        """
        with self._locked(fcntl.LOCK_EX):
            return self._remove(person)

    def _read(self) -> Anchored:
        encodings: dict[str, Encodings] = {}
        barred: dict[str, str] = {}
        noted = self._notes.read()
        stale = {key: self._words_of_stale(key) for key in noted}
        for path in self._listed():
            key = name_key(_person_of(path))
            try:
                data = _data_of(path)
                if digest_of(data) in noted.get(key, ()):
                    stale.pop(key, None)
                rows = rows_of(self._anchors_in(path, data))
                encodings[key] = np.concatenate([encodings.get(key, rows[:0]), rows])
            except TurnstileError as error:
                barred[key] = str(error)
        return Anchored(encodings, {**stale, **barred})

    def _remove(self, person: str) -> int:
        paths = self.files_of(person)
        try:
            for path in paths:
                path.unlink()
            if paths:
                sync_folder(self._folder)
            self._notes.note(name_key(person))
        except OSError as error:
            raise _failure(self._folder, "changed", error) from error
        return len(paths)

    def _words_of_stale(self, key: str) -> str:
        return (
            f"{self._folder} has not what was said last of faces that are not {key}'s: put the newest file "
            f"back, or remove {self._notes.path} if it has all"
        )

    def _write(self, person: str, anchors: tuple[Anchor, ...]) -> None:
        path = self._path_of(person) or self._folder / f"{'_'.join(person.split())}{SUFFIX}"
        data = to_file(PersonAnchors(person=person, engine=self._engine, anchors=anchors))
        try:
            close_to_others(self._folder)
            owner, key = owner_of(self._folder), name_key(person)
            before = () if is_absent(path) else (digest_of(_data_of(path)),)
            self._notes.note(key, digest_of(data), *before, owner=owner)
            write_whole(path, data, owner=owner, durable=True)
            self._notes.note(key, digest_of(data), owner=owner)
        except OSError as error:
            raise _failure(path, "written", error) from error

    def _make_folder(self) -> None:
        try:
            if not self._folder.is_dir():
                owner = owner_of(self._like if self._like.is_dir() else self._folder.parent)
                self._folder.mkdir(mode=0o700, exist_ok=True)
                os.chown(self._folder, *owner)
        except OSError as error:
            raise _failure(self._folder, "made", error) from error

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Wait until no other process changes anchors; where there is no folder, there are none to change."""
        try:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            yield
            return
        except OSError as error:
            raise _failure(self._folder, "read", error) from error
        try:
            fcntl.flock(folder, how)
            yield
        finally:
            os.close(folder)

    def _path_of(self, person: str) -> Path | None:
        return next(iter(self.files_of(person)), None)

    def _listed(self) -> list[Path]:
        try:
            return self._paths()
        except OSError as error:
            raise _failure(self._folder, "read", error) from error

    def _paths(self) -> list[Path]:
        try:
            found = list(self._folder.iterdir())
        except FileNotFoundError:
            if self._folder.is_symlink():
                raise
            return []
        if len(found) > MAX_PEOPLE:
            raise OSError(0, f"it has {len(found)} files, and at most {MAX_PEOPLE} are read")
        return sorted(one for one in found if one.suffix == SUFFIX and not one.name.startswith("."))

    def _anchors_in(self, path: Path, data: bytes) -> PersonAnchors:
        try:
            return from_file(data, name=_person_of(path), engine=self._engine)
        except WireError as error:
            raise TurnstileError(f"{path} cannot be used: {error}") from error


def _failure(path: Path, done: str, error: OSError) -> TurnstileError:
    return TurnstileError(f"{path} cannot be {done}: {why(error, about=path)}")


def _data_of(path: Path) -> bytes:
    try:
        return read_file(path, at_most=MAX_BYTES + 1)
    except OSError as error:
        raise _failure(path, "read", error) from error


def _person_of(path: Path) -> str:
    return path.name.removesuffix(SUFFIX)


def open_anchors(gallery: GallerySettings, engine: str) -> AnchorFolder:
    """Return the anchors of a site."""
    return AnchorFolder(Path(gallery.anchors_folder), engine, like=Path(gallery.cache))
