"""The hub: what the bus says of the doors, and the open pages that are told of it.

It belongs to the server's event loop.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from turnstile.io.bus.nodes import Heard
from turnstile.io.web.link import BusLink
from turnstile.web.live.credits import PageCredits
from turnstile.web.live.doors import LiveDoors

LOOK_EVERY_S = 0.1
"""How often all doors are looked at for what time alone changes, such as a camera that is silent."""


@dataclass(kw_only=True, eq=False)
class OpenPage:
    """A page that somebody has open."""

    by: str
    """The account."""
    credits: PageCredits
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something of its doors may be due."""


@dataclass(kw_only=True)
class LiveHub:
    """The doors of a site, and the pages that show them."""

    doors: LiveDoors
    link: BusLink
    clock: Callable[[], float] = time.monotonic
    pages: set[OpenPage] = field(default_factory=set)
    _looked_s: float = float("-inf")

    def hear(self, heard: Sequence[Heard]) -> None:
        """Take what came of cameras and nodes, and wake the pages that show them."""
        now_s = self.clock()
        self.doors.show(self.link.frames.cameras, now_s)
        touched = self.doors.take((message for _, message in heard), now_s)
        self._note_broker(now_s)
        self.doors.refresh(touched, now_s)
        for page in self.pages:
            if not touched.isdisjoint(page.credits.doors):
                page.news.set()

    def look(self) -> float:
        """Look at all doors anew if it is time, and return the time."""
        now_s = self.clock()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self.doors.show(self.link.frames.cameras, now_s)
            self._note_broker(now_s)
            self.doors.refresh(self.doors.news, now_s)
        return now_s

    def _note_broker(self, now_s: float) -> None:
        lost, silent_s = self.link.broker
        self.doors.note_broker(silent=lost, silent_s=silent_s, now_s=now_s)
