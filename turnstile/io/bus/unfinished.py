"""Connections that never finish a message, which libzmq keeps in memory without any limit of its own.

libzmq's limits hold for each part and for whole messages. A peer that sends part after part, none of them the
last, took a bare PULL from 16 to 399 MB in a second. So the bytes that the kernel received on each connection
(`TCP_INFO`) are held against the messages that came of them. A connection that is too far ahead is shut down,
which frees its memory. libzmq says with each message on which descriptor it came (`ZMQ_SRCFD`).

Only Linux tells this of TCP. Peers on ipc and on other systems are bounded by the unit's limit on memory.
"""

import logging
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeVar

import zmq

EVERY_S = 0.05
MAX_SHARE = 0.05
"""Of the broker's time, for looking: with a thousand connections it looks less often."""

EGRESS_AT_ONCE_BYTES, EGRESS_BYTES_PER_S = 2**20, 1024
"""What a subscriber may send: a few hundred subscriptions, and heartbeats."""

SAY_EVERY_S = 10.0

_BYTES_RECEIVED_AT = 128
"""Of `tcpi_bytes_received` in Linux's `struct tcp_info` (since 4.1)."""

_SRCFD = int(zmq.SRCFD)

log = logging.getLogger("turnstile")

T = TypeVar("T")


class _Seen(NamedTuple):
    peer: tuple[str, int]
    base_bytes: int
    """How much had come when its last message was whole; on the egress, when it was first seen."""
    since_s: float


class Unfinished:
    """The connections of two bound sockets, and how much of an unfinished message each has sent.

    Attributes:
        cut: how many connections were shut down.
    """

    def __init__(self, ingress: str, egress: str, *, max_message_bytes: int, hwm: int) -> None:
        """Watch two endpoints as libzmq names them; those that are not TCP are left alone."""
        self.cut = 0
        self._ingress, self._egress = _port(ingress), _port(egress)
        self._max_bytes, self._hwm = max_message_bytes, hwm
        self._seen: dict[int, _Seen] = {}
        self._finished: set[int] = set()
        self._look_at = self._say_at = 0.0
        self._works = sys.platform == "linux" and bool(self._ingress or self._egress)

    def came(self, frame: zmq.Frame) -> int:
        """Note that a message is whole; return its connection's descriptor, -1 if that is not known."""
        try:
            descriptor = int(frame.get(_SRCFD))
        except zmq.ZMQError:
            return -1
        if self._works:
            self._finished.add(descriptor)
        return descriptor

    def look(self, began_s: float, *, drained: bool) -> None:
        """Shut down who is too far ahead, if it is time to look.

        Args:
            began_s: the time, monotonic.
            drained: whether every whole message was taken. If not, a full queue is allowed for.
        """
        if not self._works or began_s < self._look_at:
            return
        seen: dict[int, _Seen] = {}
        ahead_bytes = self._max_bytes * (2 if drained else self._hwm + 2)
        for fd in self._descriptors():
            found = _received(fd, {self._ingress, self._egress} - {0})
            if found is None:
                continue
            port, peer, received = found
            before = self._seen.get(fd)
            if before is None or before.peer != peer:
                before = _Seen(peer, 0, began_s)
            if port == self._ingress:
                before = before._replace(base_bytes=received) if fd in self._finished else before
                allowed = ahead_bytes
            else:
                allowed = EGRESS_AT_ONCE_BYTES + round((began_s - before.since_s) * EGRESS_BYTES_PER_S)
            seen[fd] = before
            if received - before.base_bytes > allowed:
                self._shut_down(fd, peer, received - before.base_bytes)
        self._seen = seen
        self._finished.clear()
        self._look_at = began_s + max(EVERY_S, (time.monotonic() - began_s) / MAX_SHARE)

    def _descriptors(self) -> list[int]:
        """Return the process's open descriptors; those seen before while too many are open to list them."""
        try:
            return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - twice as fast
        except OSError:
            return list(self._seen)

    def _shut_down(self, fd: int, peer: tuple[str, int], unfinished_bytes: int) -> None:
        self.cut += 1
        with suppress(OSError):
            _on(fd, lambda connection: connection.shutdown(socket.SHUT_RDWR))
        if time.monotonic() >= self._say_at:
            self._say_at = time.monotonic() + SAY_EVERY_S
            log.warning(
                "a peer at %s port %d sent %.1f MB that are no whole message; its connection is closed "
                "(%d so far)",
                *(*peer, unfinished_bytes / 2**20, self.cut),
            )


def _port(endpoint: str) -> int:
    scheme, _, rest = endpoint.partition("://")
    return int(rest.rpartition(":")[2]) if scheme == "tcp" else 0


def _received(fd: int, ports: set[int]) -> tuple[int, tuple[str, int], int] | None:
    """Return port, peer and received bytes of a connection to one of our ports; `None` if it is none."""

    def ask(connection: socket.socket) -> tuple[int, tuple[str, int], int] | None:
        name = connection.getsockname()
        if not isinstance(name, tuple) or name[1] not in ports:
            return None
        peer = connection.getpeername()
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        (received,) = struct.unpack_from("=Q", told, _BYTES_RECEIVED_AT)
        return name[1], (peer[0].removeprefix("::ffff:"), peer[1]), received

    try:
        return _on(fd, ask)
    except (OSError, struct.error):
        return None  # no socket, one that listens, or closed meanwhile


def _on(fd: int, act: Callable[[socket.socket], T]) -> T:
    """Do something with libzmq's own descriptor, which stays open.

    Whatever it is, it is taken for one of TCP: to find out would take four more system calls. AF_INET6 fits
    both kinds of addresses. With AF_INET Python reads half of an IPv6 address from memory that nobody set, so
    the peer seemed to be another at times, and all that had come counted as unfinished.
    """
    connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, fd)
    try:
        return act(connection)
    finally:
        connection.detach()
