"""Faces of visits of which somebody said "that was not her": they can only deny.

An anchor is the encoding of such a visit. A face that is nearer to an anchor of a person than to that person
is unknown. Both distances have crowds counted, as `Gallery.match` does. Anchors stay with the broker: what a
recognizer says of a face is what the gallery says.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple, Self

import msgspec
import numpy as np

from turnstile.errors import WireError
from turnstile.people.crowding import crowding
from turnstile.people.encodings import Encodings, is_encoding, matrix
from turnstile.people.gallery import is_averaged
from turnstile.people.naming import MAX_NAMED
from turnstile.protocol.envelope import UNREADABLE
from turnstile.protocol.fields import PersonName
from turnstile.protocol.messages import Face, Result
from turnstile.protocol.names import name_key

MAX_ANCHORS = 100
"""Of one person. Each face that comes nearest to the person is compared with all of them."""

_JUST_BEYOND = 1e-6
"""A distance above a limit of 0."""


class Anchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The face of one visit."""

    event: str
    """The event that granted it, as the log has it: ``9f3a…:17``."""
    made_ns: int
    """When somebody said so."""
    encoding: bytes


class PersonAnchors(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All anchors of one person; what a file holds."""

    person: PersonName
    engine: str
    """Only encodings of one such name may be compared."""
    anchors: tuple[Anchor, ...]


class Anchored(NamedTuple):
    """Everybody's anchors."""

    encodings: Mapping[str, Encodings] = {}
    """Key of a name → the anchors of that person, `(n, 128)`."""
    barred: Mapping[str, str] = {}
    """Key of a name → why its anchors cannot be used: nobody of that name is enrolled."""
    trouble: str = ""
    """Why none can be read: nobody is enrolled."""

    def is_same(self, other: Self) -> bool:
        """Tell whether others say the same; `==` cannot, as an array of truths is neither true nor false."""
        words = (self.barred, self.trouble, self.encodings.keys())
        return words == (other.barred, other.trouble, other.encodings.keys()) and all(
            np.array_equal(rows, other.encodings[key]) for key, rows in self.encodings.items()
        )


NO_ANCHORS = Anchored()


def to_file(one: PersonAnchors) -> bytes:
    """Return a person's anchors as a file holds them: a digest, and what it is of."""
    body = msgspec.json.encode(one)
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"


def from_file(data: bytes, *, name: str, engine: str) -> PersonAnchors:
    """Return the anchors that a file holds.

    Args:
        data: all of the file.
        name: whose they are, by the file's name.
        engine: of the site.

    Raises:
        WireError: they cannot be used; the text says why.
    """
    seal, _, body = data.partition(b"\n")
    body = body.removesuffix(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != seal:
        raise WireError("its contents are not what was written")
    try:
        found = msgspec.json.decode(body, type=PersonAnchors)
    except UNREADABLE as error:
        raise WireError(f"it does not hold anchors: {error}") from error
    if name_key(found.person) != name_key(name):
        raise WireError(f"it holds anchors of {found.person}")
    if found.engine != engine:
        raise WireError(f"its encodings are {found.engine}, the site's {engine}")
    if not all(is_encoding(one.encoding) for one in found.anchors):
        raise WireError("one of its encodings is not valid")
    return found


def rows_of(one: PersonAnchors) -> Encodings:
    """Return the encodings of a person's anchors, `(n, 128)`."""
    return matrix(b"".join(anchor.encoding for anchor in one.anchors))


def deny_anchored(result: Result, anchors: Mapping[str, Encodings], engine: str) -> Result:
    """Return a result in which no limit admits a face that is nearer to an anchor than to its person.

    Args:
        result: with the names that the gallery gave its faces.
        anchors: key of a name → encodings.
        engine: of the site.
    """
    if not anchors:
        return result
    faces = (
        *(_judged(face, anchors, engine) for face in result.faces[:MAX_NAMED]),
        *result.faces[MAX_NAMED:],
    )
    return msgspec.structs.replace(result, faces=faces) if faces != result.faces else result


def nearest_anchor(encoding: bytes, anchors: Encodings, engine: str) -> float:
    """Return the distance of a face to the nearest of some anchors, as the gallery measures it."""
    row = matrix(encoding)
    apart = np.linalg.norm(anchors - row, axis=1)
    if is_averaged(engine):
        apart = apart + crowding(anchors) + crowding(row)[0]
    return max(0.0, float(apart.min(initial=np.inf)))


def _judged(face: Face, anchors: Mapping[str, Encodings], engine: str) -> Face:
    if face.person is None or face.distance is None or not is_encoding(face.encoding):
        return face
    own = anchors.get(name_key(face.person))
    if own is None or nearest_anchor(face.encoding, own, engine) > face.distance:
        return face
    return msgspec.structs.replace(face, limit=0.0, distance=max(face.distance, _JUST_BEYOND))
