"""Who fetches from the journal, how far each reader is, and what it gets.

A reader says which event it has last, by source, number and visit. A number alone proves nothing: a journal
put back from a copy gives the same numbers again. So the visit is compared wherever the event is still there.
A reader that is ahead of the journal, or has another visit under a number, shows that one of both was put
back: the journal begins a new source at once. So it does when a reader comes from a journal it does not know:
one copy may have been put back twice, and the reader has had other events under the same numbers.
"""

import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from turnstile.io.journal.bodies import read_event
from turnstile.io.journal.sources import Source, begin_source, is_known, read_extent, read_source
from turnstile.io.runner.clock import running_ns
from turnstile.protocol.messages import Access, Fetch, Log
from turnstile.protocol.requests import Act

MAX_BATCH = 200

MAX_WITHOUT_LOGGERS = 100_000
"""Events kept at a site that has no logger to fetch them."""

LOGGER_FORGOTTEN_NS = 30 * 86_400 * 1_000_000_000
"""A logger that the site file does not name holds up nothing once it was not heard for 30 days. Only days in
which the broker ran count, and no clock that is set."""

BEGIN_EVERY_S = 10.0
"""A logger that makes up numbers has the journal renumbered so often and no oftener."""

SILENT_S = 3.0
"""After so long another process of the same name is served."""

REFUSED_ALOUD_S = 4.0
"""A process that only started again is served before that."""

MAX_REFUSED = 64


class Answer(NamedTuple):
    """What a reader gets, and what the broker has to say about it."""

    log: Log | None
    """`None` while a process that started again waits for the one before it to be forgotten."""
    news: str
    """What everybody should know, in words; empty when all is as ever."""


class _Run(NamedTuple):
    events: tuple[Access | Act, ...]
    damage: str
    """Which event before them cannot be read, in words; empty if none."""


