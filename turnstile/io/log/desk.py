"""What people who are signed in ask a log: answered in a thread, so that no question holds up the logger.

The thread reads the store with a connection of its own. Every request is held to its account's role and
doors. At most `MAX_WAITING` wait; more are refused. A page of entries ends before its pictures make it larger
than a message may be.

A verification has a thread of its own. It runs after the start if the log is short, and when somebody asks
and the last one is old: it may take a hundredth of the time.
"""

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_

from turnstile.errors import ConfigError, LogError, WireError
from turnstile.io.log.last_seen import LastSeen
from turnstile.io.log.selection import condition, newest_notes
from turnstile.io.log.verification import inspect
from turnstile.io.runner.worker import Worker
from turnstile.io.store.database import Database
from turnstile.io.store.helpful import RECENT_NS, helpful
from turnstile.io.store.store import LogName, Store
from turnstile.io.store.tables import entries
from turnstile.log.chain import Link
from turnstile.log.notes import NoteLink, words_of
from turnstile.log.question import Question
from turnstile.protocol.names import name_key
from turnstile.protocol.requests import Reply, Request
from turnstile.requests.accounts import why_not
from turnstile.requests.answers import (
    ActEntry,
    AnyAnswer,
    ChainFound,
    HelpfulFound,
    HelpfulVisit,
    LastSeenFound,
    RefusedWish,
    VisitEntry,
    VisitsFound,
    encode_answer,
)
from turnstile.requests.wishes import (
    MAX_VISITS,
    AnyWish,
    FindHelpful,
    FindLastSeen,
    FindVisits,
    ReadChain,
    decode_wish,
)
from turnstile.site.settings import LoggerSettings

MAX_WAITING = 32
PATIENCE_S = 5.0
"""How long to wait for the logger to finish a transaction."""

SHORT_LOG = 20_000
"""Entries that are verified in a few seconds."""

REST = 100.0
"""How many times as long as it took, nobody can have a log verified again."""

ENTRIES_AT_ONCE = 20_000
"""Looked through in one transaction."""

LOOK_S = 0.2
MAX_WORDS = 4000


class Verified(NamedTuple):
    """What the last verification found."""

    at_ns: int = 0
    problems: tuple[str, ...] = ()
    took_s: float = 0.0


