"""Notes: entries of the chain that record what happened to the log itself, not at a door.

Like an entry, a note has the next number of the log and a hash of the same kind. Removing a name, a picture
or old entries therefore leaves a trace, which cannot be removed unseen.
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from turnstile.counts import counted
from turnstile.protocol.names import renamed, same_name

FORM = b"turnstile-note/1\n"
MAX_NS = 253_402_214_400 * 10**9
"""The last time that is written as a date: 9999-12-31 in UTC."""

_ACCOUNTS_ACT = re.compile(
    r"(# \S+  note [0-9]{1,19}: )(.*?)( \((?:viewer|clerk|admin)\) )(.*)(; event=[0-9a-f]+:[0-9]+)"
)
_RENAMED = re.compile(r'renamed ("(?:[^"\\]|\\.)*") to ("(?:[^"\\]|\\.)*")')
_REMARK = re.compile(r"# \S+  note ([0-9]{1,19}): ")


class SourceBegan(msgspec.Struct, frozen=True, kw_only=True, tag="source"):
    """From here on, events come from another journal."""

    source: str
    before: str
    """The previous journal."""
    before_seq: int
    """The last event taken from it."""
    after_seq: int = 0
    """The log has the new journal's events up to this number, if it has any."""
    reason: str = ""


class EventsMissing(msgspec.Struct, frozen=True, kw_only=True, tag="gap"):
    """Events that will never come, because their journal has lost them."""

    source: str
    first_seq: int
    last_seq: int

    @property
    def count(self) -> int:
        """Return how many are missing."""
        return self.last_seq - self.first_seq + 1


class EventsRepeated(msgspec.Struct, frozen=True, kw_only=True, tag="repeat"):
    """Events of visits that stand in the log already, under other numbers."""

    source: str
    first_seq: int
    last_seq: int


class OperatorActed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="act"):
    """The operator ended a lockout, or said that the broker's clock is right; or an account did something.

    What an account did has names in it, which can be erased. They stand in an `ActWords`; here are their
    commitments.
    """

    source: str
    seq: int
    """Its number among the events of the journal."""
    act: str
    """What tells it from other acts."""
    camera: str | None
    """The door; `None` for the clock."""
    asker: str
    at_ns: int
    """Broker's clock."""
    role: str = ""
    deed: str = ""
    """Which wish an account had; empty: what stands here says all."""
    by_commitment: bytes = b""
    words_commitment: bytes = b""


class ActWords(NamedTuple):
    """What can be erased of what an account did. A salt is erased when a pseudonym replaces a name."""

    by: str
    by_salt: bytes | None
    words: str
    words_salt: bytes | None


class NameErased(msgspec.Struct, frozen=True, kw_only=True, tag="erasure"):
    """A pseudonym replaced a name."""

    pseudonym: str
    entries: int


class PicturesRemoved(msgspec.Struct, frozen=True, kw_only=True, tag="pictures"):
    """Retention removed the pictures of entries stored before a time."""

    up_to: int
    """The newest entry that lost its picture."""
    before_ns: int


class EntriesRemoved(msgspec.Struct, frozen=True, kw_only=True, tag="retention"):
    """Retention removed the oldest entries, all stored before a time."""

    up_to: int
    """The newest entry that was removed."""
    up_to_hash: bytes
    before_ns: int


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, tag="unreadable"):
    """What a note says that was damaged or forged; it does not give the note's hash."""

    problem: str


Fact = (
    SourceBegan
    | EventsMissing
    | EventsRepeated
    | OperatorActed
    | NameErased
    | PicturesRemoved
    | EntriesRemoved
    | Unreadable
)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a note that its hash covers."""

    log: str
    """The log's name: ``site/logger``."""
    number: int
    """Position in the log, from 1, in one sequence with the entries."""
    at_ns: int
    """Clock of the machine that wrote it."""
    fact: Fact


class NoteLink(NamedTuple):
    """A note as it is stored."""

    note: Note
    previous: bytes
    hash: bytes
    told: ActWords | None = None
    """Who did what, of an account's act; `None` if that is lost."""


def seal_note(previous: bytes, note: Note) -> bytes:
    """Return the hash of a note that follows the entry or note with the hash `previous`."""
    return hashlib.sha256(FORM + previous + msgspec.json.encode(note, order="sorted")).digest()


