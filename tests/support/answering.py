"""A link to a bus on which a test answers for the broker and the loggers."""

import asyncio
from collections.abc import Callable
from typing import Any

from turnstile.io.web.link import BusLink
from turnstile.protocol.requests import Reply, Request
from turnstile.requests.answers import AnyAnswer, RefusedWish, encode_answer
from turnstile.requests.wishes import AnyWish, Wish, decode_wish

Answering = AnyAnswer | Callable[[Any], AnyAnswer]


class AnsweringBus:
    """Answers each wish by its type, at once, and keeps it.

    Attributes:
        link: what pages ask through.
        answers: wish → answer, or what makes it of the wish.
        asked: the requests with their wishes, in order.
    """

    def __init__(self) -> None:
        self.link = BusLink(instance="web-1", wake=self._answer)
        self.answers: dict[type[Wish], Answering] = {}
        self.asked: list[tuple[Request, AnyWish]] = []

    def wishes(self, *kinds: type[Wish]) -> list[Any]:
        """Return what was wished of these types, in order."""
        return [wish for _, wish in self.asked if isinstance(wish, kinds)]

    def _answer(self) -> None:
        self.link.serve(asyncio.get_running_loop())
        for request in self.link.due():
            wish = decode_wish(request.wish)
            self.asked.append((request, wish))
            found = self.answers.get(
                type(wish), RefusedWish(problem=f"not told what {type(wish).__name__} is")
            )
            answer = found(wish) if callable(found) else found
            reply = Reply(
                asker=request.asker, token=request.token, sender=request.to, answer=encode_answer(answer)
            )
            self.link.take([("reply.", reply)])
