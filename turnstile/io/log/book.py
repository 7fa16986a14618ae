"""The access log as a logger keeps it: a store, the text written from it, a witness, and retention."""

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, zip_longest
from pathlib import Path

import msgspec

from turnstile.errors import LogError
from turnstile.files.space import Space
from turnstile.health.steady import Steady
from turnstile.io.log.aging import Ages
from turnstile.io.log.retention import Retention
from turnstile.io.log.text import RETRY_S, TextLog, line_of
from turnstile.io.log.witness import Witness
from turnstile.io.store.database import Database
from turnstile.io.store.store import LogName, Store, number_of
from turnstile.log.chain import Link, commitment
from turnstile.log.lines import Event
from turnstile.log.notes import ActWords, EventsRepeated, OperatorActed, words_of
from turnstile.log.paging import Line, answer
from turnstile.protocol.messages import Access, Entries, Fetch, Log, Query
from turnstile.protocol.requests import Act
from turnstile.site.settings import LoggerSettings

NOTICE_S = 600.0
"""How long what the log lacks is in the logger's beat."""

MAX_LINE_CHARS = 500
"""Of a line for those who tail: `turnstile.protocol.fields.Text`."""

RECENT = 5000
"""Among so many entries and notes an act is looked for that may be there already."""

LOOK_S = 2.0
"""How often the store is asked whether it is there, also when nobody comes."""

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class StoreReader:
    """The store's entries as those who tail get them."""

    store: Store

    @property
    def newest(self) -> tuple[int, Event]:
        """Return the number and event of the newest entry."""
        return self.store.head.number, self.store.progress.newest or Event("", 0)

    def place(self, event: Event) -> int | None:
        """Return the number to go on after for somebody who has an event."""
        number = self.store.number_at(event)
        if number is None:
            first = self.store.first_of(event.source)
            return None if first is None else first - 1
        return number

    def lines(self, *, after: int, at_most: int) -> Sequence[Line]:
        """Return entries as lines."""
        found, event = list[Line](), None
        for link in islice(self.store.chain(after=after), at_most):
            if isinstance(link, Link):
                event = Event(link.record.source, link.record.seq)
            if event is not None:  # a place is named by an event, so a note is told after one
                found.append(Line(number_of(link), event, line_of(link)[:MAX_LINE_CHARS]))
        return found


