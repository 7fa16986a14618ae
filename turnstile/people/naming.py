"""Who the faces of a result are, by the broker's own gallery: what a recognizer claims does not matter."""

import msgspec

from turnstile.people.encodings import is_encoding, matrix
from turnstile.people.gallery import NOBODY, Gallery
from turnstile.protocol.messages import Face, Result

MAX_NAMED = 32
"""Faces of a result that are named, the first ones: those encoded come first, and a door links no more.
On one core a face takes 0.05 ms with 1,000 encodings and 2.5 ms with 100,000; 8 faces 0.2 and 9.5 ms
(`benchmarks.matching`, 2026-11)."""

TOLERANCE = 0.001
"""Largest difference between a distance claimed and the one computed here that rounding explains."""


def name_faces(result: Result, gallery: Gallery) -> Result:
    """Return a result whose names, distances, limits and gallery version are those of this gallery.

    A face without a valid encoding, or beyond the first `MAX_NAMED`, is nobody's.
    """
    if not result.faces:
        return msgspec.structs.replace(result, gallery_version=gallery.version)
    seen = [at for at, face in enumerate(result.faces[:MAX_NAMED]) if is_encoding(face.encoding)]
    rows = matrix(b"".join(result.faces[at].encoding for at in seen))
    matches = dict(zip(seen, gallery.match(rows), strict=True))
    faces = []
    for at, face in enumerate(result.faces):
        match = matches.get(at, NOBODY)
        faces.append(
            msgspec.structs.replace(
                face,
                person=match.person,
                distance=match.distance,
                second_distance=match.second_distance,
                limit=match.limit,
            )
        )
    return msgspec.structs.replace(result, faces=tuple(faces), gallery_version=gallery.version)


def false_claims(claimed: Result, named: Result) -> int:
    """Return how many faces a recognizer named otherwise than the gallery that it says it holds.

    Args:
        claimed: as it came.
        named: the same result, from `name_faces`.
    """
    if claimed.gallery_version != named.gallery_version:
        return 0
    couples = list(zip(claimed.faces, named.faces, strict=True))[:MAX_NAMED]
    return sum(not _agree(one, other) for one, other in couples)


def _agree(claimed: Face, named: Face) -> bool:
    if claimed.person != named.person:
        return False
    couples = ((claimed.distance, named.distance), (claimed.second_distance, named.second_distance))
    return all(_near(one, other) for one, other in couples)


def _near(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= TOLERANCE