@dataclass(kw_only=True)
class Readers:
    """The loggers and webhooks of a site. Call from the journal's thread."""

    named: Sequence[str]
    """Those of the site file: what they have not fetched is kept, however long they are away."""
    backlog: Mapping[str, int] = field(default_factory=dict)
    """Reader → how many events it has not fetched."""
    running_ns: Callable[[], int] = running_ns
    _acked: dict[str, int] = field(default_factory=dict)
    """Name → the number it has last."""
    _heard: set[str] = field(default_factory=set)
    """Those that were heard since `trim` looked last."""
    _trimmed_ns: int | None = None
    _served: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Name → the process that is served, and when it was heard last."""
    _began_s: float = -math.inf
    """When the last new source began, on the monotonic clock."""
    _refused: dict[str, float] = field(default_factory=dict)
    """Process → since when it is refused, on the monotonic clock."""
    _sent: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Name → the process that was served last, and the last number it was sent."""
    _strangers: set[tuple[str, str]] = field(default_factory=set)
    _begun: set[str] = field(default_factory=set)
    """Sources that began here, so that no reader can have other events under their numbers."""

    def answer(self, connection: sqlite3.Connection, fetch: Fetch) -> Answer:
        """Return the events after the one that a reader has last, or why it gets none.

        Raises:
            sqlite3.Error: the journal cannot be read, or no new source can be begun.
        """
        other = self._other_process(fetch)
        source, news = read_source(connection), ""
        if other:
            now_s = time.monotonic()
            if now_s - self._refused.setdefault(fetch.instance, now_s) < REFUSED_ALOUD_S:
                return Answer(None, "")
            words = f"two processes are called {fetch.name}: {other} is served, {fetch.instance} is not"
            refused = f"another process, {other}, is called {fetch.name} too; stop one or rename it"
            return Answer(Log(source=source.id, after_seq=0, next_seq=1, events=(), refused=refused), words)
        after = self._position(connection, fetch)
        if after is None and time.monotonic() - self._began_s < BEGIN_EVERY_S:
            after = self._known_position(connection, fetch.name)
        elif after is None:
            self._began_s = time.monotonic()
            extent = read_extent(connection)
            news = (
                f"{fetch.name} has event {fetch.source}:{fetch.after_seq}, which this journal has not: its "
                f"last is {extent.last}; the journal or that log was put back from a copy"
            )
            source = self._begin(connection, news)
            after = self._known_position(connection, fetch.name)
            news += f"; a new source, {source.id}, begins"
        elif fetch.source and not is_known(connection, fetch.source):
            words = _words_of_stranger(fetch)
            if source.id not in self._begun:
                source = self._begin(connection, words)
                after = source.began_seq - 1
            news = "" if (fetch.name, fetch.source) in self._strangers else words
            self._strangers.add((fetch.name, fetch.source))
        self._acked[fetch.name] = after
        self._heard.add(fetch.name)
        last = read_extent(connection).last
        events, damage = _run_after(connection, after)
        self._sent[fetch.name] = (fetch.instance, events[-1].seq if events else after)
        return Answer(
            Log(
                source=source.id,
                after_seq=after,
                next_seq=events[0].seq if events else last + 1,
                events=events,
                repeats_to=source.repeats_to,
                reason=source.reason,
            ),
            news or damage,
        )

    def trim(self, connection: sqlite3.Connection) -> None:
        """Forget what every reader has; and keep who has what, so that a restart forgets nothing more.

        Raises:
            sqlite3.Error: the journal cannot be written.
        """
        now_ns = self.running_ns()
        passed_ns = 0 if self._trimmed_ns is None else now_ns - self._trimmed_ns
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE loggers SET unheard_ns = unheard_ns + ?", (passed_ns,))
        for name in self._heard:
            connection.execute("INSERT OR REPLACE INTO loggers VALUES (?, ?, 0)", (name, self._acked[name]))
        known = self._known(connection)
        last = read_extent(connection).last - MAX_WITHOUT_LOGGERS
        connection.execute("DELETE FROM events WHERE seq <= ?", (min(known.values(), default=last),))
        connection.execute("COMMIT")
        self._trimmed_ns = now_ns
        self._heard.clear()

    def count_backlog(self, connection: sqlite3.Connection) -> None:
        """Note how many events each reader has not fetched."""
        extent = read_extent(connection)
        known = self._known(connection)
        self.backlog = {
            name: max(0, extent.last - max(acked, extent.oldest - 1)) for name, acked in known.items()
        }

    def _known(self, connection: sqlite3.Connection) -> dict[str, int]:
        """Return the last number of each reader that counts; 0 for one that never fetched."""
        rows = connection.execute("SELECT name, acked, unheard_ns FROM loggers").fetchall()
        gone = {name for name, _, unheard_ns in rows if unheard_ns >= LOGGER_FORGOTTEN_NS}
        stored = {name: acked for name, acked, _ in rows} | self._acked
        counting = {name: acked for name, acked in stored.items() if self._counts(name, gone)}
        return dict.fromkeys(self.named, 0) | counting

    def _counts(self, name: str, gone: set[str]) -> bool:
        return name not in gone or name in self.named or name in self._heard

    def _position(self, connection: sqlite3.Connection, fetch: Fetch) -> int | None:
        """Return the number of a reader's last event in this journal; `None` if one of both was put back."""
        if fetch.visit:
            found = connection.execute("SELECT seq FROM events WHERE visit = ?", (fetch.visit,)).fetchone()
            if found is not None:
                return int(found[0])
        extent, source = read_extent(connection), read_source(connection)
        if not fetch.source:
            return extent.oldest - 1
        if not is_known(connection, fetch.source):
            return source.began_seq - 1
        if fetch.after_seq < extent.oldest:
            return fetch.after_seq
        known = self._known_position(connection, fetch.name)
        instance, sent = self._sent.get(fetch.name, ("", 0))
        if not fetch.visit and fetch.after_seq <= (max(known, sent) if instance == fetch.instance else known):
            return fetch.after_seq
        return None if fetch.source == source.id else known

    def _known_position(self, connection: sqlite3.Connection, name: str) -> int:
        """Return how far this journal knows a reader to be."""
        extent = read_extent(connection)
        known = self._known(connection).get(name, 0)
        return max(min(known, extent.last), extent.oldest - 1)

    def _other_process(self, fetch: Fetch) -> str:
        """Return the process of that name that is served instead; empty when this one is."""
        instance, heard_s = self._served.get(fetch.name, ("", 0.0))
        now_s = time.monotonic()
        if instance not in ("", fetch.instance) and now_s - heard_s < SILENT_S:
            return instance
        self._served[fetch.name] = (fetch.instance, now_s)
        self._refused.pop(fetch.instance, None)
        if len(self._refused) > MAX_REFUSED:
            self._refused.clear()
        return ""

    def _begin(self, connection: sqlite3.Connection, reason: str) -> Source:
        source = begin_source(connection, reason)
        self._begun.add(source.id)
        return source


def _words_of_stranger(fetch: Fetch) -> str:
    return (
        f"{fetch.name} has events of the journal {fetch.source}, which this one does not know: it is "
        "new, another site's, or put back from a copy; what only the other had is not in that log"
    )


def _run_after(connection: sqlite3.Connection, after: int) -> _Run:
    """Return the next events whose numbers follow each other; a damaged one counts as gone."""
    run: list[Access | Act] = []
    damage = ""
    rows = connection.execute("SELECT seq, visit, body FROM events WHERE seq > ? ORDER BY seq", (after,))
    for seq, visit, body in rows:
        if len(run) == MAX_BATCH or (run and seq != run[-1].seq + 1):
            break
        try:
            run.append(read_event(body, seq=seq, visit=visit))
        except msgspec.MsgspecError as error:
            if run:
                break
            damage = f"event {seq} is damaged and cannot be logged: {error}; it is recorded as missing"
    return _Run(tuple(run), damage)
