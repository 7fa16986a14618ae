"""A person's pictures in the faces folder, and what else there bears the name."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from turnstile.people.gallery import is_picture, person_of
from turnstile.protocol.names import bears, same_name

_ENCODING = re.compile(r"\.?([0-9a-f]{64})\..+")
"""A file of the encoding cache, whole or half written."""


class FacesOf:
    """What the faces folder and the encoding cache have of one person.

    Attributes:
        pictures: that are enrolled as the person's.
        known: everybody whom a picture names.
        problems: what could not be looked at, and what bears the name besides.
    """

    def __init__(self, person: str, faces: Path, cache: Path) -> None:
        """Look into both folders."""
        self.pictures: list[Path] = []
        self.known: set[str] = set()
        self.problems: list[str] = []
        self._cache, self._kept = cache, set[str]()
        for path in self._files(faces):
            file = path.relative_to(faces).as_posix()
            is_link = _is_folder(path)  # what is behind it is in the folder anyway, or not looked at
            file = f"{file}/any.jpg" if is_link else file
            name = person_of(file) if is_picture(file) else None
            if name is not None and same_name(name, person):
                self.pictures.append(path)
                continue
            self.known |= set() if name is None else {name}
            self._kept |= _digest(path) if is_picture(file) and not is_link else set()
            if bears(file, person):
                self.problems.append(f"{path} bears the name and is no picture of the person: look at it")

    def encodings(self) -> list[Path]:
        """Return the cached encodings of pictures that are not in the folder, or are the person's."""
        found: list[Path] = []
        for path in self._files(self._cache):
            encoding = _ENCODING.fullmatch(path.name)
            if encoding is not None and encoding[1] not in self._kept:
                found.append(path)
        return found

    def remove(self, path: Path) -> bool:
        """Remove a file, and tell whether it is gone; say what else may hold its contents."""
        try:
            found = path.lstat()
            target = path.resolve() if path.is_symlink() else None
            path.unlink()
        except OSError as error:
            self.problems.append(f"{path} cannot be removed: {error.strerror}")
            return False
        if target is not None:
            self.problems.append(f"{path} was a link to {target}, which is still there: remove it")
        elif found.st_nlink > 1:
            self.problems.append(f"{path} had another name on this disk, which still holds the picture")
        return True

    def _files(self, folder: Path) -> Iterator[Path]:
        def note(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                self.problems.append(f"{error.filename} cannot be looked into: {error.strerror}")

        for inner, folders, names in os.walk(folder, onerror=note):
            links = [name for name in folders if Path(inner, name).is_symlink()]
            yield from sorted(Path(inner, name) for name in (*names, *links))


def _is_folder(path: Path) -> bool:
    with suppress(OSError):
        return path.is_dir()
    return False


def _digest(path: Path) -> set[str]:
    with suppress(OSError):
        return {hashlib.sha256(path.read_bytes()).hexdigest()} if path.is_file() else set()
    return set()