def link_note(previous: bytes, note: Note) -> NoteLink:
    """Return a note as it is stored after the entry or note with the hash `previous`."""
    return NoteLink(note, previous, seal_note(previous, note))


def words_of(fact: Fact, told: ActWords | None = None) -> str:
    """Return what a note says, as a sentence without its full stop; `told` of what an account did."""
    match fact:
        case OperatorActed(deed=deed) if deed:
            by, words = ("somebody", f"({deed})") if told is None else (told.by, told.words)
            return f"{by} ({fact.role}) {words}; event={fact.source}:{fact.seq}"
        case SourceBegan() | EventsMissing() | EventsRepeated() | OperatorActed():
            return _words_of_events(fact)
        case NameErased(entries=entries):
            where = counted(entries, "entry", "entries")
            return f"{fact.pseudonym} stands for a name that was erased in {where}"
        case PicturesRemoved() | EntriesRemoved():
            what = "pictures of entries" if isinstance(fact, PicturesRemoved) else "entries"
            return f"{what} up to {fact.up_to}{_before(fact.before_ns)} were removed for their age"
        case Unreadable(problem=problem):
            return f"cannot be read: {problem}"


def remark(link: NoteLink, *, at: datetime) -> str:
    """Return a note as a line of the text; `at` is its `at_ns` in the zone of the log."""
    words = words_of(link.note.fact, link.told)
    return f"# {at.isoformat(timespec='milliseconds')}  note {link.note.number}: {words}"


def note_number(line: str) -> int | None:
    """Return the number of the note that a line tells; `None` if it tells none."""
    found = _REMARK.match(line)
    return None if found is None else int(found[1])


def without_name(line: str, person: str, pseudonym: str) -> str:
    """Return the line of a note with a pseudonym in the place of a name in what an account did."""
    found = _ACCOUNTS_ACT.fullmatch(line)
    if found is None:
        return line
    start, by, role, words, end = found.groups()
    return f"{start}{renamed(by, person, pseudonym)}{role}{renamed(words, person, pseudonym)}{end}"


def name_before(fact: OperatorActed, told: ActWords, person: str) -> str:
    """Return which name an act took from a person; empty if it did not rename the person."""
    found = _RENAMED.fullmatch(told.words) if fact.deed == "rename-person" else None
    if found is None:
        return ""
    before, after = (msgspec.json.decode(name, type=str) for name in found.groups())
    return before if same_name(after, person) and not same_name(before, person) else ""


def read_fact(data: bytes) -> Fact:
    """Return what a stored note says."""
    try:
        fact: Fact = msgspec.json.decode(data, type=Fact)
    except (msgspec.MsgspecError, UnicodeError) as error:
        return Unreadable(problem=str(error))
    return fact


def _before(wall_ns: int) -> str:
    """Return a time as a clause. It is the day in UTC, since it must read the same everywhere."""
    if not 0 < wall_ns < MAX_NS:
        return ""
    return f", stored before {datetime.fromtimestamp(wall_ns // 10**9, UTC):%Y-%m-%d},"


def _words_of_events(fact: SourceBegan | EventsMissing | EventsRepeated | OperatorActed) -> str:
    match fact:
        case SourceBegan():
            why = f": {fact.reason}" if fact.reason else ""
            return f"events come from journal {fact.source} after event {fact.before}:{fact.before_seq}{why}"
        case EventsMissing():
            return _missing(fact)
        case EventsRepeated():
            return f"events {fact.source}:{fact.first_seq} to {fact.last_seq} are in the log already"
        case OperatorActed():
            return _act(fact)


def _act(fact: OperatorActed) -> str:
    what = "said that the broker's clock is right" if fact.camera is None else f"unlocked {fact.camera}"
    if 0 < fact.at_ns < MAX_NS:
        what += f" at {datetime.fromtimestamp(fact.at_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{fact.asker} {what}; event={fact.source}:{fact.seq}"


def _missing(fact: EventsMissing) -> str:
    if fact.count == 1:
        return f"event {fact.source}:{fact.first_seq} is missing; the journal has it no more"
    seqs = f"{fact.source}:{fact.first_seq} to {fact.last_seq}"
    return f"{fact.count} events, {seqs}, are missing; the journal has them no more"
