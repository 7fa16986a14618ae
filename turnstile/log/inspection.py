"""What a walk along the chain finds: whatever is not as it was written, and what no note accounts for."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from turnstile.counts import counted
from turnstile.log.chain import START, Head, Link, Record, commitment, seal
from turnstile.log.notes import (
    EntriesRemoved,
    EventsMissing,
    EventsRepeated,
    NameErased,
    NoteLink,
    OperatorActed,
    PicturesRemoved,
    SourceBegan,
    seal_note,
)

_PSEUDONYM = re.compile("erased-[0-9a-f]{8}")

MAX_MOVED = 200
"""Of entries that do not give their hash, how many are compared with each other to find moved ones."""

WITNESS_SLACK_NS = 86_400 * 1_000_000_000
"""An entry is witnessed later than it was decided, by as long as its logger was away."""


class Finding(NamedTuple):
    """Something that is not as it was written."""

    number: int
    """The entry; 0 for the log as a whole."""
    words: str


class KeptHead(NamedTuple):
    """A head that was kept elsewhere."""

    head: Head
    words: str
    """Where and when, as the end of a sentence that starts with the entry."""
    at_ns: int | None = None
    """When it was kept; `None` if that is not known."""


class Inspection:
    """One walk along the chain: `take` each entry and note in order of number, then `finish`.

    Attributes:
        entries: how many entries were taken.
        notes: the notes that were taken.
        erased: how many entries have a pseudonym.
        without_picture: how many had a picture that was removed since.
        head: the last entry or note.
    """

    def __init__(self, floor: Head = START) -> None:
        """Begin after `floor`, the last entry that retention removed."""
        self.entries = self.erased = self.without_picture = 0
        self.notes: list[NoteLink] = []
        self.head = self._floor = floor
        self._findings: list[Finding] = []
        self._changed: list[Link] = []
        self._wanted: dict[bytes, str] = {}
        self._heads: dict[int, list[KeptHead]] = {}
        self._pseudonyms: dict[str, list[int]] = {}
        self._bare: list[Record] = []
        self._last_seqs: dict[str, int] = {}

    def expect(self, heads: Iterable[KeptHead]) -> None:
        """Compare with heads that were kept elsewhere.

        A head that is said to be kept later than a newer one was kept by a clock that was ahead; it counts as
        kept when the newer one was.
        """
        latest_ns: int | None = None
        for kept in sorted(heads, key=lambda one: -one.head.number):
            times = [at_ns for at_ns in (kept.at_ns, latest_ns) if at_ns is not None]
            latest_ns = min(times, default=None)
            self._heads.setdefault(kept.head.number, []).append(kept._replace(at_ns=latest_ns))

    def expect_hash(self, wanted: bytes, words: str) -> None:
        """Look for an entry by its hash alone."""
        self._wanted[wanted] = words

    def take(self, link: Link | NoteLink) -> None:
        """Look at the entry or note after the last one."""
        number = link.note.number if isinstance(link, NoteLink) else link.record.number
        sound = _gives_its_hash(link)
        if number > self.head.number + 1:
            self._find(self.head.number + 1, _missing(self.head.number + 1, number - 1))
        elif link.previous != self.head.hash and sound and not self._last_changed():
            self._find(self.head.number, f"{_entry(self.head.number)} is not the one that {number} follows")
        follows = number == self.head.number + 1
        if isinstance(link, NoteLink):
            self._take_note(link, sound=sound, follows=follows)
        else:
            self._take_entry(link, sound=sound, follows=follows)
        self.head = Head(number, link.hash)
        self._wanted.pop(link.hash, None)
        for kept in self._heads.pop(number, []):
            if kept.head.hash != link.hash:
                self._find(
                    number, f"{_entry(number)} is not the one that {kept.words}: the log was rewritten"
                )

    def finish(self, last_seqs: Mapping[str, int] | None = None) -> list[Finding]:
        """Return all that was found, in order of entries.

        Args:
            last_seqs: the last event of each journal that the store says it has.
        """
        self._account_for_erasures()
        self._account_for_pictures()
        self._account_for_floor()
        if last_seqs is not None:
            self._account_for_progress(last_seqs)
        for number, heads in sorted(self._heads.items()):
            for kept in heads:
                self._compare_absent(number, kept)
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

    def _take_entry(self, link: Link, *, sound: bool, follows: bool) -> None:
        self.entries += 1
        record = link.record
        if not sound:
            self._last_seqs.pop(record.source, None)
            self._changed.append(link)
            return
        self._inspect_personal(link)
        self._take_event(record.number, record.source, record.seq, follows=follows)

    def _take_event(self, number: int, source: str, seq: int, *, follows: bool) -> None:
        last = self._last_seqs.get(source)
        if last is not None and follows and seq != last + 1:
            self._find(number, f"event {source}:{seq} follows {source}:{last}; no gap is on record")
        self._last_seqs[source] = seq

    def _take_note(self, link: NoteLink, *, sound: bool, follows: bool) -> None:
        if not sound:
            self._find(link.note.number, f"note {link.note.number} was changed: it does not give its hash")
            return
        self.notes.append(link)
        match link.note.fact:
            case EventsMissing(source=source, last_seq=seq) | EventsRepeated(source=source, last_seq=seq):
                self._last_seqs[source] = seq
            case OperatorActed(source=source, seq=seq) as fact:
                self._take_event(link.note.number, source, seq, follows=follows)
                if fact.deed:
                    self._inspect_act(fact, link)
            case SourceBegan(source=source, after_seq=seq):
                self._last_seqs[source] = seq

    def _account_for_erasures(self) -> None:
        """Compare pseudonyms with the notes of erasures, which come after the entries they speak of."""
        recorded: Counter[str] = Counter()
        noted: dict[str, int] = {}
        for link in self.notes:
            if isinstance(link.note.fact, NameErased):
                recorded[link.note.fact.pseudonym] += link.note.fact.entries
                noted[link.note.fact.pseudonym] = link.note.number
        for pseudonym, numbers in self._pseudonyms.items():
            for number in numbers:
                if number > noted.get(pseudonym, 0):
                    self._find(
                        number, f"the name of entry {number} was replaced, but no erasure is on record"
                    )
            if pseudonym in noted and len(numbers) > recorded[pseudonym]:
                erased = f"erasures of {recorded[pseudonym]} are on record"
                words = f"{pseudonym} stands in {counted(len(numbers), 'entry', 'entries')}; {erased}"
                self._find(noted[pseudonym], words)

    def _account_for_pictures(self) -> None:
        facts = [one.note.fact for one in self.notes if isinstance(one.note.fact, PicturesRemoved)]
        up_to = max((one.up_to for one in facts), default=0)
        for record in self._bare:
            if record.number > up_to:
                words = f"the picture of entry {record.number} is missing, but no removal is on record"
                self._find(record.number, words)

    def _account_for_floor(self) -> None:
        floor = self._floor
        facts = [one.note.fact for one in self.notes if isinstance(one.note.fact, EntriesRemoved)]
        if floor.number and not any(Head(one.up_to, one.up_to_hash) == floor for one in facts):
            self._find(floor.number, f"{_missing(1, floor.number)}, but no removal is on record")

    def _account_for_progress(self, last_seqs: Mapping[str, int]) -> None:
        """Compare what the store says it has with what was walked along; the floor may hide old journals."""
        unknown = {link.record.source for link in self._changed}
        for source in {*self._last_seqs, *last_seqs} - unknown:
            walked, seq = self._last_seqs.get(source), last_seqs.get(source)
            if seq != walked and (walked is not None or not self._floor.number):
                words = f"the store says that its last event of {source} is {seq}; it is {walked}"
                self._find(0, words)

    def _compare_absent(self, number: int, kept: KeptHead) -> None:
        if number > self.head.number:
            end = _missing(self.head.number + 1, number)
            self._find(number, f"the end of the log is cut off: {end}; entry {number} {kept.words}")
        elif number == self._floor.number and kept.head.hash != self._floor.hash:
            self._find(number, f"{_entry(number)} was not the one that {kept.words}: the log was rewritten")
        elif kept.at_ns is not None and number <= self._floor.number:
            facts = [one.note.fact for one in self.notes if isinstance(one.note.fact, EntriesRemoved)]
            before_ns = max((one.before_ns for one in facts), default=0)
            if before_ns and kept.at_ns - WITNESS_SLACK_NS > before_ns:
                self._find(number, f"entry {number} {kept.words}: it was removed before its age allowed")

    def _inspect_personal(self, link: Link) -> None:
        record, personal, number = link.record, link.personal, link.record.number
        if personal.pseudonym is not None:
            self.erased += 1
            self._pseudonyms.setdefault(personal.pseudonym, []).append(number)
        elif personal.person_salt is None:
            self._find(number, f"the name of entry {number} is missing, but no erasure is on record")
        elif commitment(personal.person, personal.person_salt) != record.person_commitment:
            self._find(number, f"the name of entry {number} was changed")
        self._inspect_nearest(link)
        if not record.thumbnail_commitment:
            if personal.thumbnail is not None:
                self._find(number, f"entry {number} came without a picture and has one now")
        elif personal.thumbnail is None or personal.thumbnail_salt is None:
            self.without_picture += 1
            if personal.pseudonym is None:
                self._bare.append(record)
        elif commitment(personal.thumbnail, personal.thumbnail_salt) != record.thumbnail_commitment:
            self._find(number, f"the picture of entry {number} was changed")

    def _inspect_nearest(self, link: Link) -> None:
        record, personal, number = link.record, link.personal, link.record.number
        if not record.nearest_commitment:
            if personal.nearest is not None:
                self._find(number, f"entry {number} named nobody as nearest and names somebody now")
        elif personal.nearest_salt is not None:
            if commitment(personal.nearest, personal.nearest_salt) != record.nearest_commitment:
                self._find(number, f"the nearest person of entry {number} was changed")
        elif personal.nearest is None:
            self._find(number, f"the nearest person of entry {number} is missing")
        else:
            self._pseudonyms.setdefault(personal.nearest, []).append(number)

    def _inspect_act(self, fact: OperatorActed, link: NoteLink) -> None:
        number, told = link.note.number, link.told
        if told is None:
            self._find(number, f"what an account did by note {number} is missing")
            return
        proven = (
            (told.by, told.by_salt, fact.by_commitment),
            (told.words, told.words_salt, fact.words_commitment),
        )
        found = set[str]()
        for value, salt, committed in proven:
            if salt is None:
                stand_ins = set(_PSEUDONYM.findall(value))
                if not stand_ins:
                    self._find(number, f"what an account did by note {number} cannot be proven any more")
                found |= stand_ins
            elif commitment(value, salt) != committed:
                self._find(number, f"what an account did by note {number} was changed")
        for pseudonym in found:
            self._pseudonyms.setdefault(pseudonym, []).append(number)

    def _last_changed(self) -> bool:
        return bool(self._changed) and self._changed[-1].record.number == self.head.number

    def _find(self, number: int, words: str) -> None:
        self._findings.append(Finding(number, words))


def _gives_its_hash(link: Link | NoteLink) -> bool:
    if isinstance(link, NoteLink):
        return seal_note(link.previous, link.note) == link.hash
    return seal(link.previous, link.record) == link.hash


def _moved(changed: list[Link]) -> Mapping[int, int]:
    """Return, for those that would give their hash under another's number, that number."""
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
