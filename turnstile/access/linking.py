"""Which face of a frame continues which visit: by encoding first, by place where encodings are missing.

A face is the same person as a trail when their encodings are at most `link_distance` apart, or when both are
recognised as the same enrolled person. Then it may be anywhere in the picture. Otherwise it is somebody else.
Only a face or a trail without an encoding is linked by its place alone, to somebody in view before somebody
who stood there earlier. Each face continues at most one
trail, and each trail has at most one face. The nearest pairs go first.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from turnstile.people.encodings import is_encoding
from turnstile.protocol.fields import Box
from turnstile.protocol.messages import Face
from turnstile.protocol.places import apart_widths

NEAR = 1.0
"""Faces whose centres are less than this many face widths apart are in one place."""

MAX_RECENT = 3
"""Encodings a trail is compared by. With 1, 3 and 5 of the latest at 10 results a second, 99 % of frames of
the same person lie within 0.433, 0.428 and 0.425 (8 clips, raw dlib encodings, November 2026)."""

_BY_PLACE = 10.0
"""Cost of a link by place alone: above any link by person."""


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """What a visit leaves behind for the next frame to be linked by."""

    box_px: Box
    encodings: tuple[bytes, ...] = ()
    """The latest, newest last, at most `MAX_RECENT`: little-endian float32 `(128,)` each."""
    person: str | None = None
    """The person its frames were last recognised as; `None` before the first."""
    certain: bool = False
    """A verdict named `person`: a face of another name is somebody else."""
    in_view: bool = True
    """Whether the newest frame showed it."""


class Links(NamedTuple):
    """How the faces of a frame belong to trails; all are indices."""

    face_of: dict[int, int]
    """Trail → the face that continues it."""
    fresh: tuple[int, ...]
    """Faces that continue no trail."""
    displaced: dict[int, int]
    """New face → the unseen trail whose place it takes."""


def link(
    trails: Sequence[Trail], faces: Sequence[Face], names: Sequence[str | None], *, link_distance: float
) -> Links:
    """Return which faces continue which trails; `names[i]` is the person `faces[i]` would vote for."""
    if not trails and not faces:
        return Links({}, (), {})
    gaps = encoding_gaps(trails, faces)
    costs = [
        (cost, t, f)
        for t, trail in enumerate(trails)
        for f, face in enumerate(faces)
        if (cost := _cost(trail, face, names[f], gap=float(gaps[t, f]), link_distance=link_distance))
        is not None
    ]
    face_of: dict[int, int] = {}
    used: set[int] = set()
    for _, t, f in sorted(costs):
        if t not in face_of and f not in used:
            face_of[t] = f
            used.add(f)
    fresh = tuple(f for f in range(len(faces)) if f not in used)
    unseen = [t for t in range(len(trails)) if t not in face_of]
    displaced: dict[int, int] = {}
    for apart, f, t in sorted(
        (apart_widths(trails[t].box_px, faces[f].box_px), f, t) for f in fresh for t in unseen
    ):
        if apart < NEAR and f not in displaced and t not in displaced.values():
            displaced[f] = t
    return Links(face_of, fresh, displaced)


def followed(trails: Sequence[Trail], faces: Sequence[Face], *, at_most: int) -> Sequence[Face]:
    """Return the faces of a crowd to link: those encoded first, then those near a trail, then the others.

    So nobody whose visit is open seems absent because other faces are bigger.
    """
    if len(faces) <= at_most:
        return faces

    def precedence(face: Face) -> int:
        if face.encoding:
            return 0
        return 1 if any(apart_widths(trail.box_px, face.box_px) < NEAR for trail in trails) else 2

    return sorted(faces, key=precedence)[:at_most]


def follow(trail: Trail, face: Face, *, person: str | None, keep_encoding: bool) -> Trail:
    """Return the trail after one more face. `keep_encoding` adds the face's encoding to those compared."""
    encodings = trail.encodings
    if keep_encoding and is_encoding(face.encoding):
        encodings = (*encodings, face.encoding)[-MAX_RECENT:]
    return msgspec.structs.replace(
        trail,
        box_px=face.box_px,
        encodings=encodings,
        in_view=True,
        person=trail.person if trail.certain or person is None else person,
    )


def is_alike(trail: Trail, face: Face, *, link_distance: float) -> bool:
    """Tell whether a face's encoding is near the trail's; true if either has none."""
    return not encoding_gaps([trail], [face])[0, 0] > link_distance


def encoding_gaps(trails: Sequence[Trail], faces: Sequence[Face]) -> npt.NDArray[np.float64]:
    """Return distances `(trails, faces)` to the nearest of each trail's encodings; NaN where one has none."""
    gaps = np.full((len(trails), len(faces)), np.nan)
    seen = [f for f, face in enumerate(faces) if is_encoding(face.encoding)]
    if not seen:
        return gaps
    rows = _matrix([faces[f].encoding for f in seen])
    for t, trail in enumerate(trails):
        if trail.encodings:
            apart = _matrix(trail.encodings)[:, None, :] - rows[None, :, :]
            gaps[t, seen] = np.linalg.norm(apart, axis=2).min(axis=0)
    return gaps


def _cost(trail: Trail, face: Face, name: str | None, *, gap: float, link_distance: float) -> float | None:
    """Return how badly a face continues a trail; `None` if it cannot."""
    if trail.certain and name is not None and name != trail.person:
        return None
    apart = apart_widths(trail.box_px, face.box_px)
    known = not np.isnan(gap)
    named_alike = name is not None and name == trail.person
    if named_alike or (known and gap <= link_distance):
        return (min(gap / link_distance, 1.0) if known else 1.0) + min(apart, 1.0)
    if known or apart >= NEAR:
        return None
    return _BY_PLACE + apart + (0.0 if trail.in_view else NEAR)


def _matrix(encodings: Sequence[bytes]) -> npt.NDArray[np.float64]:
    return np.frombuffer(b"".join(encodings), dtype="<f4").astype(np.float64).reshape(-1, 128)
