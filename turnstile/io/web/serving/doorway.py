"""What every request passes before it reaches a page: the proxy's secret, host and origin, and size.

A request that breaks a rule is answered in a line, and no page learns of it. Every answer bears the headers
that keep browsers from being talked into anything.
"""

import asyncio
import hmac
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turnstile.io.web.admission import refuse_websocket
from turnstile.io.web.serving.listener import Connections
from turnstile.web.doorway import Doorway, why_not
from turnstile.web.places import is_at_least

PROXY_SECRET = "turnstile-proxy-secret"  # noqa: S105 - the name of a header
BODY_BYTES = {"nobody": 64 * 2**10, "somebody": 2**20, "upload": 65 * 2**20}
HEAD_BYTES = 16 * 2**10
"""Path, query and headers; h11 bounds only what comes in parts."""
UPLOADS = ("/enrol",)
"""Below these paths clerks may send pictures."""
BODY_PAUSE_S, BODY_S = 10.0, 60.0
"""Longest wait for a part of a body, and for all of it."""

POLICY = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
TRANSPORT_SECURITY = "max-age=31536000"


class DoorwayRules:
    """Middleware before all others."""

    def __init__(self, app: ASGIApp, *, doorway: Doorway) -> None:
        self._app, self._doorway = app, doorway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why it is refused."""
        headers = Headers(scope=scope)
        scope.setdefault("state", {})["peer"] = scope["client"]
        answer = self._with_headers(send)
        if _head_bytes(scope) > HEAD_BYTES:
            too_large = PlainTextResponse(f"at most {HEAD_BYTES // 2**10} KB of headers are valid\n", 431)
            await _refuse(scope, receive, answer, too_large)
            return
        refusal = self._why_no_proxy(scope, headers) or why_not(
            self._doorway,
            headers,
            method=scope.get("method", "GET"),
            is_websocket=scope["type"] == "websocket",
        )
        if refusal:
            await _refuse(scope, receive, answer, PlainTextResponse(refusal + "\n", 403))
        else:
            await self._app(scope, receive, answer)

    def _why_no_proxy(self, scope: Scope, headers: Headers) -> str:
        """Return why a request does not come by the proxy; note whose address it comes from if it does."""
        proxy = self._doorway.proxy
        if proxy is None:
            return ""
        peer = scope["client"][0].removeprefix("::ffff:") if scope["client"] else ""
        sent = headers.get(PROXY_SECRET, "").encode("latin-1")
        if not hmac.compare_digest(sent, proxy.secret) or peer != proxy.address:
            return "this site is reached by its proxy only"
        # What the proxy added comes last; what came before it anybody may have written.
        forwarded = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        scope["client"] = (forwarded or peer, 0)
        scope["scheme"] = self._doorway.scheme if scope["type"] == "http" else "wss"
        return ""

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                for name, value in HEADERS.items():
                    headers[name] = value
                if self._doorway.scheme == "https":
                    headers["Strict-Transport-Security"] = TRANSPORT_SECURITY
            await send(message)

        return send_with_headers


class BodyRules:
    """Middleware after sign-in: how large and how slow a body may be, and whose connection is kept."""

    def __init__(self, app: ASGIApp, *, connections: Connections) -> None:
        self._app, self._connections = app, connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its body bounded."""
        asker = scope["state"]["asker"]
        with self._connections.held(scope["state"]["peer"] if asker else None):
            if scope["type"] != "http":
                await self._app(scope, receive, send)
                return
            headers = Headers(scope=scope)
            # A form without files takes long to be read: 10 s for 65 MB of nothing but ``&``.
            has_files = headers.get("content-type", "").startswith("multipart/form-data")
            may_upload = asker and is_at_least(asker.role, "clerk")
            uploads = may_upload and has_files and scope["path"].startswith(UPLOADS)
            at_most = BODY_BYTES["upload" if uploads else "somebody" if asker else "nobody"]
            if int(headers.get("content-length", "0")) > at_most:
                await PlainTextResponse(_too_large(at_most) + "\n", 413)(scope, receive, send)
                return
            bounded = _bounded(receive, at_most, lambda: self._connections.prolong(scope["state"]["peer"]))
            await self._app(scope, bounded, send)


def _bounded(receive: Receive, at_most: int, came: Callable[[], None]) -> Receive:
    """Bound a body, and call `came` once it is complete."""
    got = 0
    ends_s = asyncio.get_running_loop().time() + BODY_S
    complete = False

    async def receive_bounded() -> Message:
        nonlocal got, complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(min(ends_s, asyncio.get_running_loop().time() + BODY_PAUSE_S)):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, "the rest did not come in time", {"Connection": "close"}) from error
        got += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if got > at_most:
            raise HTTPException(413, _too_large(at_most), {"Connection": "close"})
        if complete:
            came()
        return message

    return receive_bounded


def _too_large(at_most: int) -> str:
    return f"at most {at_most // 2**10} KB are valid here"


def _head_bytes(scope: Scope) -> int:
    names_and_values = sum(len(name) + len(value) for name, value in scope["headers"])
    return names_and_values + len(scope["path"]) + len(scope["query_string"])


async def _refuse(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    if scope["type"] == "websocket":
        await refuse_websocket(scope, receive, send, answer)
    else:
        await answer(scope, receive, send)
