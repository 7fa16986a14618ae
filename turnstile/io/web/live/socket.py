"""The WebSocket of a page: pictures by credit, and words of its doors as they change.

Policy: one message at a time is under way to a page, and none is queued, so that a slow page holds up nobody
and gets the newest picture when it has drawn the last. A page that says more than a page would is closed.
"""

import asyncio
from collections.abc import Collection, Mapping

from starlette.websockets import WebSocket, WebSocketDisconnect

from turnstile.errors import WireError
from turnstile.io.web.admission import asker_of
from turnstile.io.web.assets import VERSION
from turnstile.io.web.live.hub import LiveHub, OpenPage
from turnstile.web.live.credits import Pace, PageCredits
from turnstile.web.live.message import DecisionHeader, SiteHeader, pack, read_wish

MAX_PAGES = 256
MAX_PAGES_EACH = 64
"""Open at once by one account."""

WAIT_S = 0.25
"""How long a page waits at most before it is looked at anew."""

SITE_EVERY_S = 2.0
MAX_WISHES_PER_S = 400
"""A page of 64 doors at 5 pictures a second says 320."""

CLOSE_NOT_UNDERSTOOD, CLOSE_TOO_MANY = 4400, 4429
_DECISIONS_AT_ONCE = 20


class LiveSocket:
    """Serves one page until it goes."""

    def __init__(self, websocket: WebSocket, hub: LiveHub, *, doors: Collection[str], at_door: bool) -> None:
        self._websocket, self._hub, self._at_door = websocket, hub, at_door
        asker = asker_of(websocket)
        self._restricted = asker.doors
        self._page = OpenPage(by=asker.name, credits=PageCredits(doors=frozenset(doors)))
        self._decided = hub.doors.decided
        self._site_s = float("-inf")
        self._troubles: tuple[str, ...] = ()
        self._second, self._wishes = 0, 0

    async def serve(self) -> None:
        """Send what is due and take what the page says, until it is gone."""
        self._hub.pages.add(self._page)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send())
                tasks.create_task(self._receive())
        except* WebSocketDisconnect:
            pass
        except* WireError as errors:
            await self._websocket.close(CLOSE_NOT_UNDERSTOOD, str(errors.exceptions[0])[:100])
        finally:
            self._hub.pages.discard(self._page)
            self._watch({})

    async def _receive(self) -> None:
        while True:
            wish = read_wish(await self._websocket.receive_text())
            self._count_wish()
            if wish.watch is not None:
                self._watch(wish.watch)
            self._page.credits.ready(wish.ready)
            self._page.news.set()

    def _watch(self, paces: Mapping[str, Pace]) -> None:
        """Show the pictures of these doors and of no others; their frames come while a page shows them."""
        before = self._page.credits.in_view
        self._page.credits.watch(paces)
        now = self._page.credits.in_view
        self._hub.link.frames.need(now - before)
        self._hub.link.frames.release(before - now)

    async def _send(self) -> None:
        credits_, news = self._page.credits, self._hub.doors.news
        while True:
            now_s = self._hub.look()
            await self._tell_of_the_site(now_s)
            due = credits_.next(news, now_s)
            if due is None:
                await self._wait()
                continue
            header, jpeg = self._hub.doors.header(due, at_door=self._at_door, now_s=now_s)
            credits_.sent(due, news[due.camera], now_s)
            await self._websocket.send_bytes(pack(header, jpeg))

    async def _tell_of_the_site(self, now_s: float) -> None:
        """Send the decisions that came, and how the site is."""
        doors = self._hub.doors
        lines = doors.decisions_since(self._decided)[-_DECISIONS_AT_ONCE:]
        self._decided = doors.decided
        for line in lines:
            if line.camera in self._page.credits.doors and not self._at_door:
                await self._websocket.send_bytes(pack(DecisionHeader(line=line)))
        troubles = () if self._at_door else doors.troubles(self._restricted, now_s)
        if troubles != self._troubles or now_s - self._site_s >= SITE_EVERY_S:
            self._troubles, self._site_s = troubles, now_s
            await self._websocket.send_bytes(pack(SiteHeader(troubles=troubles, version=VERSION)))

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._page.news.wait(), WAIT_S)
        except TimeoutError:
            return
        self._page.news.clear()

    def _count_wish(self) -> None:
        second = int(self._hub.clock())
        self._wishes = self._wishes + 1 if second == self._second else 1
        self._second = second
        if self._wishes > MAX_WISHES_PER_S:
            raise WireError(f"more than {MAX_WISHES_PER_S} messages a second")


async def serve(websocket: WebSocket, hub: LiveHub, *, doors: Collection[str], at_door: bool = False) -> None:
    """Serve a page, if not too many are open."""
    name = asker_of(websocket).name
    await websocket.accept()
    if len(hub.pages) >= MAX_PAGES or sum(page.by == name for page in hub.pages) >= MAX_PAGES_EACH:
        await websocket.close(CLOSE_TOO_MANY, "too many pages are open")
        return
    await LiveSocket(websocket, hub, doors=doors, at_door=at_door).serve()