class LogDesk:
    """Answers requests about one log. Call from the logger's loop.

    Attributes:
        counts: requests answered, as ``wishes``, and ``refused_wishes``.
    """

    def __init__(
        self, settings: LoggerSettings, name: LogName, *, max_bytes: int, wake: Callable[[], None]
    ) -> None:
        """Begin to wait for requests.

        Args:
            settings: where the store, the text and the witness are.
            name: of the log.
            max_bytes: of an answer.
            wake: called from the thread when an answer is ready.
        """
        self.counts = Counter(wishes=0, refused_wishes=0)
        self._settings, self._name, self._max_bytes, self._wake = settings, name, max_bytes, wake
        self._asked: queue.Queue[Request] = queue.Queue(MAX_WAITING)
        self._replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        self._verify: queue.Queue[None] = queue.Queue(1)
        self._verified = Verified()
        self._last_seen = LastSeen()
        self._workers = (Worker("log requests", self._work), Worker("log verification", self._keep_verified))
        for worker in self._workers:
            worker.start()

    def take(self, request: Request) -> None:
        """Have a request answered."""
        try:
            self._asked.put_nowait(request)
        except queue.Full:
            self._reply(request, RefusedWish(problem=f"the logger {self._name.logger} is busy; try again"))

    def due(self) -> list[Reply]:
        """Return the replies that are ready.

        Raises:
            Exception: what ended a thread.
        """
        for worker in self._workers:
            worker.check()
        found: list[Reply] = []
        with suppress(queue.Empty):
            while True:
                found.append(self._replies.get_nowait())
        return found

    def close(self) -> None:
        """Answer no more; what is read just now is not waited for long."""
        for worker in self._workers:
            worker.close(within_s=0.5)

    def _work(self) -> None:
        stopping, store = self._workers[0].stopping, self._store()
        while not stopping.is_set():
            with suppress(queue.Empty):
                request = self._asked.get(timeout=LOOK_S)
                self._reply(request, self._answer(request, store))
        store.close()

    def _reply(self, request: Request, answer: AnyAnswer) -> None:
        self.counts["refused_wishes" if isinstance(answer, RefusedWish) else "wishes"] += 1
        body = encode_answer(answer)
        sender = self._name.logger
        self._replies.put(Reply(asker=request.asker, token=request.token, sender=sender, answer=body))
        self._wake()

    def _answer(self, request: Request, store: Store) -> AnyAnswer:
        try:
            wish = decode_wish(request.wish)
        except WireError as error:
            return RefusedWish(problem=f"{error}"[:MAX_WORDS])
        problem = why_not(request, wish)
        if problem:
            return RefusedWish(problem=problem, forbidden=True)
        try:
            if store.database.was_moved():
                store.close()
            if store.database.is_open:
                store.refresh()
            else:
                store.open(create=False)
            return self._answer_from(store, request, wish)
        except (LogError, ConfigError) as error:
            store.close()
            return RefusedWish(problem=f"{error}"[:MAX_WORDS])

    def _answer_from(self, store: Store, request: Request, wish: AnyWish) -> AnyAnswer:
        match wish:
            case FindVisits():
                return self._visits(store, request, wish)
            case FindLastSeen():
                return LastSeenFound(people=self._last_seen.people(store, doors=request.doors))
            case FindHelpful():
                return _helpful(store, wish, request.doors)
            case ReadChain():
                return self._chain(store)
            case _:
                return RefusedWish(problem=f"{type(wish).__name__} is not for a logger")

    def _visits(self, store: Store, request: Request, wish: FindVisits) -> VisitsFound:
        question = Question(
            person=wish.person,
            camera=wish.camera,
            verdict=wish.verdict,
            reason=wish.reason,
            since_ns=wish.since_ns,
            until_ns=wish.until_ns,
        )
        where = and_(condition(store, question), *_restrictions(request, wish))
        found = _newest(store, where, wish)
        tells_nearest = request.role != "viewer"
        shown = list(_fitting(found[: wish.at_most], self._max_bytes, tells_nearest=tells_nearest))
        more = len(found) > len(shown)
        after = shown[-1].number if more else store.floor.number
        acts = [] if wish.event else self._acts(store, question, request, after=after, before=wish.before)
        return VisitsFound(logger=self._name.logger, visits=tuple(shown), acts=tuple(acts), more=more)

    def _acts(
        self, store: Store, question: Question, request: Request, *, after: int, before: int | None
    ) -> Iterator[ActEntry]:
        """Give what stands between the visits of a page; those at one door only to who may see others not."""
        if request.doors and question.camera is None:
            return
        last = store.head.number + 1 if before is None else before
        for link in newest_notes(store, question, after=after, before=last, at_most=MAX_VISITS):
            yield _act_entry(link)

    def _chain(self, store: Store) -> ChainFound:
        at_ns, problems, took_s = self._verified
        if time.time_ns() - at_ns > took_s * REST * 1e9:
            self._ask_to_verify()
        head = store.head
        return ChainFound(
            logger=self._name.logger,
            head_number=head.number,
            head_hash=head.hash.hex(),
            verified_ns=at_ns,
            problems=problems,
        )

    def _ask_to_verify(self) -> None:
        with suppress(queue.Full):
            self._verify.put_nowait(None)

    def _keep_verified(self) -> None:
        stopping = self._workers[1].stopping
        if self._is_short():
            self._ask_to_verify()
        while not stopping.is_set():
            with suppress(queue.Empty):
                self._verify.get(timeout=LOOK_S)
                self._verified = self._verification()

    def _is_short(self) -> bool:
        store = self._store()
        try:
            store.open(create=False)
        except (LogError, ConfigError):
            return False
        else:
            return store.head.number - store.floor.number <= SHORT_LOG
        finally:
            store.close()

    def _verification(self) -> Verified:
        began_s, store = time.monotonic(), self._store()
        try:
            store.open(create=False)
            report = inspect(store, self._settings)
            problems = [] if report.whole else report.lines
        except (LogError, ConfigError) as error:
            problems = [f"the log cannot be verified: {error}"]
        finally:
            store.close()
        cut = tuple(words[:MAX_WORDS] for words in problems[:MAX_VISITS])
        return Verified(time.time_ns(), cut, time.monotonic() - began_s)

    def _store(self) -> Store:
        return Store(Database(self._settings.store_address, patience_s=PATIENCE_S), self._name)


