"""The request desk: what people who are signed in want goes to a logger, or is done here.

It returns what is to be published and publishes nothing itself. Call it from the broker's loop.

Policy: every request is held to its account's role and doors. A change is made, put on record in the journal,
and only then answered with `Done`. While the journal cannot be written nothing is changed. At most
`MAX_WAITING` requests wait, `MAX_OF_ONE` of one account, with `MAX_BYTES` of pictures; more are refused.
Nobody waits longer than `WITHIN_S` for a recognizer.
"""

import logging
import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from turnstile.dispatch.desk import DispatchDesk
from turnstile.dispatch.dispatcher import Job
from turnstile.errors import PictureError, TurnstileError, WireError
from turnstile.io.access.desk import AccessDesk
from turnstile.io.people.cache import Made
from turnstile.io.people.desk import PeopleDesk
from turnstile.io.requests.steps import LANES, Encode, InThread, Lane, PutOnRecord
from turnstile.io.requests.threads import RequestThread
from turnstile.people.encodings import Unencoded
from turnstile.protocol.fields import STEERING
from turnstile.protocol.messages import Template
from turnstile.protocol.requests import BROKER, MAX_ANSWER_BYTES, MAX_DEED_CHARS, Act, Reply, Request
from turnstile.protocol.topics import Outgoing, topic
from turnstile.requests.accounts import why_not
from turnstile.requests.answers import AnyAnswer, RefusedWish, encode_answer
from turnstile.requests.wishes import AnyWish, RecordAct, decode_wish

MAX_WAITING, MAX_OF_ONE = 256, 96
"""A page of everybody asks for many pictures at once."""

NOBODY_WAITS = -1
UPKEEP_NS = 600 * 10**9
MAX_BYTES = 64 * 2**20
WITHIN_S = 25.0
MAX_WORDS = 4000

ASKED = "asked-"
"""What the key of a picture begins with that somebody asks about; others are hashes."""

_UNFIT = re.compile(f"[{STEERING}]")

Steps = Coroutine[Any, Any, AnyAnswer]

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class Errand:
    """A request that is being done."""

    number: int
    request: Request
    wish: AnyWish
    steps: Steps
    expires_ns: int
    picture: str = ""
    """The key of the picture that a recognizer has; empty if none has."""


