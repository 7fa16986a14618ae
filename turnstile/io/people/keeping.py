"""Pictures put into the faces folder, and taken out of it."""

import stat
from itertools import count
from pathlib import Path

from turnstile.errors import TurnstileError
from turnstile.files.reading import why
from turnstile.files.whole import owner_of, sync_folder, write_whole
from turnstile.people.gallery import stem_of

_SUFFIXES = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp"}


def keep_picture(faces: Path, person: str, suffix: str, data: bytes) -> Path:
    """Write a picture under the next free name of the person's, whole or not at all; return where.

    Raises:
        TurnstileError: no file name would name the person, or it cannot be written.
    """
    try:
        faces.mkdir(parents=True, exist_ok=True)
        path = free_name(faces, person, suffix)
        mode = stat.S_IMODE(faces.stat().st_mode) & 0o666
        write_whole(path, data, mode=mode, owner=owner_of(faces), durable=True)
    except OSError as error:
        raise TurnstileError(f"{faces} cannot be written: {why(error, about=faces)}") from error
    return path


def free_name(folder: Path, person: str, suffix: str) -> Path:
    """Return where the next picture of a person is to lie.

    Raises:
        TurnstileError: no file name would name the person.
        OSError: the folder cannot be looked into.
    """
    stem = stem_of(person)
    names = (f"{stem}{'' if number == 1 else f'_{number}'}" for number in count(1))
    there = {path.stem.casefold() for path in folder.iterdir()} if folder.is_dir() else set()
    return folder / f"{next(name for name in names if name.casefold() not in there)}{suffix}"


def remove_picture(path: Path) -> None:
    """Remove a picture.

    Raises:
        TurnstileError: it is not there, or cannot be removed.
    """
    try:
        path.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise TurnstileError(f"{path} cannot be removed: {why(error, about=path)}") from error


def suffix_of(data: bytes) -> str:
    """Return the ending of a picture's file name, by how it begins."""
    if data[4:8] == b"ftyp":
        return ".heic"
    return next((suffix for start, suffix in _SUFFIXES.items() if data.startswith(start)), ".jpg")
