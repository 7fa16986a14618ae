"""Recent granted visits whose pictures would help to recognise people who have few."""

import hashlib
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import and_

from turnstile.errors import PictureError
from turnstile.io.store.store import Store
from turnstile.io.store.tables import entries, personal
from turnstile.protocol.fields import MAX_THUMBNAIL_BYTES, THUMBNAIL_MARGIN
from turnstile.protocol.jpeg import check_jpeg
from turnstile.protocol.names import name_key

RECENT_NS = 30 * 86_400 * 10**9
"""How long ago a visit may be."""
LOOKED_AT, PROPOSED = 5_000, 3
"""Newest grants that are looked at, and how many of a person are proposed."""

_AT_ONCE = 500


class GrantedVisit(NamedTuple):
    """A visit whose picture shows enough to be enrolled."""

    event: str
    camera: str
    at_ns: int
    digest: str
    """SHA-256 of its picture, in hexadecimal digits."""


def helpful(
    store: Store, people: Collection[str], *, since_ns: int, min_face_px: int, doors: Collection[str] = ()
) -> dict[str, list[GrantedVisit]]:
    """Return, by key of the name, the newest grants of these people whose pictures show enough to enrol.

    Args:
        store: of the log.
        people: their names.
        since_ns: the earliest visit.
        min_face_px: width of the smallest face.
        doors: at which; none named: at all.
    """
    wanted = {name_key(person) for person in people}
    recent = [
        entries.c.verdict == "granted",
        entries.c.decided_ns >= since_ns,
        personal.c.person.is_not(None),
        personal.c.thumbnail.is_not(None),
        *([entries.c.camera.in_(doors)] if doors else []),
    ]
    numbers: dict[str, list[int]] = {}
    for link in reversed(store.newest(LOOKED_AT, and_(*recent))):
        own = numbers.setdefault(name_key(link.personal.person or ""), [])
        if len(own) < PROPOSED:
            own.append(link.record.number)
    chosen = [number for key in sorted(numbers.keys() & wanted) for number in numbers[key]]
    found: dict[str, list[GrantedVisit]] = {}
    for at in range(0, len(chosen), _AT_ONCE):
        for link in store.links(entries.c.number.in_(chosen[at : at + _AT_ONCE]), pictures=True):
            record, picture = link.record, link.personal.thumbnail or b""
            if link.personal.person is not None and _face_px(picture) >= min_face_px:
                digest = hashlib.sha256(picture).hexdigest()
                visit = GrantedVisit(
                    f"{record.source}:{record.seq}", record.camera, record.decided_ns, digest
                )
                found.setdefault(name_key(link.personal.person), []).append(visit)
    return found


def _face_px(picture: bytes) -> int:
    """Return how wide the face in a picture of the log is, nearly: by the margin that it was cut with."""
    try:
        size = check_jpeg(picture, max_bytes=MAX_THUMBNAIL_BYTES, max_px=10**6)
    except PictureError:
        return 0
    return round(min(size.width_px, size.height_px) / (1 + 2 * THUMBNAIL_MARGIN))
