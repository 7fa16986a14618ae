"""Somebody who is signed in, on the bus of a site: what the web node sends for them, and the answers."""

from collections.abc import Callable

from tests.support.waiting import wait_until
from turnstile.io.bus.keys import NodeKey
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.requests import BROKER, AccountRole, Reply, Request
from turnstile.protocol.topics import topic
from turnstile.requests.answers import AnyAnswer, decode_answer
from turnstile.requests.wishes import AnyWish, encode_wish
from turnstile.site.settings import BrokerSettings

INSTANCE = "web-a1b2c3d4"


def a_request(
    wish: AnyWish | bytes,
    *,
    to: str = BROKER,
    by: str = "anna",
    role: AccountRole = "admin",
    doors: tuple[str, ...] = (),
    number: int = 31,
) -> Request:
    """Return a request; an admin's of all doors unless said otherwise."""
    body = wish if isinstance(wish, bytes) else encode_wish(wish)
    return Request(asker=INSTANCE, token=f"{number:x}", to=to, by=by, role=role, doors=doors, wish=body)


class AskingWeb:
    """A web node without pages."""

    def __init__(self, broker: BrokerSettings, *, key: NodeKey | None = None) -> None:
        self.bus = Bus(broker, key=key, topics=[topic("reply", INSTANCE)])
        self._asked = 0
        self._answers: dict[str, AnyAnswer] = {}

    def ask(
        self,
        wish: AnyWish | bytes,
        *,
        to: str = BROKER,
        by: str = "anna",
        role: AccountRole = "admin",
        doors: tuple[str, ...] = (),
    ) -> AnyAnswer:
        """Return the answer to a wish."""
        self._asked += 1
        request = a_request(wish, to=to, by=by, role=role, doors=doors, number=self._asked)
        token = request.token
        wait_until(lambda: not self.bus.broker_lost, lambda: self.bus.trouble, between=self._receive)
        wait_until(
            lambda: self.bus.send("request.", request), lambda: self.bus.trouble, between=self._receive
        )
        wait_until(lambda: token in self._answers, lambda: f"no answer to {wish!r}", between=self._receive)
        return self._answers.pop(token)

    def ask_until(
        self, wish: AnyWish, holds: Callable[[AnyAnswer], object], *, to: str = BROKER
    ) -> AnyAnswer:
        """Return the first answer to a wish of which something holds; it is asked again and again."""
        answers: list[AnyAnswer] = []
        wait_until(
            lambda: answers and holds(answers[-1]),
            lambda: answers[-1:],
            between=lambda: answers.append(self.ask(wish, to=to)),
        )
        return answers[-1]

    def close(self) -> None:
        """Leave the bus."""
        self.bus.close()

    def _receive(self) -> None:
        for _, message in self.bus.receive(0.1):
            if isinstance(message, Reply):
                self._answers[message.token] = decode_answer(message.answer)