class Book:
    """Each event once, in order, in the store before it counts, and then in the text.

    Attributes:
        counts: ``entries`` stored, events ``repeated``, events ``refused_gap`` because others are missing
            before them.
        write_ms: how long the latest batch took to be durable in the store.
        space: the room on the disks of text and store.
    """

    def __init__(
        self,
        settings: LoggerSettings,
        name: LogName,
        *,
        max_page_bytes: int,
        fault_point: Callable[[str], None] | None = None,
        ages: Callable[[Store], Ages] = Ages,
    ) -> None:
        """Name the files; `keep_open` opens them. `fault_point` is for crash tests, see `Store`.

        `ages` is for tests with clocks of their own.
        """
        self.counts: Counter[str] = Counter()
        self.write_ms = 0.0
        self._fault_point = fault_point or (lambda _: None)
        self._store = Store(Database(settings.store_address), name, fault_point=self._fault_point)
        self._text = TextLog(Path(settings.file), self._store)
        self._witness = Witness(Path(settings.witness), str(name)) if settings.witness else None
        self._retention = Retention(settings, self._store, ages(self._store))
        self._reader = StoreReader(store=self._store)
        self._logger = name.logger
        self.space = Space(
            Path(settings.file), *([self._store.database.path] if self._store.database.path else [])
        )
        self._max_page_bytes = max_page_bytes
        self._writing = Steady()
        self._gap = ""
        self._refused = ""
        self._notice = ("", 0.0)
        self._claimed = False
        self._open_at = self._look_at = 0.0

    @property
    def fetch_after(self) -> Event:
        """Return the event to fetch after."""
        return self._store.progress.fetch_after

    def fetch(self, *, name: str, instance: str) -> Fetch:
        """Return what asks for the next events."""
        newest_visit = self._store.newest_visit
        return self._store.progress.fetch(name=name, instance=instance, newest_visit=newest_visit)

    @property
    def trouble(self) -> str:
        """Return what does not work now, in words; empty when all does."""
        notice, until = self._notice
        troubles = (
            self._refused,
            self._writing.trouble,
            self._gap,
            self._text.trouble,
            "" if self._witness is None else self._witness.trouble,
            self._retention.trouble,
            self.space.trouble,
            notice if time.monotonic() < until else "",
        )
        return next(filter(None, troubles), "")

    @property
    def is_refused(self) -> bool:
        """Tell whether another process of this name is served, so that this log is not the one asked for."""
        return bool(self._refused)

    def keep_open(self) -> bool:
        """Open what is not open, a second after it failed; do what is due; tell if events can be taken.

        Raises:
            ConfigError: a file holds something else than it should.
        """
        self.space.look()
        if time.monotonic() >= self._open_at:
            try:
                self._open()
                self._text.keep_up()
                self._retention.keep_if_due()
                self._note_well()
            except LogError as error:
                self._failed(error)
        if self._store.database.is_open and self._witness is not None:
            self._witness.keep_if_due(self._store.head)
        return self._store.database.is_open

    def append(self, message: Log) -> bool:
        """Store what is new in a `Log`; tell whether that was anything."""
        if message.refused and message.refused != self._refused:
            log.error("%s", message.refused)
        self._refused = message.refused
        if message.refused or not self.keep_open():
            return False
        before = self._store.head
        try:
            self._note(message)
            batch = self._store.progress.sift(message)
            self.counts["repeated"] += batch.repeated
            self.counts["refused_gap"] += batch.refused
            if batch.new:
                self._store_new(batch.new, message.repeats_to)
        except LogError as error:
            self._failed(error)
            return self._store.head != before
        gap = f"event {self.fetch_after.seq + 1} is missing in what the broker sends; asking again"
        if batch.refused and gap != self._gap:
            log.error("%s", gap)
        self._gap = gap if batch.refused else ""
        if batch.new:
            self._note_well(proven=True)
        return self._store.head != before

    def answer(self, query: Query) -> Entries | None:
        """Return the lines that somebody asks for; none when the store cannot be read now."""
        if not self._store.database.is_open:
            return None
        try:
            return answer(query, self._reader, logger=self._logger, max_page_bytes=self._max_page_bytes)
        except LogError as error:
            self._failed(error)
            return None

    def close(self) -> None:
        """Keep the newest head and let go of the files; all that was stored is on the disk."""
        if self._store.database.is_open and self._witness is not None:
            self._witness.keep(self._store.head)
        self._text.close()
        self._store.close()

    def _note(self, message: Log) -> None:
        """Put into the log that its events come from another journal now, and which will never come."""
        facts = self._store.progress.account_for(message)
        if facts:
            self._store.note(*facts, at_ns=time.time_ns())
            for fact in facts:
                log.error("%s", words_of(fact))
            self._notice = ("; ".join(map(words_of, facts)), time.monotonic() + NOTICE_S)
            self._text.keep_up()

    def _store_new(self, events: Sequence[Access | Act], repeats_to: int) -> None:
        """Store events, but for those whose visits stand in the log already; a note tells of them."""
        began = time.monotonic()
        doubtful = [event.visit for event in events if event.seq <= repeats_to]
        there = self._store.logged_visits(doubtful) if doubtful else frozenset[str]()
        there |= self._repeated_acts({event.visit for event in events if isinstance(event, Act)})
        for (is_there, is_act), run in groupby(
            events, key=lambda event: (event.visit in there, isinstance(event, Act))
        ):
            some, links = list(run), list[Link]()
            if is_act and not is_there:
                self._note_acts([act for act in some if isinstance(act, Act)])
            elif is_there:
                first, last = some[0], some[-1]
                fact = EventsRepeated(source=first.source, first_seq=first.seq, last_seq=last.seq)
                self._store.note(fact, at_ns=time.time_ns())
                self._store.newest_visit = last.visit
                self.counts["repeated"] += len(some)
            else:
                accesses = [event for event in some if isinstance(event, Access)]
                links = self._store.append(accesses, text_number=self._text.number)
                self.counts["entries"] += len(links)
            self.write_ms = (time.monotonic() - began) * 1000
            self._fault_point("before text")
            self._text.keep_up(links)
            self._fault_point("after text")

    def _repeated_acts(self, acts: Collection[str]) -> frozenset[str]:
        """Return which acts are in the log: a web node that got no answer asks for an act again."""
        after = max(0, self._store.head.number - RECENT)
        recent = self._store.acts(after=after) if acts else ()
        return frozenset(fact.act for _, fact in recent if fact.act in acts)

    def _note_acts(self, acts: Sequence[Act]) -> None:
        """Store acts: those of accounts with what can be erased of them."""
        for is_accounts, run in groupby(acts, key=lambda act: bool(act.deed)):
            some = list(run)
            told = [_told(act) for act in some] if is_accounts else []
            facts = [_fact(act, words) for act, words in zip_longest(some, told)]
            self._store.note(*facts, at_ns=time.time_ns(), told=told)

    def _open(self) -> None:
        if not self._claimed:
            self._text.claim()
            self._claimed = True
        if self._store.database.was_moved():
            log.error(
                "the store %s was removed or replaced while it was in use; the log goes on in what is there "
                "now, or in a new one; put the old one back while no logger runs",
                self._store.database.address,
            )
            self._store.close()
        if self._store.database.is_open:
            if time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + LOOK_S
                self._store.look()
            return
        self._store.open()
        self._text.start_over()

    def _failed(self, error: LogError) -> None:
        self._store.close()
        self._open_at = time.monotonic() + RETRY_S
        words = f"{error}; nothing is lost: the broker keeps events until they are logged"
        if self._writing.fail(words):
            log.error("%s", words)

    def _note_well(self, *, proven: bool = False) -> None:
        """Say that the log can be written again, when it was written to or nothing failed for a while."""
        if self._writing.work(time.monotonic(), proven=proven):
            log.info("the access log can be written again")


def _told(act: Act) -> ActWords:
    return ActWords(act.by, secrets.token_bytes(32), act.words, secrets.token_bytes(32))


def _fact(act: Act, told: ActWords | None) -> OperatorActed:
    fact = OperatorActed(
        source=act.source, seq=act.seq, act=act.visit, camera=act.camera, asker=act.asker, at_ns=act.at_ns
    )
    if told is None:
        return fact
    return msgspec.structs.replace(
        fact,
        role=act.role,
        deed=act.deed,
        by_commitment=commitment(told.by, told.by_salt or b""),
        words_commitment=commitment(told.words, told.words_salt or b""),
    )
