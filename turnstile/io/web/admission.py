"""Who may see a page: the session of each request, and guards by role and door.

A browser without a session is sent to the sign-in page; programs and WebSockets get 401. Only the paths of
`OPEN_TO_ALL` answer without a session. A WebSocket ends within seconds of its session.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import NamedTuple, Protocol
from urllib.parse import urlencode

from starlette.datastructures import URL, Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from turnstile.io.web.link import Asker
from turnstile.protocol.requests import AccountRole
from turnstile.web.places import is_at_least

OPEN_TO_ALL = ("/sign-in", "/invited/", "/static/", "/manifest.webmanifest")
RECHECK_S = 2.0
"""How soon a WebSocket ends whose session was ended."""
CLOSE_SIGNED_OUT = 4401
"""Code with which such a WebSocket is closed."""

Page = Callable[[Request], Awaitable[Response]]


class Session(NamedTuple):
    """Somebody who is signed in, on one device."""

    id: str
    """What the session is called on pages; no secret."""
    asker: Asker


class Sessions(Protocol):
    """Where sessions are found."""

    def find(self, connection: HTTPConnection) -> Session | None:
        """Return the session of a request; `None` if it has none that holds."""
        ...


class Admission:
    """Middleware that lets in whoever is signed in.

    It sets `request.state.asker` and `request.state.session`, and `request.state.is_signed_in`, which tells
    whether the session still holds.
    """

    def __init__(self, app: ASGIApp, *, sessions: Sessions) -> None:
        self._app, self._sessions = app, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        connection = HTTPConnection(scope)
        session = self._sessions.find(connection)
        state = scope.setdefault("state", {})
        state["session"], state["asker"] = session, session and session.asker
        state["is_signed_in"] = lambda: self._sessions.find(connection) == session
        if session is not None and scope["type"] == "websocket":
            await self._while_it_holds(connection, receive, send)
        elif session is not None or _is_open_to_all(scope["path"]):
            await self._app(scope, receive, send)
        else:
            await _refuse(scope, receive, send)

    async def _while_it_holds(self, connection: HTTPConnection, receive: Receive, send: Send) -> None:
        """Serve a WebSocket until its session ends."""
        serving = asyncio.ensure_future(self._app(connection.scope, receive, send))
        while not (await asyncio.wait((serving,), timeout=RECHECK_S))[0]:
            if not connection.state.is_signed_in():
                serving.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await serving
                await _close(send)
                return
        await serving


async def _close(send: Send) -> None:
    with contextlib.suppress(RuntimeError):  # it is closed already
        await send({"type": "websocket.close", "code": CLOSE_SIGNED_OUT, "reason": "signed out"})


def _is_open_to_all(path: str) -> bool:
    return any(path == one or (one.endswith("/") and path.startswith(one)) for one in OPEN_TO_ALL)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await refuse_websocket(scope, receive, send, PlainTextResponse("sign in first", 401))
    elif wants_a_page(Headers(scope=scope)):
        asks = _where_to_sign_in(scope)
        await RedirectResponse(f"/sign-in?{urlencode(asks)}" if asks else "/sign-in", 303)(
            scope, receive, send
        )
    else:
        await PlainTextResponse("sign in first", 401)(scope, receive, send)


def _where_to_sign_in(scope: Scope) -> dict[str, str]:
    """Return what the sign-in page is asked: to lead on to a page, and to say what was lost."""
    headers = Headers(scope=scope)
    before = URL(headers.get("referer", "")).path
    if scope["method"] not in ("GET", "HEAD"):
        return {} if scope["path"] == "/sign-out" else {"to": before, "lost": "form"}
    wanted = URL(scope=scope)
    there = wanted.path + (f"?{wanted.query}" if wanted.query else "")
    asks = {} if there == "/" else {"to": there}
    # Somebody was let in a moment ago. Whoever has been here before has the cookie of the device at least.
    has_no_cookies = "cookie" not in headers and before.startswith(("/sign-in", "/invited/"))
    return asks | {"lost": "cookie"} if has_no_cookies else asks


async def refuse_websocket(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    """Answer the request for a WebSocket as any other request."""

    async def send_denial(message: Message) -> None:
        await send({**message, "type": message["type"].replace("http", "websocket.http", 1)})

    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await answer({**scope, "type": "http"}, receive, send_denial)
    else:
        await send({"type": "websocket.close", "code": CLOSE_SIGNED_OUT})


def wants_a_page(headers: Headers) -> bool:
    """Tell whether a browser asks for a page to show, rather than a script for data."""
    mode = headers.get("sec-fetch-mode")
    return mode == "navigate" if mode else "text/html" in headers.get("accept", "")


def asker_of(connection: Request | WebSocket) -> Asker:
    """Return who asks.

    Raises:
        HTTPException: nobody is signed in.
    """
    asker = connection.state.asker
    if not isinstance(asker, Asker):
        raise HTTPException(401, "sign in first")
    return asker


def needs(role: AccountRole, *, of_all_doors: bool = False) -> Callable[[Page], Page]:
    """Let only accounts of a role, or of a higher one, reach a page, and perhaps only those of all doors."""

    def guard(page: Page) -> Page:
        @wraps(page)
        async def guarded(request: Request) -> Response:
            asker = asker_of(request)
            if not is_at_least(asker.role, role):
                raise HTTPException(403, f"this needs the role {role}; {asker.name} is a {asker.role}")
            if of_all_doors and asker.doors:
                raise HTTPException(403, f"this needs an account of all doors; {asker.name} is of some only")
            return await page(request)

        return guarded

    return guard


def may_see(asker: Asker, camera: str) -> bool:
    """Tell whether an account may see a door."""
    return not asker.doors or camera in asker.doors


def refuse_other_doors(asker: Asker, camera: str) -> None:
    """Answer as if there were no such door, if the account may not see it.

    Raises:
        HTTPException: it may not.
    """
    if not may_see(asker, camera):
        raise HTTPException(404, f"no door is named {camera!r}")
