"""The link between the pages, which run in the server's event loop, and the bus, which the node's loop owns.

The node's loop calls `take` with what it received and `due` for what is to be sent; the pages await `ask`.
Messages of cameras and nodes go to the listeners, in the server's event loop.

Libraries not taken: `zmq.asyncio`, since every node's sockets belong to its loop, which beats and reconnects.
"""

import asyncio
import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import NamedTuple

from turnstile.errors import TurnstileError, WireError
from turnstile.io.bus.nodes import Heard
from turnstile.io.web.demand import FrameDemand
from turnstile.protocol.messages import Frame
from turnstile.protocol.requests import BROKER, AccountRole, Reply, Request
from turnstile.requests.answers import AnyAnswer, RefusedWish, decode_answer
from turnstile.requests.wishes import AnyWish, encode_wish

ANSWER_S = 8.0
"""How long to wait for an answer."""

log = logging.getLogger("turnstile")


class Asker(NamedTuple):
    """Who wants something."""

    name: str
    role: AccountRole
    doors: tuple[str, ...] = ()
    """Which the account may see; empty: all."""


class BrokerContact(NamedTuple):
    """Whether the broker is heard, and for how long it has been silent."""

    lost: bool = True
    silent_s: float = 0.0


class NoAnswerError(TurnstileError):
    """The broker or the logger did not answer in time."""


class RefusedWishError(TurnstileError):
    """What was wanted is not done."""

    def __init__(self, refusal: RefusedWish) -> None:
        """Keep the refusal; its problem is the text."""
        super().__init__(refusal.problem)
        self.refusal = refusal


@dataclass(kw_only=True)
class BusLink:
    """Carries the pages' requests to the bus, and its messages to the pages. A process has one."""

    instance: str
    """Of the web node."""
    wake: Callable[[], None]
    """Called from the server's thread when there is something to send."""
    listeners: list[Callable[[Sequence[Heard]], None]] = field(default_factory=list)
    """Called in the server's event loop with messages of cameras and nodes."""
    broker: BrokerContact = field(default_factory=BrokerContact)
    """Set by the node's loop at every turn."""
    frames: FrameDemand = field(init=False)
    """Whose frames the node's loop is to hear."""
    _loop: asyncio.AbstractEventLoop | None = None
    _frames: dict[str, Heard] = field(default_factory=dict)
    """The newest of each camera that the pages have not got yet."""
    _others: deque[Heard] = field(default_factory=deque)
    _inbox: threading.Lock = field(default_factory=threading.Lock)
    _outgoing: SimpleQueue[Request] = field(default_factory=SimpleQueue)
    _waiting: dict[str, asyncio.Future[AnyAnswer]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hear no camera's frames yet."""
        self.frames = FrameDemand(self.wake)

    def serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver to this event loop from now on."""
        self._loop = loop

    def take(self, heard: Sequence[Heard]) -> None:
        """Pass on what was received; call from the node's loop.

        An event loop that is behind gets only the newest frame of each camera.
        """
        if not heard or self._loop is None or self._loop.is_closed():
            return
        with self._inbox:
            waits = bool(self._frames or self._others)
            for one in heard:
                if isinstance(one[1], Frame):
                    self._frames[one[1].camera] = one
                else:
                    self._others.append(one)
        if not waits:
            self._loop.call_soon_threadsafe(self._deliver)

    def due(self) -> list[Request]:
        """Return what is to be sent; call from the node's loop."""
        requests: list[Request] = []
        while True:
            try:
                requests.append(self._outgoing.get_nowait())
            except Empty:
                return requests

    async def ask(
        self, wish: AnyWish, asker: Asker, *, to: str = BROKER, within_s: float = ANSWER_S
    ) -> AnyAnswer:
        """Have the broker or a logger do what somebody wants, and return the answer.

        Raises:
            RefusedWishError: it was refused; nothing was changed.
            NoAnswerError: no answer came in time. Whether it was done is not known.
        """
        token = secrets.token_hex(8)
        answer: asyncio.Future[AnyAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[token] = answer
        try:
            request = Request(
                asker=self.instance,
                token=token,
                to=to,
                by=asker.name,
                role=asker.role,
                doors=asker.doors,
                wish=encode_wish(wish),
            )
            self._outgoing.put(request)
            self.wake()
            found = await asyncio.wait_for(answer, within_s)
        except TimeoutError as error:
            who = "the broker" if to == BROKER else f"the logger {to}"
            raise NoAnswerError(f"{who} does not answer") from error
        finally:
            del self._waiting[token]
        if isinstance(found, RefusedWish):
            raise RefusedWishError(found)
        return found

    def _deliver(self) -> None:
        with self._inbox:
            heard = [*self._frames.values(), *self._others]
            self._frames.clear()
            self._others.clear()
        others: list[Heard] = []
        for one in heard:
            message = one[1]
            if isinstance(message, Reply):
                self._answer(message)
            else:
                others.append(one)
        for listener in self.listeners:
            listener(others)

    def _answer(self, reply: Reply) -> None:
        waiting = self._waiting.get(reply.token)
        if waiting is None or waiting.done():
            return
        try:
            waiting.set_result(decode_answer(reply.answer))
        except WireError as error:
            log.warning("%s answered with what cannot be read: %s", reply.sender, error)
            waiting.set_result(RefusedWish(problem=f"{reply.sender}'s answer cannot be read: {error}"))