@dataclass(kw_only=True)
class RequestDesk:
    """Takes requests, has them done, and answers."""

    loggers: Collection[str]
    """Those of the site file."""
    begin: Callable[[Request, AnyWish], Steps]
    """Returns what does a wish."""
    dispatch: DispatchDesk
    people: PeopleDesk
    access: AccessDesk
    upkeep: Callable[[], object]
    """Done beside, every ten minutes: forgets unknown people for their age."""
    wake_fd: int
    """An event descriptor of its own, readable when a thread has done something."""
    counts: Counter[str] = field(default_factory=Counter)
    _threads: dict[Lane, RequestThread] = field(init=False)
    _errands: dict[int, Errand] = field(default_factory=dict)
    _encoding: dict[str, int] = field(default_factory=dict)
    """Key of a picture → the errand that waits for it."""
    _recording: dict[str, int] = field(default_factory=dict)
    """Act → the errand that waits until it is on record."""
    _replies: list[Outgoing] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)
    _warned: str = ""
    _upkeep_ns: int = 0

    def __post_init__(self) -> None:
        """Start the threads."""
        self._threads = {lane: RequestThread(f"requests: {lane}", self._wake) for lane in LANES}
        self.people.asked = self._encoded
        self.access.acted = self._recorded

    def gauges(self) -> dict[str, float]:
        """Return the present values for the beat."""
        return {"requests_waiting": float(len(self._errands))}

    def take(self, request: Request, now_ns: int) -> list[Outgoing]:
        """Pass a request on to its logger, or begin to do it."""
        if request.to in self.loggers:
            return [Outgoing(topic("request", request.to), request)]
        self._begin(request, now_ns)
        return self._taken()

    def due(self, now_ns: int) -> list[Outgoing]:
        """Go on with what was waited for, and return the replies; free if there is nothing.

        Raises:
            Exception: what ended a thread.
        """
        for thread in self._threads.values():
            finished = thread.finished()
            if finished:
                with suppress(BlockingIOError):
                    os.eventfd_read(self.wake_fd)
            for number, value, error in finished:
                if error is not None and number == NOBODY_WAITS:
                    self._warn(f"{error}")
                self._go_on(number, value, error)
        if now_ns >= self._upkeep_ns:
            self._upkeep_ns = now_ns + UPKEEP_NS
            self.do(self.upkeep, "unknowns")
        for errand in [one for one in self._errands.values() if one.picture and one.expires_ns <= now_ns]:
            self._expire(errand)
        return self._taken()

    def do(self, work: Callable[[], object], lane: Lane) -> None:
        """Have something done that nobody waits for; what goes wrong is logged."""
        self._threads[lane].do(NOBODY_WAITS, work)

    def set_aside(self, key: str) -> bool:
        """Tell whether a picture that two recognizers failed on was somebody's here, and refuse it."""
        number = self._encoding.pop(key, None)
        if number is not None:
            self._go_on(number, error=PictureError("two recognizers failed on the picture"))
        return key.startswith(ASKED)

    def close(self) -> None:
        """Do no more."""
        for errand in self._errands.values():
            errand.steps.close()
        if all([thread.close() for thread in self._threads.values()]):  # noqa: C419 - close each
            os.close(self.wake_fd)

    def _wake(self) -> None:
        os.eventfd_write(self.wake_fd, 1)

    def _begin(self, request: Request, now_ns: int) -> None:
        try:
            wish = self._wish(request)
            problem = why_not(request, wish)
            if problem:
                self._reply(request, RefusedWish(problem=problem, forbidden=True))
                return
            steps = self.begin(request, wish)
        except TurnstileError as error:
            self._reply(request, RefusedWish(problem=_cut(error)))
            return
        errand = Errand(
            number=next(self._numbers),
            request=request,
            wish=wish,
            steps=steps,
            expires_ns=now_ns + round(WITHIN_S * 1e9),
        )
        self._errands[errand.number] = errand
        self._go_on(errand.number)

    def _wish(self, request: Request) -> AnyWish:
        if request.to != BROKER:
            known = ", ".join(self.loggers) or "none"
            raise WireError(f"there is no logger {request.to}: the site has {known}")
        waiting = [one.request for one in self._errands.values()]
        mine = sum(one.by == request.by for one in waiting)
        size = sum(len(one.wish) for one in waiting) + len(request.wish)
        if len(waiting) >= MAX_WAITING or mine >= MAX_OF_ONE or size > MAX_BYTES:
            raise WireError("too much is asked at once; try again in a moment")
        return decode_wish(request.wish)

    def _go_on(self, number: int, value: object = None, error: TurnstileError | None = None) -> None:
        errand = self._errands.get(number)
        if errand is None:
            return
        errand.picture = ""
        try:
            step = errand.steps.send(value) if error is None else errand.steps.throw(error)
        except StopIteration as done:
            self._end(errand, done.value)
        except TurnstileError as problem:
            self._end(errand, RefusedWish(problem=_cut(problem)))
        else:
            self._wait_for(errand, step)

    def _wait_for(self, errand: Errand, step: object) -> None:
        match step:
            case Encode(data=data):
                self._encode(errand, data)
            case InThread(work, lane):
                self._threads[lane].do(errand.number, work)
            case PutOnRecord():
                self._record(errand, step)

    def _encode(self, errand: Errand, data: bytes) -> None:
        if not self.dispatch.dispatcher.recognizers:
            self._go_on(
                errand.number, error=TurnstileError("no recognizer is there to look at it; is one running?")
            )
            return
        key = errand.picture = f"{ASKED}{errand.number}"
        self._encoding[key] = errand.number
        body = Unencoded(file="an upload", digest=key, data=data, is_asked=True)
        came_ns = time.monotonic_ns()
        self.dispatch.dispatcher.offer_picture(
            Job(kind="picture", key=key, seq=0, body=body, came_ns=came_ns)
        )

    def _encoded(self, key: str, template: Template, maker: str) -> None:
        number = self._encoding.pop(key, None)
        if number is None:
            return
        if template.problem:
            self._go_on(number, error=PictureError(template.problem))
        else:
            self._go_on(number, Made(template.encoding, maker, template.looks))

    def _record(self, errand: Errand, record: PutOnRecord) -> None:
        request, wish = errand.request, errand.wish
        once = wish.once if isinstance(wish, RecordAct) else ""
        act = Act(
            source="",
            seq=0,
            visit=f"act-{once or f'{time.monotonic_ns()}-{secrets.token_hex(8)}'}",
            camera=record.camera,
            asker=request.asker,
            at_ns=time.time_ns(),
            by=request.by,
            role=request.role,
            deed=str(wish.__struct_config__.tag),
            words=_UNFIT.sub("?", record.words)[:MAX_DEED_CHARS],
        )
        self._recording[act.visit] = errand.number
        self.access.journal.record_act(act)

    def _recorded(self, act: Act) -> None:
        number = self._recording.pop(act.visit, None)
        log.info("%s (%s) %s", act.by, act.role, act.deed)
        if number is not None:
            self._go_on(number)

    def _expire(self, errand: Errand) -> None:
        """Wait no longer for a recognizer."""
        self.dispatch.dispatcher.withdraw_picture(errand.picture)
        self._encoding.pop(errand.picture, None)
        words = f"no recognizer had time for the picture within {WITHIN_S:g} s"
        self._go_on(errand.number, error=TurnstileError(words))

    def _warn(self, words: str) -> None:
        if words != self._warned:
            log.warning("%s", words)
        self._warned = words

    def _end(self, errand: Errand, answer: AnyAnswer) -> None:
        del self._errands[errand.number]
        self._reply(errand.request, answer)

    def _reply(self, request: Request, answer: AnyAnswer) -> None:
        body = encode_answer(answer)
        if len(body) > MAX_ANSWER_BYTES:
            answer = RefusedWish(problem=f"the answer has {len(body) // 2**20} MB, more than is sent at once")
            body = encode_answer(answer)
        self.counts["refused_wishes" if isinstance(answer, RefusedWish) else "wishes"] += 1
        reply = Reply(asker=request.asker, token=request.token, sender=BROKER, answer=body)
        self._replies.append(Outgoing(topic("reply", request.asker), reply))

    def _taken(self) -> list[Outgoing]:
        replies, self._replies = self._replies, []
        return replies


def _cut(error: TurnstileError) -> str:
    return f"{error}"[:MAX_WORDS]
