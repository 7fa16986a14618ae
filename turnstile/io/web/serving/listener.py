"""Open connections, bounded: by address and in all, however many knock.

A connection that has not sent what is asked of it within seconds is closed, whatever it does meanwhile: the
handshake of TLS, headers and a sign-in count alike. The seconds begin anew when all of a form came. Where
there are too many, the one goes that has waited longest. A connection that answers somebody who is signed in
is never closed for another.

uvicorn has no time limit for headers, and counts nothing before the handshake; so connections are counted
where they are accepted.
"""

import contextlib
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from turnstile.web.accounts.attempts import network_of

AT_MOST = 512
AT_MOST_EACH = 128
WAIT_S = 15.0
"""How long a connection may be without somebody who is signed in."""

Peer = tuple[str, int]


@dataclass
class _Accepted:
    socket: socket.socket
    since_s: float
    holds: int = 0


@dataclass
class Connections:
    """Those that are open.

    Attributes:
        closed: how many were closed because they waited too long or there were too many.
    """

    proxy: str = ""
    """The address that all of them may come from."""
    at_most: int = AT_MOST
    at_most_each: int = AT_MOST_EACH
    wait_s: float = WAIT_S
    closed: int = 0
    _open: OrderedDict[Peer, _Accepted] = field(default_factory=OrderedDict)
    """The longest waiting first."""
    _each: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self._open)

    def add(self, peer: Peer, connection: socket.socket) -> None:
        """Note a new connection. If they are too many, one that waits is closed, or else the new one."""
        whose = network_of(peer[0])
        has_room = True
        if self._each[whose] >= self.at_most_each and peer[0] != self.proxy:
            has_room = self._make_room(whose)
        elif len(self._open) >= self.at_most:
            has_room = self._make_room(self._each.most_common(1)[0][0]) or self._make_room()
        self._open[peer] = _Accepted(connection, time.monotonic())
        self._each[whose] += 1
        if not has_room:
            self._close(peer)

    @contextmanager
    def held(self, peer: Peer | None) -> Iterator[None]:
        """Keep a connection meanwhile: it answers somebody who is signed in."""
        found = self._open.get(peer) if peer else None
        if found is None or peer is None:
            yield
            return
        found.holds += 1
        try:
            yield
        finally:
            found.holds -= 1
            found.since_s = time.monotonic()
            with contextlib.suppress(KeyError):
                self._open.move_to_end(peer)

    def prolong(self, peer: Peer) -> None:
        """Let a connection wait anew: all of a form came.

        A browser sends a form a second time if the connection ends before the answer, and an invitation or a
        code is good once.
        """
        found = self._open.get(peer)
        if found is not None:
            found.since_s = time.monotonic()
            self._open.move_to_end(peer)

    def sweep(self, now_s: float) -> None:
        """Close what waits for too long; call it about once a second."""
        self._forget_closed()
        waits = [peer for peer, one in self._open.items() if not one.holds]
        for peer in waits:
            if now_s - self._open[peer].since_s > self.wait_s:
                self._close(peer)

    def _make_room(self, whose: str = "") -> bool:
        """Close the connection that waits longest, of one network or of all; return whether there is room."""
        before = len(self._open)
        self._forget_closed()
        if len(self._open) < before and (not whose or self._each[whose] < self.at_most_each):
            return True
        for peer, one in self._open.items():
            if not one.holds and whose in ("", network_of(peer[0])):
                self._close(peer)
                return True
        return False

    def _close(self, peer: Peer) -> None:
        self.closed += 1
        connection = self._forget(peer).socket
        with contextlib.suppress(OSError):  # its peer closed it
            connection.shutdown(socket.SHUT_RDWR)

    def _forget(self, peer: Peer) -> _Accepted:
        found = self._open.pop(peer)
        self._each[network_of(peer[0])] -= 1
        self._each += Counter()  # those without connections go
        return found

    def _forget_closed(self) -> None:
        for peer in [peer for peer, one in self._open.items() if one.socket.fileno() < 0]:
            self._forget(peer)


class BoundedListener(socket.socket):
    """A listening socket that counts what it accepts."""

    connections: Connections

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and count it."""
        connection, address = super().accept()
        self.connections.add((address[0], address[1]), connection)
        return connection, address
