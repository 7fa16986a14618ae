"""The pages on a port of their own, with accounts, and peers that break the rules of HTTP."""

import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlencode

from argon2 import PasswordHasher

from tests.support.web_pages import a_site
from turnstile.io.web.accounts.devices import SESSION_COOKIE, Devices
from turnstile.io.web.accounts.passwords import PasswordChecks
from turnstile.io.web.accounts.sign_in import Accounts
from turnstile.io.web.accounts.store import AccountStore, open_accounts
from turnstile.io.web.link import BusLink
from turnstile.io.web.serving.addresses import doorway_of
from turnstile.io.web.serving.app import make_app
from turnstile.io.web.serving.listener import Connections
from turnstile.io.web.serving.server import open_listener, serve
from turnstile.protocol.requests import AccountRole
from turnstile.site.settings import Site
from turnstile.site.web import WebSettings

IDLE_S = 3600.0
WAIT_S = 6.0


def accounts_at_one_moment(store: AccountStore, devices: Devices) -> Accounts:
    """Return what signs in with cheap passwords, and whose clock stands: a busy machine changes nothing."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return Accounts(store=store, devices=devices, checks=PasswordChecks(cheap), clock=lambda: 0.0)


class WebAnswer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """With names in lower case."""
    text: str


class ServedPages:
    """A server of the pages that listens on this machine, as the web node starts it."""

    def __init__(
        self, folder: Path, *, site: Site | None = None, settings: WebSettings | None = None
    ) -> None:
        settings = settings or WebSettings(listen="127.0.0.1:0")
        self.site = site or a_site("door", "gate")
        self.store = open_accounts(folder / "web")
        proxy = settings.proxy.address if settings.proxy else ""
        self.connections = Connections(proxy=proxy, at_most=256, at_most_each=64, wait_s=WAIT_S)
        devices = Devices(store=self.store, idle_s=IDLE_S)
        link = BusLink(instance="web-1", wake=lambda: None)
        self.app = make_app(
            self.site,
            link,
            devices,
            config=folder / "site.yaml",
            accounts=accounts_at_one_moment(self.store, devices),
            doorway=doorway_of(settings),
            connections=self.connections,
        )
        self.server = serve(settings, self.app, link, open_listener(settings, self.connections), ())
        self.port = int(self.server.listening.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()
        self.store.close()

    @property
    def origin(self) -> str:
        """Return the origin of the pages."""
        return f"http://127.0.0.1:{self.port}"

    def account(self, name: str = "Ada", role: AccountRole = "admin", *doors: str) -> str:
        """Make an account without a usable password, and return a session's cookie."""
        self.store.accept(self.store.invite(name, role, doors, until_ns=1), "none", now_ns=0)
        devices = Devices(store=self.store, idle_s=IDLE_S)
        token = self.store.sign_in(name, device="", address="", now_ns=devices.now_ns())
        return f"{SESSION_COOKIE}={token}"

    def headers(self, cookie: str = "") -> dict[str, str]:
        """Return what a browser sends from a page of this site."""
        sent = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}
        return sent | {"Origin": self.origin} | ({"Cookie": cookie} if cookie else {})

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        cookie: str = "",
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> WebAnswer:
        """Ask as a browser does, with these headers in place of those of a browser if any are given."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(source, 0))
        sent = dict(self.headers(cookie) if headers is None else headers)
        body = None
        if form is not None:
            body = urlencode(form)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, sent)
            return _answer(connection.getresponse())
        finally:
            connection.close()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """Return an open connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0))

    def open_websocket(self, path: str, *headers: str) -> tuple[socket.socket, bytes]:
        """Ask for a WebSocket; return the connection, and the first that comes back."""
        peer = self.connect()
        peer.sendall(upgrade(path, f"127.0.0.1:{self.port}", headers))
        return peer, peer.recv(65536)

    def send_raw(self, *requests: bytes) -> list[bytes]:
        """Send bytes on a connection each; return all that comes back on each until the server closes it."""
        with ExitStack() as stack:
            peers = [stack.enter_context(self.connect()) for _ in requests]
            for peer, request in zip(peers, requests, strict=True):
                with suppress(BrokenPipeError, ConnectionResetError):
                    peer.sendall(request)
            return [read_to_end(peer) for peer in peers]


def read_to_end(peer: socket.socket) -> bytes:
    """Return what a peer gets until the server closes."""
    got = b""
    try:
        while part := peer.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


def upgrade(path: str, host: str, headers: Sequence[str]) -> bytes:
    """Return a request for a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _answer(response: HTTPResponse) -> WebAnswer:
    text = response.read().decode("utf-8", "replace")
    return WebAnswer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)
