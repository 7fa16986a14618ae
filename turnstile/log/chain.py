"""The chain of the access log: what each entry's hash covers.

An entry's hash is SHA-256 over `FORM`, the hash of the entry before it (32 zero bytes before the first) and
the entry's `Record` as JSON: keys sorted, no spaces, numbers in their shortest form, bytes as base64, UTF-8.
So an entry that was changed, removed or moved no longer fits its neighbours.

Personal fields are not in the record. The record holds a commitment to each: HMAC-SHA256 of the field as
MessagePack, keyed by a salt of 32 random bytes. Field and salt are stored elsewhere. While both exist, the
commitment proves that the field is unchanged. Once both are erased it tells nothing, and the chain still
verifies.

A chain cannot show that its end was cut off, or that all of it was written anew. A `Head` shows both: the
newest number and hash, kept where the log's writer cannot change it.

Entries written before November 2026 have neither `max_distance` nor `nearest_commitment`. Their hash covers
`FORM_1` and a record without these fields.

What happened to the log itself stands in the same chain, as notes (`turnstile.log.notes`).
"""

import hashlib
import hmac
from typing import NamedTuple

import msgspec

from turnstile.protocol.messages import Access, Verdict

FORM = b"turnstile-entry/2\n"
FORM_1 = b"turnstile-entry/1\n"
_NOT_IN_FORM_1 = ("max_distance", "nearest_commitment")
BEFORE_FIRST = bytes(32)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The permanent part of an entry, which its hash covers."""

    log: str
    """The log's name: ``site/logger``."""
    number: int
    """Position in the log, from 1."""
    source: str
    seq: int
    camera: str
    verdict: Verdict
    reason: str
    distance: float | None
    margin: float | None
    votes: int
    of: int
    visit: str
    decided_ns: int
    captured_ns: int
    frame_seq: int
    recognizer: str
    left_px: int | None
    top_px: int | None
    right_px: int | None
    bottom_px: int | None
    expires_ns: int
    encoding: str
    gallery_version: str
    config_hash: str
    person_commitment: bytes
    thumbnail_commitment: bytes
    """Empty if the event came without a picture."""
    max_distance: float | None = None
    nearest_commitment: bytes | None = None
    """Empty if the event names nobody as nearest; `None` in an entry of the first form."""


class Personal(NamedTuple):
    """The part of an entry that can be erased. Each salt is erased with its field."""

    person: str | None
    """`None` means unknown; meaningless without its salt."""
    person_salt: bytes | None
    thumbnail: bytes | None
    thumbnail_salt: bytes | None
    pseudonym: str | None = None
    """Replaces the person's name after an erasure."""
    nearest: str | None = None
    """Whom somebody unknown came nearest to; without its salt, the pseudonym that replaced the name."""
    nearest_salt: bytes | None = None


class Link(NamedTuple):
    """An entry as it is stored."""

    record: Record
    personal: Personal
    previous: bytes
    hash: bytes


class Head(NamedTuple):
    """A place in the log: an entry's number and hash; number 0 is before the first."""

    number: int
    hash: bytes


START = Head(0, BEFORE_FIRST)


class Salts(NamedTuple):
    """Random bytes for the commitments of an entry, 32 each."""

    person: bytes
    thumbnail: bytes
    nearest: bytes


def extend(head: Head, access: Access, *, log: str, salts: Salts) -> Link:
    """Return an event as the entry that follows `head`."""
    box, thumbnail, nearest = access.box_px, access.thumbnail, access.nearest
    record = Record(
        log=log,
        number=head.number + 1,
        source=access.source,
        seq=access.seq,
        camera=access.camera,
        verdict=access.verdict,
        reason=access.reason.value,
        distance=_plain(access.distance),
        margin=_plain(access.margin),
        votes=access.votes,
        of=access.of,
        visit=_storable(access.visit),
        decided_ns=access.decided_ns,
        captured_ns=access.captured_ns,
        frame_seq=access.frame_seq,
        recognizer=access.recognizer,
        left_px=None if box is None else box.left,
        top_px=None if box is None else box.top,
        right_px=None if box is None else box.right,
        bottom_px=None if box is None else box.bottom,
        expires_ns=access.expires_ns,
        encoding=_storable(access.encoding),
        gallery_version=_storable(access.gallery_version),
        config_hash=_storable(access.config_hash),
        person_commitment=commitment(access.person, salts.person),
        thumbnail_commitment=commitment(thumbnail, salts.thumbnail) if thumbnail else b"",
        max_distance=_plain(access.max_distance),
        nearest_commitment=b"" if nearest is None else commitment(nearest, salts.nearest),
    )
    personal = Personal(
        access.person,
        salts.person,
        thumbnail or None,
        salts.thumbnail if thumbnail else None,
        nearest=nearest,
        nearest_salt=None if nearest is None else salts.nearest,
    )
    return Link(record, personal, head.hash, seal(head.hash, record))


def seal(previous: bytes, record: Record) -> bytes:
    """Return the hash of an entry that follows the one with the hash `previous`."""
    fields, form = msgspec.structs.asdict(record), FORM
    if record.nearest_commitment is None:
        form = FORM_1
        for name in _NOT_IN_FORM_1:
            del fields[name]
    return hashlib.sha256(form + previous + msgspec.json.encode(fields, order="sorted")).digest()


def commitment(value: str | bytes | None, salt: bytes) -> bytes:
    """Return the commitment to a personal field, which does not reveal it."""
    return hmac.digest(salt, msgspec.msgpack.encode(value), "sha256")


def _plain(value: float | None) -> float | None:
    """Return a number as every database returns it: SQLite has no negative zero."""
    return None if value is None else float(value) + 0.0


def _storable(text: str) -> str:
    """Return text without the one character that PostgreSQL refuses."""
    return text.replace("\0", "\ufffd")
