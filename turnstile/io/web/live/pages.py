"""The wall, the tablet at a door, and the WebSockets that keep both live."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from turnstile.io.web.admission import asker_of, may_see, refuse_other_doors
from turnstile.io.web.link import Asker, BusLink, NoAnswerError, RefusedWishError
from turnstile.io.web.live import socket
from turnstile.io.web.live.hub import LiveHub
from turnstile.io.web.rendering import render
from turnstile.requests.answers import VisitsFound
from turnstile.requests.wishes import FindVisits
from turnstile.screen.audience import for_door
from turnstile.web.live.decisions import DecisionLine, of_entry

LOG_ANSWERS_S = 1.0
"""How long the wall waits for a logger before it is shown without."""

LISTED = 30
_CROWDS = ((1, "one"), (4, "few"), (9, "some"), (24, "many"))


class DoorCard(NamedTuple):
    """A door as a page without script shows it."""

    camera: str
    light: str
    words: str
    notice: str
    detail: str


class LivePages:
    """What the routes answer."""

    def __init__(self, hub: LiveHub, link: BusLink, *, loggers: Sequence[str]) -> None:
        self._hub, self._link, self._loggers = hub, link, tuple(loggers)

    async def wall(self, request: Request) -> Response:
        """Show all doors that the account may see, and the latest decisions."""
        asker = asker_of(request)
        doors = self._doors(asker)
        self._link.frames.expect(doors)
        found, answers = await self._decisions(asker)
        now_s = self._hub.look()
        return render(
            request,
            "wall.html",
            doors=[self._card(door) for door in doors],
            crowd=next((name for count, name in _CROWDS if len(doors) <= count), "very-many"),
            decisions=found,
            log_answers=answers,
            troubles=self._hub.doors.troubles(asker.doors, now_s),
        )

    async def door(self, request: Request) -> Response:
        """Show a door to whoever stands there."""
        camera = request.path_params["camera"]
        self._refuse_unless_seen(asker_of(request), camera)
        self._link.frames.expect((camera,))
        self._hub.look()
        return render(request, "door.html", door=self._card(camera, at_door=True))

    async def live(self, websocket: WebSocket) -> None:
        """Keep a wall live."""
        await socket.serve(websocket, self._hub, doors=self._doors(asker_of(websocket)))

    async def live_door(self, websocket: WebSocket) -> None:
        """Keep the tablet at a door live."""
        camera = websocket.path_params["camera"]
        self._refuse_unless_seen(asker_of(websocket), camera)
        await socket.serve(websocket, self._hub, doors=(camera,), at_door=True)

    def _refuse_unless_seen(self, asker: Asker, camera: str) -> None:
        refuse_other_doors(asker, camera)
        if camera not in self._hub.doors.news:
            raise HTTPException(404, f"no door is named {camera!r}")

    def _doors(self, asker: Asker) -> list[str]:
        return [camera for camera in self._hub.doors.news if may_see(asker, camera)]

    def _card(self, camera: str, *, at_door: bool = False) -> DoorCard:
        view = self._hub.doors.views[camera]
        shown = for_door(view) if at_door else view
        title, detail = ("", "") if shown.notice is None else (shown.notice.title, shown.notice.detail)
        return DoorCard(camera, view.light, self._hub.doors.states[camera], title, detail)

    async def _decisions(self, asker: Asker) -> tuple[list[DecisionLine], bool]:
        """Return the latest decisions, newest first, and whether a logger answered."""
        came = [line for line in self._hub.doors.decisions if may_see(asker, line.camera)]
        asked = await asyncio.gather(
            *(self._visits(asker, logger) for logger in self._loggers), return_exceptions=True
        )
        answers = [one for one in asked if isinstance(one, VisitsFound)]
        for one in asked:
            if isinstance(one, BaseException) and not isinstance(one, NoAnswerError | RefusedWishError):
                raise one
        logged = [of_entry(entry) for one in answers[:1] for entry in one.visits]
        lines = {line.event: line for line in (*logged, *came)}
        newest = sorted(lines.values(), key=lambda line: line.at_ns, reverse=True)[:LISTED]
        return newest, bool(answers)

    async def _visits(self, asker: Asker, logger: str) -> object:
        wish = FindVisits(at_most=LISTED, pictures=False)
        return await self._link.ask(wish, asker, to=logger, within_s=LOG_ANSWERS_S)


def routes(hub: LiveHub, link: BusLink, *, loggers: Sequence[str]) -> list[BaseRoute]:
    """Return the routes of the wall and of the tablets."""
    pages = LivePages(hub, link, loggers=loggers)
    return [
        Route("/", pages.wall, name="wall"),
        Route("/door/{camera}", pages.door, name="door"),
        WebSocketRoute("/live", pages.live, name="live"),
        WebSocketRoute("/live/{camera}", pages.live_door, name="live-door"),
    ]