def _helpful(store: Store, wish: FindHelpful, doors: tuple[str, ...]) -> HelpfulFound:
    since_ns = time.time_ns() - RECENT_NS
    found = helpful(store, wish.people, since_ns=since_ns, min_face_px=wish.min_face_px, doors=doors)
    return HelpfulFound(
        people={
            person: tuple(HelpfulVisit(**visit._asdict()) for visit in found[name_key(person)])
            for person in wish.people
            if name_key(person) in found
        }
    )


def _newest(store: Store, where: ColumnElement[bool], wish: FindVisits) -> list[Link]:
    """Return one entry more than is wanted, newest first, read in transactions that hold up no writer."""
    found: list[Link] = []
    before = store.head.number + 1 if wish.before is None else min(wish.before, store.head.number + 1)
    while before > store.floor.number + 1 and len(found) <= wish.at_most:
        after = max(store.floor.number, before - 1 - ENTRIES_AT_ONCE)
        here = and_(where, entries.c.number > after, entries.c.number < before)
        found += store.newest(wish.at_most + 1 - len(found), here, pictures=wish.pictures)[::-1]
        before = after + 1
    return found


def _restrictions(request: Request, wish: FindVisits) -> Iterator[ColumnElement[bool]]:
    if request.doors:
        yield entries.c.camera.in_(request.doors)
    if wish.event is not None:
        source, _, seq = wish.event.partition(":")
        yield and_(entries.c.source == source, entries.c.seq == int(seq))


def _fitting(links: list[Link], max_bytes: int, *, tells_nearest: bool) -> Iterator[VisitEntry]:
    """Give entries until their pictures fill half an answer; the rest is for acts and words."""
    left = max_bytes // 2
    for link in links:
        picture = link.personal.thumbnail or b""
        left -= len(picture) + 1000
        if left < 0:
            return
        yield _entry(link, picture, tells_nearest=tells_nearest)


def _entry(link: Link, picture: bytes, *, tells_nearest: bool) -> VisitEntry:
    record, personal = link.record, link.personal
    return VisitEntry(
        number=record.number,
        event=f"{record.source}:{record.seq}",
        camera=record.camera,
        verdict=record.verdict,
        reason=record.reason,
        person=personal.pseudonym or personal.person,
        nearest=personal.nearest if tells_nearest else None,
        distance=record.distance,
        margin=record.margin,
        max_distance=record.max_distance,
        votes=record.votes,
        of=record.of,
        visit=record.visit,
        decided_ns=record.decided_ns,
        recognizer=record.recognizer,
        encoding=record.encoding,
        gallery_version=record.gallery_version,
        config_hash=record.config_hash,
        picture=picture,
        hash=link.hash.hex(),
    )


def _act_entry(link: NoteLink) -> ActEntry:
    note = link.note
    return ActEntry(
        number=note.number, at_ns=max(0, note.at_ns), words=words_of(note.fact, link.told)[:MAX_WORDS]
    )
