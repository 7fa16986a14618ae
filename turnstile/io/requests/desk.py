"""The request desk: what people who are signed in want goes to a logger, or is done here.

It returns what is to be published and publishes nothing itself.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from turnstile.errors import WireError
from turnstile.protocol.requests import BROKER, Reply, Request
from turnstile.protocol.topics import Outgoing, topic
from turnstile.requests.accounts import why_not
from turnstile.requests.answers import AnyAnswer, RefusedWish, encode_answer
from turnstile.requests.wishes import AnyWish, decode_wish


@dataclass(kw_only=True)
class RequestDesk:
    """Takes requests, holds each to its account's role and doors, and answers."""

    loggers: Collection[str]
    """Those of the site file."""
    counts: Counter[str] = field(default_factory=Counter)

    def gauges(self) -> dict[str, float]:
        """Return the present values for the beat."""
        return {}

    def take(self, request: Request) -> list[Outgoing]:
        """Pass a request on to its logger, or answer it."""
        if request.to in self.loggers:
            return [Outgoing(topic("request", request.to), request)]
        return [self._reply(request, self._answer(request))]

    def _answer(self, request: Request) -> AnyAnswer:
        if request.to != BROKER:
            return RefusedWish(problem=f"there is no logger {request.to}: the site has {_row(self.loggers)}")
        try:
            wish = decode_wish(request.wish)
        except WireError as error:
            return RefusedWish(problem=f"{error}"[:4000])
        problem = why_not(request, wish)
        return RefusedWish(problem=problem, forbidden=True) if problem else self._do(wish)

    def _do(self, wish: AnyWish) -> AnyAnswer:
        return RefusedWish(problem=f"{type(wish).__name__} is not for the broker")

    def _reply(self, request: Request, answer: AnyAnswer) -> Outgoing:
        self.counts["refused_wishes" if isinstance(answer, RefusedWish) else "wishes"] += 1
        body = encode_answer(answer)
        reply = Reply(asker=request.asker, token=request.token, sender=BROKER, answer=body)
        return Outgoing(topic("reply", request.asker), reply)


def _row(names: Collection[str]) -> str:
    return ", ".join(names) or "none"
