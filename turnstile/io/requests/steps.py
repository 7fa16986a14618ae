"""What a request waits for on its way, awaited step by step; the broker's loop goes on meanwhile.

A request is done by a coroutine. It awaits an `Awaited`, which the desk has done, and gets what came of it,
or the `TurnstileError` that kept it from being done.

Library not taken: asyncio, since the sockets' loop is the broker's own, and these steps are few.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args

from turnstile.io.people.cache import Made

Lane = Literal["changes", "pictures", "unknowns"]
"""Changes of files are made one after the other; pictures are looked at, and unknown people kept, beside."""

LANES: tuple[Lane, ...] = get_args(Lane)

T = TypeVar("T")


class Awaited(Generic[T]):
    """Something that takes a while, and gives a `T`."""

    def __await__(self) -> Generator[Any, T, T]:
        """Let the desk have it done."""
        return (yield self)


@dataclass(frozen=True, kw_only=True)
class Encode(Awaited[Made]):
    """Have a recognizer encode the face in a picture, as in one for enrolment."""

    data: bytes


@dataclass(frozen=True)
class InThread(Awaited[T]):
    """Do something beside the broker's loop."""

    work: Callable[[], T]
    lane: Lane = "changes"


async def in_thread(work: Callable[[], T], lane: Lane = "changes") -> T:
    """Return what something gives that is done beside the broker's loop."""
    found: T = await InThread(work, lane)
    return found


@dataclass(frozen=True, kw_only=True)
class PutOnRecord(Awaited[None]):
    """Put on record what was done, with whoever asked for it."""

    words: str
    """Follow the account's name; names of people stand in quotes."""
    camera: str | None = None
