"""The page of the site's health, and what an admin can do about it.

Recognizers are scaled and nodes started again through the supervisor of the web node's own machine. What is
asked goes on record first, and what came of it afterwards.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from turnstile.errors import TurnstileError
from turnstile.io.supervise.control import send_command
from turnstile.io.web.admission import asker_of, may_see, needs
from turnstile.io.web.link import Asker, BusLink, NoAnswerError, RefusedWishError
from turnstile.io.web.live.hub import LiveHub
from turnstile.io.web.rendering import redirect, render
from turnstile.requests.answers import ChainFound
from turnstile.requests.wishes import ReadChain, RecordAct, UnlockDoor
from turnstile.site.fields import MAX_COUNT
from turnstile.site.settings import Site
from turnstile.web.live.health import health_of, losses_in_words

CHAIN_ANSWERS_S = 1.5
RECORD_S = 3.0
MAX_NOTED = 400

Note = Callable[[Asker, str], None]
"""Has an act put on record as soon as the broker answers."""


class SupervisedAct(NamedTuple):
    """What the supervisor is to do, in words."""

    wish: str
    """Follows "asked to"."""
    done: str
    """A sentence without its full stop."""


class HealthPages:
    """What the routes answer."""

    def __init__(self, hub: LiveHub, link: BusLink, *, site: Site, config: Path, note: Note) -> None:
        self._hub, self._link, self._site, self._config, self._note = hub, link, site, config, note
        self._host = site.web.host if site.web is not None and site.web.host else None

    async def page(self, request: Request) -> Response:
        """Show how nodes and cameras are."""
        asker = asker_of(request)
        now_s = self._hub.look()
        overview, sees_all = self._hub.doors.overview(now_s), not asker.doors
        health = health_of(overview, has_keys=self._site.keys is not None)
        is_heard = overview.broker is not None and not overview.broker.silent
        tells_all = sees_all or not is_heard
        mine = health.locked_out if asker.role == "admin" else ()
        here, trouble = await self._nodes_here() if asker.role == "admin" and sees_all else ([], "")
        return render(
            request,
            "health.html",
            health=health,
            alerts=health.alerts if tells_all else self._hub.doors.troubles(asker.doors, now_s),
            locked_out=[camera for camera in mine if may_see(asker, camera)],
            nodes=overview.nodes if sees_all else [],
            cameras=[row for row in overview.cameras if may_see(asker, row.camera)],
            chains=[await self._chain(asker, logger) for logger in self._site.loggers],
            losses=losses_in_words,
            nodes_here=here,
            trouble_here=trouble,
            sees_all=sees_all,
            running=sum(one["kind"] == "recognizer" and one["state"] == "running" for one in here),
            most=MAX_COUNT,
        )

    async def scale(self, request: Request) -> Response:
        """Change how many recognizers run on this machine."""
        form = await request.form()
        count = str(form.get("count", ""))
        if not count.isdecimal() or len(count) > len(str(MAX_COUNT)) or int(count) > MAX_COUNT:
            return redirect(request, "/health", problem=f"{count!r} is no number of 0 to {MAX_COUNT}")
        act = SupervisedAct(f"have {count} recognizers run here", f"{count} recognizers run on this machine")
        return await self._supervise(request, act, "scale", count=int(count))

    async def restart(self, request: Request) -> Response:
        """Start a node of this machine again."""
        name = str((await request.form()).get("name", ""))[:200]
        act = SupervisedAct(f"start {name} again", f"{name} was started again")
        return await self._supervise(request, act, "restart", name=name)

    async def unlock(self, request: Request) -> Response:
        """End a door's lockout."""
        camera = str((await request.form()).get("camera", ""))
        if camera not in self._site.cameras or not may_see(asker_of(request), camera):
            return redirect(request, "/health", problem=f"no door is named {camera[:80]!r}")
        await self._link.ask(UnlockDoor(camera=camera), asker_of(request))
        return redirect(request, "/health", done=f"{camera} is unlocked.")

    async def _supervise(
        self, request: Request, act: SupervisedAct, command: str, **properties: object
    ) -> Response:
        """Put on record what is asked, have the supervisor do it, and put on record what came of it.

        A broker that does not answer may be the very node to be started again: it is told of both later.
        """
        asker = asker_of(request)
        words = f"asked to {act.wish}"
        try:
            await self._link.ask(RecordAct(words=words), asker, within_s=RECORD_S)
        except NoAnswerError:
            self._note(asker, words)
        try:
            await run_in_threadpool(send_command, self._config, self._host, command, **properties)
        except (TurnstileError, OSError) as error:
            self._note(asker, f"{words}, which failed: {error}"[:MAX_NOTED])
            return redirect(request, "/health", problem=str(error))
        self._note(asker, f"{words}: {act.done}")
        return redirect(request, "/health", done=f"{act.done}.")

    async def _nodes_here(self) -> tuple[list[dict[str, Any]], str]:
        """Return the nodes that a supervisor keeps on this machine, or why there are none."""
        try:
            answer = await run_in_threadpool(send_command, self._config, self._host, "nodes")
        except (TurnstileError, OSError) as error:
            return [], str(error)
        nodes: list[dict[str, Any]] = answer["nodes"]
        return nodes, ""

    async def _chain(self, asker: Asker, logger: str) -> tuple[str, ChainFound | None]:
        """Return a logger's name and the state of its log; `None` if it does not answer."""
        try:
            found = await self._link.ask(ReadChain(), asker, to=logger, within_s=CHAIN_ANSWERS_S)
        except (NoAnswerError, RefusedWishError):
            return logger, None
        return logger, found if isinstance(found, ChainFound) else None


def routes(hub: LiveHub, link: BusLink, *, site: Site, config: Path, note: Note) -> list[BaseRoute]:
    """Return the routes of the page and of its actions."""
    pages = HealthPages(hub, link, site=site, config=config, note=note)
    admin, of_all_doors = needs("admin"), needs("admin", of_all_doors=True)
    return [
        Route("/health", pages.page, name="health"),
        Route("/health/scale", of_all_doors(pages.scale), methods=["POST"]),
        Route("/health/restart", of_all_doors(pages.restart), methods=["POST"]),
        Route("/health/unlock", admin(pages.unlock), methods=["POST"]),
    ]
