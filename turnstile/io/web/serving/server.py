"""The HTTP server of the web node: uvicorn in a thread, whose death ends the node.

Libraries not taken: hypercorn has HTTP/2, which nothing here needs, and is slower; aiohttp is both framework
and server. uvicorn runs without its compiled parts (uvloop, httptools), as h11 refuses what is malformed.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from turnstile.errors import ConfigError
from turnstile.io.runner.worker import Worker
from turnstile.io.web.link import BusLink
from turnstile.io.web.serving.addresses import address_at
from turnstile.io.web.serving.doorway import HEAD_BYTES
from turnstile.io.web.serving.listener import WAIT_S, BoundedListener, Connections
from turnstile.io.web.serving.stalled import SWEEP_EVERY_S, OpenConnection, StalledConnections
from turnstile.site.web import TlsSettings, WebSettings

CLOSE_S = 3.0
BACKLOG = 1024

Background = Callable[[], Coroutine[Any, Any, None]]

log = logging.getLogger("turnstile")


@dataclass
class WebServer:
    """The server's thread.

    Attributes:
        address: where it answers, with the port that it got.
    """

    uvicorn_server: uvicorn.Server
    link: BusLink
    listening: BoundedListener
    address: str
    background: Sequence[Background]
    """What runs for ever in the same event loop."""
    stalled: StalledConnections = field(init=False)
    _worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        """Begin to serve."""
        connections = self.uvicorn_server.server_state.connections
        self.stalled = StalledConnections(lambda: cast("Iterable[OpenConnection]", connections))
        self._worker = Worker("web server", self._run)
        self._worker.start()

    def check(self) -> None:
        """Raise what ended the server, if anything did."""
        self._worker.check()

    def gauges(self) -> dict[str, float]:
        """Return the present values for the beat."""
        connections = self.listening.connections
        return {
            "connections": float(len(connections)),
            "cut_off": float(self.stalled.cut_off + connections.closed),
        }

    def close(self) -> None:
        """Serve no more; open connections are closed."""
        self.uvicorn_server.should_exit = self.uvicorn_server.force_exit = True
        self._worker.close(within_s=CLOSE_S)
        self.listening.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.link.serve(asyncio.get_running_loop())
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(one()) for one in (self._sweep, *self.background)]
            with contextlib.suppress(asyncio.CancelledError):
                await self.uvicorn_server.serve(sockets=[self.listening])
            for other in others:
                other.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            self.stalled.sweep(time.monotonic())
            self.listening.connections.sweep(time.monotonic())


def open_listener(settings: WebSettings, connections: Connections) -> BoundedListener:
    """Open the port.

    Raises:
        ConfigError: it is taken, or the address is not this machine's.
    """
    host, _, port = settings.listen.rpartition(":")
    host = host.strip("[]")
    listening = BoundedListener(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.connections = connections
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, int(port)))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError(f"web.listen: {settings.listen} cannot be bound: {error.strerror}") from error
    return listening


def serve(
    settings: WebSettings,
    app: ASGIApp,
    link: BusLink,
    listening: BoundedListener,
    background: Sequence[Background],
) -> WebServer:
    """Begin to serve.

    Raises:
        ConfigError: the certificate cannot be used.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="websockets-sansio",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level=logging.ERROR,  # it warns of each request that is malformed
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(WAIT_S),
        h11_max_incomplete_event_size=HEAD_BYTES,
        ws_max_size=64 * 1024,
        ws_max_queue=8,
        ws_per_message_deflate=False,
    )
    if settings.tls is not None:
        config.load()
        config.ssl = _context(settings.tls)
    address = address_at(settings, listening.getsockname()[1])
    return WebServer(uvicorn.Server(config), link, listening, address, background)


def _context(tls: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(Path(tls.certificate), Path(tls.key))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"web.tls: {error}") from error
    return context
