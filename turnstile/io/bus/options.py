"""Options of every socket, and why they are what they are.

Measured with pyzmq 27.3 on libzmq 4.3.5: heartbeats belong on the bound XPUB only, because a socket with them
that stops reading aborts the process (libzmq #3596, #3937); half-open connections are found by TCP keepalive
on the connecting side; limits on message size keep one hostile message from filling memory; linger is stated,
because the default waits for ever.
"""

from typing import Any

import zmq

from turnstile.counts import counted
from turnstile.errors import WireError

MAX_TOPIC_BYTES = 256


def topic_of(first: bytes, parts: int) -> str:
    """Return the topic of a message by its first part and the number of its parts.

    Raises:
        WireError: it does not have two parts, or its topic is not text of at most 256 bytes.
    """
    if parts != 2:
        raise WireError(f"a message of {counted(parts, 'part')}; two are valid: a topic and a body")
    if len(first) > MAX_TOPIC_BYTES:
        raise WireError(f"a topic of {len(first)} bytes; at most {MAX_TOPIC_BYTES} are valid")
    try:
        return first.decode()
    except UnicodeDecodeError as error:
        raise WireError("a topic that is not UTF-8") from error


def new_socket(context: "zmq.Context[Any]", kind: int, *, hwm: int, max_bytes: int) -> "zmq.Socket[bytes]":
    """Return a socket that keeps at most `hwm` messages and takes none over `max_bytes` (0: any)."""
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, hwm)
    socket.setsockopt(zmq.RCVHWM, hwm)
    socket.setsockopt(zmq.LINGER, 0)
    if max_bytes:
        socket.setsockopt(zmq.MAXMSGSIZE, max_bytes)
    return socket


def make_reconnecting(socket: "zmq.Socket[bytes]") -> None:
    """Set what a connecting socket reconnects by, and how soon."""
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, 500)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 1500)
    keep_alive(socket)
    socket.setsockopt(zmq.TCP_MAXRT, 2000)


def make_watchful(socket: "zmq.Socket[bytes]") -> None:
    """Set what a bound socket notices lost peers by.

    No heartbeats where a peer can fill its queue, on the ingress: when such a peer's connection ends while
    the queue is full, libzmq 4.3.5 aborts the process at the next one (``Assertion failed: !_io_error``).
    The egress takes in subscriptions at once and has no limit that could stop it.
    """
    if socket.type == zmq.XPUB:
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.HEARTBEAT_IVL, 500)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 1500)
        socket.setsockopt(zmq.HEARTBEAT_TTL, 1500)
    else:
        keep_alive(socket)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 1500)
    socket.setsockopt(zmq.IPV6, 1)


def keep_alive(socket: "zmq.Socket[bytes]") -> None:
    """Find half-open connections within about 3 s."""
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 2)
