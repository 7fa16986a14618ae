"""Which face of a frame continues which visit: by encoding, or by place where encodings are missing.

A face is the same person as a trail when their encodings are at most `link_distance` apart. Then it may be
anywhere in the picture. Otherwise it is somebody else, whatever name both are given: a look-alike has the
name of the person before. So is a face far from the mean of a trail, though near the latest of it.

A turned head is farther from its own straight face than two frames of one are. So where one of the two is
turned, and both are in one place, they may be as far apart as a face seen badly, for `TURNED_S`.

Only a face or a trail without an encoding is linked by its place alone, to somebody in view before somebody
who stood there earlier. Each face continues at most one trail, and each trail has at most one face. The
nearest pairs go first.

Distances count crowds, as those to enrolled people do (`turnstile.people.crowding`). Raw encodings are 1.3
to 1.5 long and compared plainly.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from turnstile.people.crowding import crowding
from turnstile.people.encodings import Encodings, is_encoding, matrix
from turnstile.protocol.fields import Box, apart_widths
from turnstile.protocol.messages import Face

NEAR = 1.0
"""Faces whose centres are less than this many face widths apart are in one place."""

MAX_RECENT = 3
"""Encodings a trail is compared by. With 1, 3 and 5 of the latest at 10 results a second, 99 % of frames of
the same person lie within 0.433, 0.428 and 0.425 (8 clips, raw dlib encodings, November 2026)."""

SETTLED = 3
"""A visit's mean of at least so many encodings tells whether it is of another person than another visit."""

_APART = 1.4
"""Two visits whose means are farther apart than so many `link_distance`, 0.42, are of two people. Of 60 faces
of LFW's development pictures with mouth and nose covered, 93 % lie within that of the same picture. All do
with one side, the mouth's corner or the chin covered. Means of three frames in which somebody turns her head
lie within 0.35 (`head_turns`). Of pictures of two people, 1 % lie within it (November 2026)."""

TURNED = 0.2
"""Heads turned farther than this (`Looks.turn`) are turned: those of 9 % of LFW's development pictures, and
none of the clips of `benchmarks.visits`. Set on 28 stills of LFW bent as if the head turned by 30 to 50
degrees: of 168 visits 34 % had two entries, 29 % with 0.25, and 27 % with 0.2 and 0.15 (November 2026)."""

TURNED_S = 4.0
"""How long a turned head may be so far from the visit that it continues: 0.8 % of strangers are that near to
somebody else (312 turned heads of LFW). Unmeasured."""

_BY_PLACE = 10.0
"""Cost of a link by place alone: above any link by person."""

_UNIT_AT_MOST = 1.1
"""Encodings up to this length, and their means, are of unit length; raw ones are 1.3 to 1.5 long."""

_TINY = 1e-6


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """What a visit leaves behind for the next frame to be linked by."""

    box_px: Box
    encodings: tuple[bytes, ...] = ()
    """The latest near the mean, newest last, at most `MAX_RECENT`: little-endian float32 `(128,)` each."""
    strayed: bytes = b""
    """The newest, if it is not near the mean: float32 `(128,)`; else empty."""
    total: bytes = b""
    """The sum of the voters before the verdict, or of the first `SETTLED`: float32 `(128,)`; may be empty."""
    summed: int = 0
    """How many these are."""
    person: str | None = None
    """The person its frames were last recognised as; `None` before the first."""
    turned: bool = False
    """Whether the newest that was encoded was turned."""
    strayed_ns: int = 0
    """For how long the newest have been `strayed`."""
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
    strayed: frozenset[int] = frozenset()
    """Trails whose face is farther from their mean than a link may be."""


class Gaps(NamedTuple):
    """Distances `(trails, faces)`; NaN where there is nothing to compare."""

    to_latest: npt.NDArray[np.float64]
    """To the nearest of a trail's latest encodings."""
    to_mean: npt.NDArray[np.float64]
    """To the mean of a trail that has settled."""


