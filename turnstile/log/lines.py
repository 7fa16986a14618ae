r"""The access log's text: one line a visit, for people to read and programs to parse.

::

    2026-11-22T11:01:14.123+01:00  front_door    GRANTED  Barack Obama          0.3124  3/5    recognised  event=9f…:17
    2026-11-22T11:01:31.480+01:00  front_door    DENIED   unknown               0.7310  8/8    unknown     event=9f…:18

The fields are time, camera, verdict, name, distance, votes, reason and the event's source and number.
Two or more spaces separate them, and no field holds two spaces in a row. ``awk -F'  +' '$3 == "DENIED"'``
works. A name always stays one field of one line. Characters that do not print, ``\`` and ``…`` are written
as ``\u000a``. So is the first letter of a person who is called "unknown". A field that is too long ends in
``…``. A line that begins with ``#`` is a remark.
"""  # noqa: E501 - two lines of the log as they are

import re
from datetime import datetime
from typing import NamedTuple

import msgspec

from turnstile.errors import LogError
from turnstile.log.chain import Link
from turnstile.log.notes import EventsMissing, SourceBegan, without_name
from turnstile.protocol.messages import Access, Fetch, Log, Verdict
from turnstile.protocol.names import name_key, same_name
from turnstile.protocol.requests import Act

MAX_LINE_CHARS = 500
"""No line is longer; `turnstile.protocol.messages.Entries` carries lines of this length."""

MAX_PERSON_CHARS = 200
MAX_REASON_CHARS = 80

_CAMERA_COLUMNS, _PERSON_COLUMNS, _VOTES_COLUMNS, _REASON_COLUMNS = 12, 20, 5, 10
_NOBODY, _NOTHING, _CUT = "unknown", "-", "…"
_REMARK = "#"
_FIELDS = 8

_GAP = re.compile(r" {2,}")
_DISTANCE = re.compile(r"[0-9]\.[0-9]{4}")
_VOTES = re.compile(r"([0-9]{1,19})/([0-9]{1,19})")
_EVENT = re.compile(r"(?:^| )event=([0-9a-f]{0,32}):([0-9]{1,19})$")
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|)")
_VERDICTS: dict[str, Verdict] = {"GRANTED": "granted", "DENIED": "denied"}


class Event(NamedTuple):
    """Which event a line records: its journal, and its number there."""

    source: str
    seq: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    at: datetime
    """With time zone, in whole milliseconds."""
    camera: str
    verdict: Verdict
    person: str | None
    """`None` means unknown."""
    distance: float | None
    """Rounded to four decimals."""
    votes: int
    of: int
    reason: str
    """A `turnstile.protocol.reasons.Reason`, perhaps of another version."""
    event: Event


