"""Who looks at the pages in `benchmarks.web`: clients that draw at once, one that stalls, and a slow line."""

import asyncio
import contextlib
import json
import struct
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from websockets.asyncio.client import ClientConnection, connect

from tests.support.process_group import Channel
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.messages import Frame
from turnstile.site.settings import BrokerSettings

CHUNK_BYTES = 4096
MJPEG_PART = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


@dataclass(kw_only=True)
class Looked:
    """What a client got."""

    ages_ms: list[float] = field(default_factory=list)
    """Of each picture, from its capture until it had come."""
    jpeg_bytes: int = 0
    other_bytes: int = 0
    """Headers and messages without pictures."""
    seconds: float = 0.0


def look(
    channel: Channel,
    address: str,
    headers: dict[str, str],
    cameras: Sequence[str],
    clients: int,
    *,
    by_port: int = 0,
) -> None:
    """Be so many clients, each ready again as soon as a picture has come; answer with what each got.

    It answers as well once all have got their first. `by_port` is of a line on loopback to go by.
    """

    async def look_on() -> list[Looked]:
        looked = [Looked() for _ in range(clients)]
        firsts = [asyncio.Event() for _ in looked]
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(_client(_connected(address, headers, cameras, by_port), one, first))
                for one, first in zip(looked, firsts, strict=True)
            ]
            await asyncio.gather(*(first.wait() for first in firsts))
            for one in looked:
                one.ages_ms.clear()
                one.jpeg_bytes = one.other_bytes = 0
            channel.answers.send(None)
            began_s = time.monotonic()
            await asyncio.to_thread(channel.stop.wait)
            for one in looked:
                one.seconds = time.monotonic() - began_s
            for task in running:
                task.cancel()
        return looked

    channel.answers.send(asyncio.run(look_on()))


async def _client(
    connecting: AbstractAsyncContextManager[ClientConnection], looked: Looked, first: asyncio.Event
) -> None:
    async with connecting as socket:
        while True:
            data = await socket.recv(decode=False)
            now_ms = time.time() * 1e3
            (length,) = struct.unpack_from(">I", data)
            jpeg = len(data) - 4 - length
            looked.jpeg_bytes += jpeg
            looked.other_bytes += 4 + length
            if jpeg:
                header = json.loads(data[4 : 4 + length])
                looked.ages_ms.append(now_ms - header["captured_ms"])
                await socket.send(json.dumps({"ready": [header["camera"]]}))
                first.set()


def stall(channel: Channel, address: str, headers: dict[str, str], cameras: Sequence[str]) -> None:
    """Be a client that asks for everything and takes nothing; answer whether it was cut off."""
    channel.answers.send(asyncio.run(_stall(channel, address, headers, cameras)))


async def _stall(channel: Channel, address: str, headers: dict[str, str], cameras: Sequence[str]) -> bool:
    ready = json.dumps({"ready": cameras})
    async with _connected(address, headers, cameras) as socket:
        channel.answers.send(None)
        socket.transport.pause_reading()
        while not channel.stop.is_set():
            with contextlib.suppress(Exception):  # it is cut off: that is what is looked for
                await asyncio.wait_for(socket.send(ready), 0.1)
            await asyncio.sleep(0.05)
        return socket.transport.is_closing() or bool(socket.close_code)


@contextlib.asynccontextmanager
async def _connected(
    address: str, headers: dict[str, str], cameras: Sequence[str], by_port: int = 0
) -> AsyncIterator[ClientConnection]:
    url = address.replace("http", "ws", 1) + "/live"
    options = {"host": "127.0.0.1", "port": by_port} if by_port else {}
    async with connect(
        url,
        additional_headers=headers,
        compression=None,
        max_size=None,
        ping_interval=None,
        proxy=None,
        **options,  # type: ignore[arg-type]
    ) as socket:
        await socket.send(json.dumps({"watch": dict.fromkeys(cameras, "all")}))
        yield socket


class SlowLine:
    """A port on loopback that passes bytes on to the pages, so many a second and no more."""

    def __init__(self, host: str, port: int, *, bytes_per_s: float) -> None:
        self._far, self._bytes_per_s = (host, port), bytes_per_s
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._enough.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._enough = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._enough.wait()
        server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._far, limit=CHUNK_BYTES)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        writer.close()
        far_writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(len(data) / self._bytes_per_s)


class MjpegPages:
    """What others do: each camera as a picture without end, multipart over HTTP."""

    def __init__(self, broker: BrokerSettings, cameras: Sequence[str]) -> None:
        self._bus = Bus(broker, topics=[f"frame.{camera}." for camera in cameras])
        self._newest: dict[str, Frame] = {}
        self._came = threading.Condition()
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(cameras))
        self._server.daemon_threads = True
        self._threads = [threading.Thread(target=one) for one in (self._hear, self._server.serve_forever)]
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        for one in self._threads:
            one.join()
        self._server.server_close()
        self._bus.close()

    def _hear(self) -> None:
        while not self._over.is_set():
            heard = self._bus.receive(0.1)
            with self._came:
                self._newest |= {said.camera: said for _, said in heard if isinstance(said, Frame)}
                self._came.notify_all()

    def _handler(self, cameras: Sequence[str]) -> type[BaseHTTPRequestHandler]:
        pages = self

        class Handler(BaseHTTPRequestHandler):
            """Answers with a page of pictures, or with one of them."""

            def do_GET(self) -> None:
                """Serve until the browser goes."""
                self.send_response(200)
                camera = self.path.strip("/")
                if camera not in cameras:
                    body = "".join(f'<img id="{one}" src="/{one}">' for one in cameras).encode()
                    self.send_header("Content-Type", "text/html")
                    self.end_headers()
                    self.wfile.write(body)
                    return
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(b"--next\r\n")
                    for frame in pages.frames(camera):
                        # Browsers show a part when the next one begins.
                        self.wfile.write(MJPEG_PART % len(frame.jpeg) + frame.jpeg + b"\r\n--next\r\n")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def frames(self, camera: str) -> Iterator[Frame]:
        """Give the newest frame of a camera whenever there is one."""
        last = -1
        while not self._over.is_set():
            with self._came:
                self._came.wait(0.2)
                frame = self._newest.get(camera)
            if frame is not None and frame.seq != last:
                last = frame.seq
                yield frame
