"""A far-away broker: TCP ports that pass everything on to the broker's, each way some time later.

Bytes keep their order, as TCP's do: one that draws a long delay holds up those behind it. At most a megabyte
is on its way in each direction; then the sender waits, as with a real line.
"""

import asyncio
import random
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Self

from tests.support.hosts.network import Network

CHUNK_BYTES = 64 * 1024
MOST_ON_THE_WAY = 16


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float, jitter_s: float
) -> None:
    """Pass bytes on, each chunk `delay_s` and up to `jitter_s` more after it came."""
    way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_ON_THE_WAY)

    async def take_in() -> None:
        clock = asyncio.get_running_loop().time
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                await way.put((clock() + delay_s + random.uniform(0, jitter_s), data))
        await way.put((0.0, b""))

    taking = asyncio.create_task(take_in())
    try:
        with suppress(ConnectionError):
            while True:
                due_s, data = await way.get()
                if not data:
                    break
                await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
                writer.write(data)
                await writer.drain()
    finally:
        taking.cancel()
        writer.close()


class FarAway:
    """Serves on a host of a network while a ``with`` lasts."""

    def __init__(
        self, network: Network, host: str, ports: Mapping[int, int], *, delay_s: float, jitter_s: float
    ) -> None:
        """Pass what comes to each of `ports` on to the one it stands for, of the same host."""
        self._network, self._host, self._ports = network, host, ports
        self._delay_s, self._jitter_s = delay_s, jitter_s
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Return once it listens."""
        self._thread.start()
        if not self._listening.wait(10):
            raise TimeoutError("the proxy does not listen")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._enough.set)
        self._thread.join(10)

    def _run(self) -> None:
        with self._network.inside(self._host):
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._enough = asyncio.get_running_loop(), asyncio.Event()
        address = self._network.address(self._host)
        carrying: set[asyncio.Task[object]] = set()

        async def accept(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                carrying.add(task)
                task.add_done_callback(carrying.discard)
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection(address, port)
                ways = ((reader, far_writer), (far_reader, writer))
                await asyncio.gather(*(_carry(*way, self._delay_s, self._jitter_s) for way in ways))
            writer.close()

        servers = [
            await asyncio.start_server(partial(accept, far), address, near)
            for near, far in self._ports.items()
        ]
        self._listening.set()
        await self._enough.wait()
        for server in servers:
            server.close()
        for task in carrying:
            task.cancel()