def link(
    trails: Sequence[Trail], faces: Sequence[Face], names: Sequence[str | None], *, link_distance: float
) -> Links:
    """Return which faces continue which trails; `names[i]` is the person `faces[i]` would vote for."""
    if not trails and not faces:
        return Links({}, (), {})
    gaps = gaps_between(trails, faces)
    strange = gaps.to_mean > _APART * link_distance
    costs = [
        (cost, t, f)
        for t, trail in enumerate(trails)
        for f, face in enumerate(faces)
        if not strange[t, f]
        and (
            cost := _cost(trail, face, names[f], gap=float(gaps.to_latest[t, f]), link_distance=link_distance)
        )
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
    strayed = frozenset(t for t, f in face_of.items() if gaps.to_mean[t, f] > link_distance)
    return Links(face_of, fresh, displaced, strayed)


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


def follow(trail: Trail, face: Face, *, person: str | None, strayed: bool = False, step_ns: int = 0) -> Trail:
    """Return the trail after one more face.

    An encoding farther from the mean than a link may be (`strayed`) leads nowhere: else one frame of a
    look-alike would lead to all others. `step_ns` is the time since the result before.
    """
    encodings, newest, turned = trail.encodings, trail.strayed, trail.turned
    if is_encoding(face.encoding):
        turned = _is_turned(face)
        newest = face.encoding if strayed else b""
        encodings = encodings if strayed else (*encodings, face.encoding)[-MAX_RECENT:]
    return msgspec.structs.replace(
        trail,
        box_px=face.box_px,
        encodings=encodings,
        strayed=newest,
        turned=turned,
        strayed_ns=trail.strayed_ns + step_ns if newest else 0,
        in_view=True,
        person=trail.person if trail.certain or person is None else person,
    )


def with_voter(trail: Trail, face: Face) -> Trail:
    """Return the trail with the encoding of a face that voted added to its sum."""
    if not is_encoding(face.encoding):
        return trail
    total = matrix(trail.total or bytes(len(face.encoding))) + matrix(face.encoding)
    return msgspec.structs.replace(trail, total=total.tobytes(), summed=trail.summed + 1)


def are_two_people(one: Trail, other: Trail, *, link_distance: float) -> bool:
    """Tell whether two trails are of two people: their means are too far apart even for a face seen badly."""
    gap = _gap_of_means(one, other)
    return gap is not None and gap > _APART * link_distance


def is_of_somebody_else(glimpse: Trail, known: Trail, *, link_distance: float) -> bool:
    """Tell whether the latest encodings of a trail are all of another person than one that has settled."""
    if not (glimpse.encodings and is_settled(known)):
        return False
    apart = _apart(matrix(b"".join(glimpse.encodings)), _mean(known))
    return bool(apart.min() > _APART * link_distance)


def are_one_person(one: Trail, other: Trail, *, link_distance: float) -> bool:
    """Tell whether two trails are of one person: their means are as near as two frames of one face."""
    gap = _gap_of_means(one, other)
    return gap is not None and gap <= link_distance


def has_turned(trail: Trail, face: Face, *, link_distance: float) -> bool:
    """Tell whether a face is as near to the newest one of a trail as two frames of one face."""
    newest = trail.strayed or (trail.encodings[-1] if trail.encodings else b"")
    if not newest or not is_encoding(face.encoding):
        return False
    return float(_apart(matrix(newest), matrix(face.encoding))[0, 0]) <= link_distance


def gaps_between(trails: Sequence[Trail], faces: Sequence[Face]) -> Gaps:
    """Return how far faces are from trails."""
    gaps = Gaps(*(np.full((len(trails), len(faces)), np.nan) for _ in Gaps._fields))
    seen = [f for f, face in enumerate(faces) if is_encoding(face.encoding)]
    known = [t for t, trail in enumerate(trails) if trail.encodings]
    settled = [t for t in known if is_settled(trails[t])]
    if not seen or not known:
        return gaps
    latest = matrix(b"".join(encoding for t in known for encoding in trails[t].encodings))
    rows = np.concatenate([latest, *(_mean(trails[t]) for t in settled)])
    apart = _apart(rows, matrix(b"".join(faces[f].encoding for f in seen)))
    starts = np.cumsum([0, *(len(trails[t].encodings) for t in known[:-1])])
    gaps.to_latest[np.ix_(known, seen)] = np.minimum.reduceat(apart[: len(latest)], starts, axis=0)
    gaps.to_mean[np.ix_(settled, seen)] = apart[len(latest) :]
    return gaps


def _cost(trail: Trail, face: Face, name: str | None, *, gap: float, link_distance: float) -> float | None:
    """Return how badly a face continues a trail; `None` if it cannot."""
    if trail.certain and name is not None and name != trail.person:
        return None
    apart = apart_widths(trail.box_px, face.box_px)
    if not np.isnan(gap):
        turned = (trail.turned or _is_turned(face)) and trail.strayed_ns < TURNED_S * 1e9 and apart < NEAR
        near = gap <= (_APART if turned else 1.0) * link_distance
        return gap / link_distance + min(apart, 1.0) if near else None
    return _BY_PLACE + apart + (0.0 if trail.in_view else NEAR) if apart < NEAR else None


def is_settled(trail: Trail) -> bool:
    """Tell whether a trail has encodings enough for its mean to be compared."""
    return trail.summed >= SETTLED


def _is_turned(face: Face) -> bool:
    """Tell whether a head is turned; a recognizer that does not measure it sends straight ones."""
    return face.turn is not None and face.turn > TURNED


def _gap_of_means(one: Trail, other: Trail) -> float | None:
    """Return how far apart the means of two trails are; `None` if one has not settled."""
    if not (is_settled(one) and is_settled(other)):
        return None
    return float(_apart(_mean(one), _mean(other))[0, 0])


def _mean(trail: Trail) -> Encodings:
    """Return the mean of a trail's encodings, of unit length if they are."""
    mean = matrix(trail.total) / np.float32(trail.summed)
    length = float(np.linalg.norm(mean))
    return mean if length > _UNIT_AT_MOST else mean / np.float32(max(length, _TINY))


def _apart(rows: Encodings, columns: Encodings) -> npt.NDArray[np.float64]:
    """Return the distances `(rows, columns)`, with crowds counted where encodings are of unit length."""
    both = np.concatenate([rows, columns])
    are_unit = np.einsum("ij,ij->i", both, both) <= _UNIT_AT_MOST**2
    added = crowding(both) * are_unit
    apart = np.linalg.norm(rows[:, None].astype(np.float64) - columns[None], axis=2)
    return np.asarray(apart + added[: len(rows), None] + added[len(rows) :])