def entry_of(link: Link, *, at: datetime) -> Entry:
    """Return the text entry of a stored entry; `at` is its `decided_ns` in the zone of the log."""
    record, personal = link.record, link.personal
    return Entry(
        at=at.replace(microsecond=at.microsecond // 1000 * 1000),
        camera=record.camera,
        verdict=record.verdict,
        person=personal.pseudonym or personal.person,
        distance=None if record.distance is None else round(record.distance, 4),
        votes=record.votes,
        of=record.of,
        reason=record.reason,
        event=Event(record.source, record.seq),
    )


def format_entry(entry: Entry) -> str:
    """Return an entry as its line, without the line's end."""
    votes = f"{entry.votes}/{entry.of}"
    person = _person_field(entry.person)
    reason = _escaped(entry.reason, _NOTHING, max_chars=MAX_REASON_CHARS) or _NOTHING
    fields = (
        entry.at.isoformat(timespec="milliseconds"),
        f"{entry.camera:<{_CAMERA_COLUMNS}}",
        f"{entry.verdict.upper():<7}",
        f"{person:<{_PERSON_COLUMNS}}",
        f"{_NOTHING:<6}" if entry.distance is None else f"{entry.distance:.4f}",
        f"{votes:<{_VOTES_COLUMNS}}",
        f"{reason:<{_REASON_COLUMNS}}",
        f"event={entry.event.source}:{entry.event.seq}",
    )
    return "  ".join(fields)


def parse_entry(line: str) -> Entry:
    """Return the entry that a line records.

    Raises:
        LogError: it is not a line that `format_entry` makes; the text says which field is wrong.
    """
    fields = _GAP.split(line)
    if len(fields) != _FIELDS:
        raise LogError(
            f"an entry has 8 fields with two spaces between them, this line has {len(fields)}: {line!r}"
        )
    at, camera, verdict, person, distance, votes, reason, event = fields
    counted = _VOTES.fullmatch(votes)
    numbered = _EVENT.fullmatch(event)
    if verdict not in _VERDICTS:
        raise LogError(f"the verdict is {verdict!r}; it would be GRANTED or DENIED")
    if distance != _NOTHING and not _DISTANCE.fullmatch(distance):
        raise LogError(f"the distance is {distance!r}; it would look like 0.3124 or -")
    if counted is None:
        raise LogError(f"the votes are {votes!r}; they would look like 3/5")
    if numbered is None:
        raise LogError(f"the event is {event!r}; it would look like event=9f3a:17")
    return Entry(
        at=_time(at),
        camera=camera,
        verdict=_VERDICTS[verdict],
        person=None if person == _NOBODY else _unescaped(person),
        distance=None if distance == _NOTHING else float(distance),
        votes=int(counted[1]),
        of=int(counted[2]),
        reason="" if reason == _NOTHING else _unescaped(reason),
        event=Event(numbered[1], int(numbered[2])),
    )


def event_of(line: str) -> Event | None:
    """Return the event at the end of a line, which remarks may have too; `None` if there is none."""
    found = _EVENT.search(line)
    return None if found is None else Event(found[1], int(found[2]))


def without_person(line: str, person: str, pseudonym: str) -> str:
    """Return a line with the person's name replaced by a pseudonym; other people's lines are unchanged.

    A line that only looks like an entry loses the name all the same, and keeps what else it has.
    """
    if is_remark(line):
        return without_name(line, person, pseudonym)
    name = person_field_of(line)
    if name is None or not _is_of(name, person):
        return line
    try:
        return format_entry(msgspec.structs.replace(parse_entry(line), person=pseudonym))
    except LogError:
        return line.replace(f"  {name}", f"  {pseudonym}", 1)


def person_field_of(line: str) -> str | None:
    """Return the field of a line that has the name, as it is written; `None` if it is no entry."""
    fields = _GAP.split(line)
    return fields[3] if len(fields) == _FIELDS and fields[3] != _NOBODY else None


def person_of_line(line: str) -> str | None:
    """Return whom a line names; `None` if nobody."""
    field = person_field_of(line)
    try:
        return None if field is None else _unescaped(field)
    except LogError:
        return field


def _is_of(field: str, person: str) -> bool:
    """Tell whether a field names a person; one that was cut, by what it has of the name."""
    try:
        same = same_name(_unescaped(field), person)
    except LogError:
        same = False
    return same or name_key(field) == name_key(_person_field(person))


def is_remark(line: str) -> bool:
    """Tell whether a line is a remark, not an entry."""
    return line.startswith(_REMARK)


def continuation(after: Event) -> str:
    """Return the remark at the start of a new file, when entries up to `after` are in another file."""
    return f"{_REMARK} continues after event={after.source}:{after.seq}"


def may_begin_line(text: str) -> bool:
    """Tell whether `text` could be the beginning of one of the log's lines."""
    shape = re.sub("[0-9]", "0", text[:11])
    return text.startswith(_REMARK) or "0000-00-00T".startswith(shape)


class Batch(NamedTuple):
    """The events of a `Log`, sorted for one access log."""

    new: tuple[Access | Act, ...]
    repeated: int
    """Events that the log has already."""
    refused: int
    """Events after a gap; those in the gap must come first."""


class Progress:
    """The events an access log has: all of each source up to a number.

    Attributes:
        newest: the event logged last; `None` before the first.
    """

    def __init__(self) -> None:
        self.newest: Event | None = None
        self._source = ""
        self._last_seqs: dict[str, int] = {}

    @property
    def fetch_after(self) -> Event:
        """Return the event to fetch after, in the journal that answered last; number 0 if there is none."""
        return Event(self._source, self._last_seqs.get(self._source, 0))

    def fetch(self, *, name: str, instance: str, newest_visit: str) -> Fetch:
        """Return what asks for the events after the last one; `newest_visit` is the visit of `newest`."""
        source, after_seq = self.fetch_after
        visit = newest_visit if self.fetch_after == self.newest else ""
        return Fetch(name=name, instance=instance, source=source, after_seq=after_seq, visit=visit)

    @property
    def last_seqs(self) -> dict[str, int]:
        """Return the last event of each journal."""
        return dict(self._last_seqs)

    def has(self, event: Event) -> bool:
        """Tell whether the log has an event."""
        return event.seq <= self._last_seqs.get(event.source, 0)

    def have(self, event: Event) -> None:
        """Note that the log has an event and all before it."""
        self.newest = event
        self._source = event.source
        self._last_seqs[event.source] = max(event.seq, self._last_seqs.get(event.source, 0))

    def account_for(self, log: Log) -> list[SourceBegan | EventsMissing]:
        """Return what a `Log` shows of its journal: that it is another one, that events will never come.

        Whoever has no events lacks those that the journal has forgotten. A log that was put back to its
        beginning is not told from a new one.
        """
        if self.newest is None:
            last = log.next_seq - 1
            return [EventsMissing(source=log.source, first_seq=1, last_seq=last)] if last > 0 else []
        facts: list[SourceBegan | EventsMissing] = []
        have = self._last_seqs.get(log.source, log.after_seq)
        if log.source != self.newest.source:
            began = SourceBegan(
                source=log.source,
                before=self.newest.source,
                before_seq=self.newest.seq,
                after_seq=have,
                reason=log.reason,
            )
            facts.append(began)
        if log.after_seq <= have < log.next_seq - 1:
            facts.append(EventsMissing(source=log.source, first_seq=have + 1, last_seq=log.next_seq - 1))
        return facts

    def sift(self, log: Log) -> Batch:
        """Return which events of a `Log` to write, in order. Call `have` once they are written.

        The first event of a new source may have any number, as a journal keeps only some.
        """
        self._source = log.source
        last_seq = self._last_seqs.get(log.source)
        new: list[Access | Act] = []
        repeated = refused = 0
        for access in log.events:
            if last_seq is not None and access.seq <= last_seq:
                repeated += 1
            elif access.source != log.source or (last_seq is not None and access.seq != last_seq + 1):
                refused += 1
            else:
                new.append(access)
                last_seq = access.seq
        return Batch(tuple(new), repeated, refused)


def _person_field(person: str | None) -> str:
    return _NOBODY if person is None else _escaped(person, _NOBODY, max_chars=MAX_PERSON_CHARS)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise LogError(f"the time is {text!r}; it would look like 2026-11-22T11:01:14.123+01:00") from error
    if at.tzinfo is None:
        raise LogError(f"the time {text!r} lacks its zone; it would end like +01:00")
    return at


def _escaped(text: str, reserved: str, *, max_chars: int) -> str:
    """Return `text` as one field that is not `reserved`, cut with an ellipsis if it is too long."""
    pieces: list[str] = []
    for at, char in enumerate(text):
        edge = char == " " and (at in {0, len(text) - 1} or text[at - 1] == " ")
        mistakable = at == 0 and text.casefold() == reserved
        plain = char.isprintable() and char not in {"\\", _CUT} and not edge and not mistakable
        pieces.append(char if plain else _escape(char))
    if sum(map(len, pieces)) <= max_chars:
        return "".join(pieces)
    while sum(map(len, pieces)) > max_chars - len(_CUT) or pieces[-1] == " ":
        pieces.pop()
    return "".join(pieces) + _CUT


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def _unescaped(text: str) -> str:
    def char(found: re.Match[str]) -> str:
        digits = found[1] or found[2]
        if digits is None or int(digits, 16) > 0x10FFFF:
            raise LogError(
                f"{text!r} has a backslash that is not followed by a character's number, as in \\u000a"
            )
        return chr(int(digits, 16))

    return _ESCAPE.sub(char, text)
