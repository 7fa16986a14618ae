"""The chain of the access log: what each entry's hash covers, and what a verification finds.

An entry's hash is SHA-256 over `FORM`, the hash of the entry before it (32 zero bytes before the first) and
the entry's `Record` as JSON: keys sorted, no spaces, numbers in their shortest form, bytes as base64, UTF-8.
So an entry that was changed, removed or moved no longer fits its neighbours.

Personal fields are not in the record. The record holds a commitment to each: HMAC-SHA256 of the field as
MessagePack, keyed by a salt of 32 random bytes. Field and salt are stored elsewhere. While both exist, the
commitment proves that the field is unchanged. Once both are erased it tells nothing, and the chain still
verifies.

A chain cannot show that its end was cut off, or that all of it was written anew. A `Head` shows both: the
newest number and hash, kept where the log's writer cannot change it.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from turnstile.protocol.messages import Access, Verdict

FORM = b"turnstile-entry/1\n"
BEFORE_FIRST = bytes(32)
MAX_MOVED = 200
"""Most entries with a wrong hash that are compared with each other to find moved ones."""


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


class Personal(NamedTuple):
    """The part of an entry that can be erased. Each salt is erased with its field."""

    person: str | None
    """`None` means unknown; meaningless without its salt."""
    person_salt: bytes | None
    thumbnail: bytes | None
    thumbnail_salt: bytes | None
    pseudonym: str | None = None
    """Replaces the person's name after an erasure."""


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
    """Random bytes for the two commitments of an entry, 32 each."""

    person: bytes
    thumbnail: bytes


def extend(head: Head, access: Access, *, log: str, salts: Salts) -> Link:
    """Return an event as the entry that follows `head`."""
    box, thumbnail = access.box_px, access.thumbnail
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
    )
    personal = Personal(
        access.person, salts.person, thumbnail or None, salts.thumbnail if thumbnail else None
    )
    return Link(record, personal, head.hash, seal(head.hash, record))


def seal(previous: bytes, record: Record) -> bytes:
    """Return the hash of an entry that follows the one with the hash `previous`."""
    return hashlib.sha256(FORM + previous + msgspec.json.encode(record, order="sorted")).digest()


def commitment(value: str | bytes | None, salt: bytes) -> bytes:
    """Return the commitment to a personal field, which does not reveal it."""
    return hmac.digest(salt, msgspec.msgpack.encode(value), "sha256")


class Finding(NamedTuple):
    """Something that differs from what was written."""

    number: int
    """The entry; 0 for the log as a whole."""
    words: str


class Inspection:
    """One walk along the chain: `take` each entry in order of number, then `finish`.

    Attributes:
        entries: how many were taken.
        erased: of these, how many have a pseudonym.
        without_picture: how many had a picture that was removed since.
        head: the last one.
    """

    def __init__(self, floor: Head = START, *, erasures: Iterable[str] = ()) -> None:
        """Begin after `floor`, the last entry that retention removed; `erasures` are pseudonyms."""
        self.entries = self.erased = self.without_picture = 0
        self.head = self._floor = floor
        self._erasures = frozenset(erasures)
        self._findings: list[Finding] = []
        self._changed: list[Link] = []
        self._wanted: dict[bytes, str] = {}
        self._heads: dict[int, list[tuple[Head, str]]] = {}

    def expect(self, heads: Iterable[tuple[Head, str]]) -> None:
        """Compare with heads that were kept elsewhere, each with words that say where and when."""
        for head, words in heads:
            self._heads.setdefault(head.number, []).append((head, words))

    def expect_hash(self, wanted: bytes, words: str) -> None:
        """Look for an entry by its hash alone."""
        self._wanted[wanted] = words

    def take(self, link: Link) -> None:
        """Check the next entry."""
        number = link.record.number
        sound = seal(link.previous, link.record) == link.hash
        if number > self.head.number + 1:
            self._find(self.head.number + 1, _missing(self.head.number + 1, number - 1))
        elif link.previous != self.head.hash and sound and not self._last_changed():
            self._find(self.head.number, f"{_entry(self.head.number)} is not the one that {number} follows")
        if sound:
            self._inspect_personal(link)
        else:
            self._changed.append(link)
        self.entries += 1
        self.head = Head(number, link.hash)
        self._wanted.pop(link.hash, None)
        for kept, words in self._heads.pop(number, []):
            if kept.hash != link.hash:
                self._find(number, f"{_entry(number)} is not the one that {words}: the log was rewritten")

    def finish(self) -> list[Finding]:
        """Return all findings, in order of entries."""
        for number, kept in sorted(self._heads.items()):
            for head, words in kept:
                self._compare_absent(number, head, words)
        for words in self._wanted.values():
            self._find(0, words)
        originals = _moved(self._changed)
        for link in self._changed:
            number = link.record.number
            original = originals.get(number)
            if original is None:
                self._find(number, f"{_entry(number)} was changed: it does not give its hash")
            else:
                self._find(number, f"{_entry(number)} was moved: it is what was written as entry {original}")
        return sorted(self._findings)

    def _compare_absent(self, number: int, head: Head, words: str) -> None:
        if number > self.head.number:
            end = _missing(self.head.number + 1, number)
            self._find(number, f"the end of the log is cut off: {end}; entry {number} {words}")
        elif number == self._floor.number and head.hash != self._floor.hash:
            self._find(number, f"{_entry(number)} was not the one that {words}: the log was rewritten")

    def _inspect_personal(self, link: Link) -> None:
        record, personal, number = link.record, link.personal, link.record.number
        if personal.pseudonym is not None:
            self.erased += 1
            if personal.pseudonym not in self._erasures:
                self._find(number, f"the name of entry {number} was replaced, but no erasure is on record")
        elif personal.person_salt is None:
            self._find(number, f"the name of entry {number} is missing, but no erasure is on record")
        elif commitment(personal.person, personal.person_salt) != record.person_commitment:
            self._find(number, f"the name of entry {number} was changed")
        if not record.thumbnail_commitment:
            return
        if personal.thumbnail is None or personal.thumbnail_salt is None:
            self.without_picture += 1
        elif commitment(personal.thumbnail, personal.thumbnail_salt) != record.thumbnail_commitment:
            self._find(number, f"the picture of entry {number} was changed")

    def _last_changed(self) -> bool:
        return bool(self._changed) and self._changed[-1].record.number == self.head.number

    def _find(self, number: int, words: str) -> None:
        self._findings.append(Finding(number, words))


def _moved(changed: list[Link]) -> Mapping[int, int]:
    """Return, for each entry that fits another's number, that number."""
    some = changed[:MAX_MOVED]
    numbers = sorted({near for link in some for near in _near(link.record.number)})
    found: dict[int, int] = {}
    for link in some:
        for number in numbers:
            original = msgspec.structs.replace(link.record, number=number)
            if number != link.record.number and seal(link.previous, original) == link.hash:
                found[link.record.number] = number
                break
    return found


def _near(number: int) -> range:
    return range(max(1, number - 1), number + 2)


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def _entry(number: int) -> str:
    return f"entry {number}" if number else "the beginning of the log"


def _plain(value: float | None) -> float | None:
    """Return a number as every database returns it: SQLite has no negative zero."""
    return None if value is None else float(value) + 0.0


def _storable(text: str) -> str:
    """Return text without the one character that PostgreSQL refuses."""
    return text.replace("\0", "\ufffd")
