"""Connections that take nothing any more are cut off, with what was still to go to them.

uvicorn only closes such a connection, which waits for its buffer to empty: for ever, if the other side has
stopped reading. Each would hold a descriptor and one of the places that `limit_concurrency` counts.
"""

from asyncio import Transport
from collections.abc import Callable, Iterable
from typing import Protocol

STALLED_S = 15.0
"""After so long without a byte taken a connection is cut off; a phone behind 1 Mbit/s takes 2 MB in it."""

SWEEP_EVERY_S = 1.0


class OpenConnection(Protocol):
    """A connection of the server."""

    transport: Transport


class StalledConnections:
    """How much each connection has still to take, and since when it is so much."""

    def __init__(self, connections: Callable[[], Iterable[OpenConnection]]) -> None:
        self._connections = connections
        self._waiting: dict[OpenConnection, tuple[int, float]] = {}
        self.cut_off = 0

    def sweep(self, now_s: float) -> None:
        """Cut off whoever took nothing for too long; call it about once a second."""
        before, self._waiting = self._waiting, {}
        for one in list(self._connections()):
            waiting = one.transport.get_write_buffer_size()
            if not waiting:
                continue
            was, since_s = before.get(one, (0, now_s))
            if was != waiting:
                since_s = now_s
            if now_s - since_s >= STALLED_S:
                one.transport.abort()
                self.cut_off += 1
            else:
                self._waiting[one] = waiting, since_s
