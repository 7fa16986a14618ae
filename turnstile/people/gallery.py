"""Who is enrolled: names from file names, and the nearest person of an encoding."""

import hashlib
import re
import struct
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from turnstile.errors import TurnstileError, WireError
from turnstile.people.crowding import crowding
from turnstile.people.encodings import MAX_LENGTH, Encodings, are_encodings, matrix
from turnstile.people.risk import Limits, Neighbours, Risk, limits, neighbours
from turnstile.protocol.fields import ENCODING_BYTES, STEERING
from turnstile.protocol.messages import People
from turnstile.protocol.names import name_key, same_name

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif", ".hif"})

_QUIET_SUFFIXES = frozenset(
    {".txt", ".md", ".gif", ".part", ".partial", ".tmp", ".crdownload", ".ini", ".db"}
)
"""Notes, animations, unfinished uploads and what file managers leave behind."""

_COPY = "copy|kopie|copie|copia"
_COPY_ENDING = rf"""
    [-_ ]+ (?:{_COPY}) (?: [_ ]+ \d+ | [_ ]* \(\d+\) )?             # of Explorer and Finder
    | [_ ]* \( (?: \d+ | [^()]* (?: [ck]onfli[ckt] | {_COPY} ) [^()]* ) \)   # of browsers and cloud folders
    | [.] sync-conflict- [-\w]+                                       # of Syncthing
"""
_FOLDER_ENDING = re.compile(rf"(?:{_COPY_ENDING})$", re.IGNORECASE | re.VERBOSE)
_FILE_ENDING = re.compile(rf"(?: [_ ]+ \d+ | {_COPY_ENDING})$", re.IGNORECASE | re.VERBOSE)
_COPY_OF = re.compile(rf"^(?:{_COPY}) (?:of|von|de|di) (?=\S)", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")
_NOBODYS = re.compile("|unknown|erased-[0-9a-f]{8}")
"""What the log calls those whom nobody knows, or who were erased: no person's name."""
_UNFIT = re.compile(rf"[{STEERING}\ud800-\udfff]")


_AT_ONCE = 2048
"""Encodings added up in one call: 2 ms."""


class Match(NamedTuple):
    """The nearest person to one face, and the distance to the second-best person."""

    person: str | None
    distance: float | None
    second_distance: float | None
    limit: float | None = None
    """The largest distance at which that person is recognised; `None` where the site has one for all."""


NOBODY = Match(None, None, None)

FACES_AT_ONCE = 4
"""From so many faces on, one product of matrices takes less time than one with each face."""


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Everyone enrolled, as one matrix."""

    version: str
    """Hash of the content: equal versions hold equal encodings of equal people."""
    engine: str
    persons: tuple[str, ...]
    owners: npt.NDArray[np.intp]
    """`(n,)`: the index in `persons` of each row of `encodings`."""
    encodings: Encodings
    limits: Limits | None = None
    """Largest distance at which each of `persons` is recognised; `None` where the site has one for all."""
    around: Neighbours | None = None
    """How near `persons` lie to each other, where `limits` were made of it."""

    def match(self, faces: Encodings) -> list[Match]:
        """Return the nearest person of each row of `faces` `(k, 128)`.

        Raw encodings are compared by Euclidean distance, others with what crowds add to it
        (`turnstile.people.crowding`).
        """
        if not len(faces) or not self.persons:
            return [NOBODY] * len(faces)
        nearness = self._nearness(np.hstack([faces, np.ones((len(faces), 1), np.float32)]))
        if not is_averaged(self.engine):
            return [self._match_one(face, row, 0.0) for face, row in zip(faces, nearness, strict=True)]
        lengths = np.einsum("ij,ij->i", faces, faces)
        apart = (self._nearness_with_crowds(*one) for one in zip(nearness, lengths, strict=True))
        return [
            self._match_one(face, row, float(added))
            for face, row, added in zip(faces, apart, crowding(faces), strict=True)
        ]

    def _nearness(self, faces: npt.NDArray[np.float32]) -> Iterable[npt.NDArray[np.float32]]:
        """Return for each of `faces` `(k, 129)` what is the largest for the nearest encoding, `(n,)`."""
        if len(faces) < FACES_AT_ONCE:
            return (face @ self._by_dimension for face in faces)
        return iter(faces @ self._by_dimension)

    @cached_property
    def _by_dimension(self) -> npt.NDArray[np.float32]:
        """The encodings as columns, `(129, n)`, and half of each one's squared length below, negative.

        So OpenBLAS is as fast as memory: one face takes 2.0 ms with 100,000 columns and 2.9 with rows, eight
        faces 7.8 and 16.5. The last row spares a pass over the products.
        """
        rows = self.encodings
        made = np.empty((rows.shape[1] + 1, len(rows)), np.float32)
        made[:-1] = rows.T
        made[-1] = np.einsum("ij,ij->i", rows, rows) / -2
        return made

    @cached_property
    def _crowding(self) -> npt.NDArray[np.float32]:
        """`(n,)`: what each encoding's neighbourhood adds to its distances; zeros for raw encodings."""
        return (
            crowding(self.encodings) if is_averaged(self.engine) else np.zeros(len(self.owners), np.float32)
        )

    @cached_property
    def _minus_crowding(self) -> npt.NDArray[np.float32]:
        """`(n,)`: minus `_crowding`."""
        return -self._crowding

    def _nearness_with_crowds(
        self, nearness: npt.NDArray[np.float32], square: np.float32
    ) -> npt.NDArray[np.float32]:
        """Return minus each encoding's distance and crowding, from its nearness to a face of this length.

        `nearness` is overwritten, because new arrays for many encodings take time of their own.
        """
        nearness *= -2
        nearness += square
        np.maximum(nearness, 0, out=nearness)
        np.sqrt(nearness, out=nearness)
        return np.subtract(self._minus_crowding, nearness, out=nearness)

    def _match_one(self, face: Encodings, nearness: npt.NDArray[np.float32], added: float) -> Match:
        """Return the match of one face from how near each encoding is, which it overwrites.

        Args:
            face: `(128,)`.
            nearness: `(n,)`, larger for a nearer encoding.
            added: what the face's own neighbourhood adds to its distances.
        """
        best = int(nearness.argmax())
        owner = self.owners[best]
        nearness[self.owners == owner] = -np.inf
        second = int(nearness.argmax())

        def distance_to(at: int) -> float:
            return _bounded(float(np.linalg.norm(face - self.encodings[at]) + self._crowding[at]) + added)

        return Match(
            self.persons[owner],
            distance_to(best),
            distance_to(second) if np.isfinite(nearness[second]) else None,
            None if self.limits is None else float(self.limits[owner]),
        )


EMPTY = Gallery(
    version="",
    engine="",
    persons=(),
    owners=np.zeros(0, dtype=np.intp),
    encodings=np.zeros((0, 128), dtype=np.float32),
)


def build_gallery(engine: str, encodings: Iterable[tuple[str, bytes]]) -> Gallery:
    """Return the gallery of pairs of a person's name and a little-endian float32 `(128,)` encoding."""
    by_person: dict[str, list[bytes]] = {}
    for person, encoding in encodings:
        by_person.setdefault(person, []).append(encoding)
    persons = tuple(sorted(by_person))
    owners: list[int] = []
    rows: list[bytes] = []
    digest = hashlib.sha256(engine.encode())
    for at, person in enumerate(persons):
        name, own = person.encode(), sorted(by_person[person])
        owners += [at] * len(own)
        rows += own
        for encoding in own:
            digest.update(struct.pack("<I", len(name)) + name + encoding)
    return Gallery(
        version=digest.hexdigest()[:16],
        engine=engine,
        persons=persons,
        owners=np.array(owners, dtype=np.intp),
        encodings=matrix(b"".join(rows)),
    )


def templates(gallery: Gallery, risk: Risk | None = None) -> Gallery:
    """Return what faces are compared with: each person's mean of the pictures, scaled to unit length.

    With a risk, each person has a limit of their own (`turnstile.people.risk`).

    Raw encodings are compared with each picture, as `face_recognition` does. With 100 people of 3
    pictures each of LFW, one frame recognises 88 % by means and 81 % by the nearest picture
    (`benchmarks.accuracy`, 2026-11, at the distance that admits 0.1 % of strangers).
    """
    if not is_averaged(gallery.engine) or not gallery.persons:
        return gallery
    encodings = means(gallery.encodings, gallery.owners)
    around = None if risk is None else neighbours(encodings)
    pictures = np.bincount(gallery.owners, minlength=len(gallery.persons))
    return Gallery(
        version=gallery.version,
        engine=gallery.engine,
        persons=gallery.persons,
        owners=np.arange(len(gallery.persons)),
        encodings=encodings,
        limits=None if risk is None or around is None else limits(pictures, around, risk),
        around=around,
    )


def is_averaged(engine: str) -> bool:
    """Tell whether encodings of this name are compared with the mean of a person's pictures."""
    return not engine.endswith("/raw")


def means(encodings: Encodings, owners: npt.NDArray[np.intp]) -> Encodings:
    """Return float32 `(people, 128)`: the mean of each person's encodings, scaled to unit length.

    Args:
        encodings: `(n, 128)`.
        owners: `(n,)`: the index of each row's person. Every index from 0 to people - 1 occurs.
    """
    sums = np.zeros((int(owners.max()) + 1, encodings.shape[1]), np.float32)
    for at in range(0, len(owners), _AT_ONCE):  # numpy lets no other thread run meanwhile
        np.add.at(sums, owners[at : at + _AT_ONCE], encodings[at : at + _AT_ONCE])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def to_message(gallery: Gallery) -> People:
    """Return the gallery as a message."""
    return People(
        version=gallery.version,
        engine=gallery.engine,
        persons=gallery.persons,
        owners=tuple(gallery.owners.tolist()),
        encodings=gallery.encodings.astype("<f4").tobytes(),
    )


def from_message(people: People) -> Gallery:
    """Return the gallery that a message carries.

    Raises:
        WireError: its parts do not fit each other, or an encoding is not valid.
    """
    if len(people.encodings) != ENCODING_BYTES * len(people.owners):
        raise WireError(f"People.encodings has {len(people.encodings)} bytes for {len(people.owners)} owners")
    if any(owner >= len(people.persons) for owner in people.owners):
        raise WireError("People.owners names a person that is not in People.persons")
    if set(people.owners) != set(range(len(people.persons))):
        raise WireError("People.persons has a person without an encoding")
    if len(set(people.persons)) != len(people.persons):
        raise WireError("People.persons names somebody twice")
    encodings = matrix(people.encodings)
    if not are_encodings(encodings):
        raise WireError(f"People.encodings has one that is not finite or longer than {MAX_LENGTH:g}")
    return Gallery(
        version=people.version,
        engine=people.engine,
        persons=people.persons,
        owners=np.array(people.owners, dtype=np.intp),
        encodings=encodings,
    )


def is_picture(file: str) -> bool:
    """Tell whether a path below the faces folder is that of a picture: by its ending, and not hidden."""
    return PurePosixPath(file).suffix.lower() in PICTURE_SUFFIXES and not _is_hidden(file)


def why_no_picture(file: str) -> str:
    """Return why a file is not read as a picture; empty for pictures, and for what nobody took for one."""
    suffix = PurePosixPath(file).suffix.lower()
    if is_picture(file) or _is_hidden(file) or suffix in _QUIET_SUFFIXES or file.endswith("~"):
        return ""
    return f"its name ends in {suffix or 'nothing'}; pictures end in {', '.join(sorted(PICTURE_SUFFIXES))}"


def why_not_used(file: str) -> str:
    """Return why a file enrols nobody, as its name tells; empty for pictures of somebody and for notes."""
    if is_picture(file) and person_of(file) is None:
        return "its name names nobody; first_last.jpg would"
    return why_no_picture(file)


def _is_hidden(file: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(file).parts)


def person_of(file: str) -> str | None:
    """Return the person that a picture's path below the faces folder names; `None` if it names nobody.

    ``barack_obama.jpg``, ``barack_obama_2.jpg``, copies such as ``barack_obama (1).jpg`` and
    ``barack_obama - Copy.jpg``, ``barack_obama/anything.jpg`` and ``team/barack_obama/anything.jpg`` are
    Barack Obama: the innermost folder counts whose name has a letter, and without a folder the file's name.
    ``unknown`` is nobody, nor is a pseudonym of somebody who was erased.
    """
    path = PurePosixPath(file)
    if not is_picture(file) or _UNFIT.search(file):
        return None
    if len(path.parts) == 1:
        stem = _without(_FILE_ENDING, _COPY_OF.sub("", path.stem))
    else:
        folders = [part for part in path.parts[:-1] if _LETTER.search(part)] or path.parts[:1]
        stem = _without(_FOLDER_ENDING, folders[-1])
    words = [word for word in unicodedata.normalize("NFC", stem).split("_") if word]
    name = " ".join(word[:1].upper() + word[1:] for word in words)[:200].strip()
    return None if _NOBODYS.fullmatch(name_key(name)) else name


def stem_of(person: str) -> str:
    """Return the beginning of a file name that names a person.

    Raises:
        TurnstileError: none does.
    """
    typed = "_".join(person.split())
    for stem in (typed.lower(), typed):
        found = person_of(f"{stem}.jpg") if "/" not in stem else None
        if found is not None and same_name(found, person) and (stem == typed or found == person):
            return stem
    raise TurnstileError(f"{person!r} cannot be a person's name here; one is 'Ada Lovelace'")


def _without(ending: re.Pattern[str], name: str) -> str:
    """Return a name without any number of endings: ``ann_2 (1)`` is Ann."""
    while (shorter := ending.sub("", name)) != name:
        name = shorter
    return name


def persons_of(files: Iterable[str]) -> Mapping[str, str]:
    """Return the person of each picture that names one, in the order of paths.

    Files whose names are one by `name_key` are of one person, written as the first of them has it.
    """
    spelt: dict[str, str] = {}
    named = ((file, person_of(file)) for file in sorted(files))
    return {file: spelt.setdefault(name_key(one), one) for file, one in named if one is not None}


def files_by_person(files: Iterable[str]) -> Mapping[str, list[str]]:
    """Return the pictures of each person, both sorted."""
    people: dict[str, list[str]] = {}
    for file, person in persons_of(files).items():
        people.setdefault(person, []).append(file)
    return dict(sorted(people.items()))


def _bounded(distance: float) -> float:
    """Return a distance that a message takes: crowds may make it negative, and rounding too long."""
    return min(2 * MAX_LENGTH, max(0.0, distance))
