"""The sockets: the one module that makes ZeroMQ sockets for nodes and for the broker.

Why the options are what they are (measured, pyzmq 27.3 on libzmq 4.3.5): heartbeats belong on the bound
side only, because a connecting SUB that stalls with them aborts the process (libzmq #3596, #3937); half-open
connections are found by TCP keepalive on the connecting side; limits on message size keep one hostile
message from filling memory; linger is stated, because the default waits for ever.
"""

import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import zmq

from turnstile import config
from turnstile.errors import ConfigError, WireError
from turnstile.messages import AnyMessage, Message, decode, encode

BROKER_SILENT_S = 2.0
"""Broker beats every half second; after this long without a word the sockets are made anew."""

MAX_HEARD_BYTES = 64 * 2**20
"""Largest message a node takes: a gallery of 100,000 encodings."""

MAX_TOPIC_BYTES = 256
BROKER_TOPIC = "status.broker."
_DRAIN = 256
_INGRESS_HWM = 64
"""Of each node: enough for its frames while the broker is busy, and a bound on what a hostile one fills."""

_EGRESS_HWM = 200
"""For each node. A display that hangs keeps so many frames in the broker's memory: 100 MB at 500 kB."""

Heard = tuple[str, AnyMessage]


class Bus:
    """A node's side of the bus: a PUSH to the broker and a SUB from it. Belongs to one thread.

    Both reconnect by themselves. When nothing at all comes from the broker for `BROKER_SILENT_S`, they are
    closed and made anew, which also heals connections that a partition left half open.
    """

    def __init__(
        self,
        broker: config.Broker,
        *,
        topics: Sequence[str] = (),
        say_hwm: int = 100,
        hear_hwm: int = 1000,
        wake_fd: int | None = None,
    ) -> None:
        """Connect; returns at once whether or not the broker is there.

        Args:
            broker: where it is.
            topics: prefixes to hear, besides the broker's own beat.
            say_hwm: messages kept while the broker is slow; more are dropped, and all while it is away.
            hear_hwm: messages kept for this node before the broker drops more.
            wake_fd: a descriptor that ends waiting when readable, such as a signal's wake-up pipe.

        Raises:
            ConfigError: an address cannot be connected to, such as an ipc path of over 107 characters.
        """
        self.refused = 0
        self.reconnects = 0
        self._broker = broker
        self._topics = list(dict.fromkeys([BROKER_TOPIC, *topics]))
        self._say_hwm, self._hear_hwm = say_hwm, hear_hwm
        self._wake_fd = wake_fd
        self._context = zmq.Context()
        self._heard_once = False
        self._connect()

    @property
    def broker_lost(self) -> bool:
        """Tell whether the broker was silent for 2 s, or has not been heard yet."""
        return not self._heard_once or time.monotonic() - self._heard_at > BROKER_SILENT_S

    def say(self, topic: str, message: Message) -> bool:
        """Send without waiting; return False when it was dropped: the queue is full or nobody is there."""
        try:
            self._push.send_multipart([topic.encode(), encode(message)], zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def hear(self, timeout_s: float) -> list[Heard]:
        """Wait for the first message, then return all that have come, at most 256.

        Returns an empty list after `timeout_s`, or as soon as `wake_fd` is readable. Messages that are not
        ours are counted in `refused`.
        """
        ready = dict(self._poller.poll(max(0, round(timeout_s * 1000))))
        heard: list[Heard] = []
        if self._sub not in ready:
            self._renew_when_silent()
        else:
            self._heard_at, self._heard_once = time.monotonic(), True
            while len(heard) < _DRAIN:
                try:
                    heard.append(_parse(self._sub.recv_multipart(zmq.DONTWAIT)))
                except zmq.Again:
                    break
                except WireError:
                    self.refused += 1
        return heard

    def subscribe(self, topic: str) -> None:
        """Hear messages whose topic starts with `topic`."""
        if topic not in self._topics:
            self._topics.append(topic)
            self._sub.subscribe(topic)

    def unsubscribe(self, topic: str) -> None:
        """Stop hearing `topic`."""
        if topic in self._topics:
            self._topics.remove(topic)
            self._sub.unsubscribe(topic)

    def close(self, *, linger_s: float = 0.0) -> None:
        """Close, giving what was said up to `linger_s` to leave."""
        self._disconnect(linger_s=linger_s)
        self._context.term()

    def _connect(self) -> None:
        self._push = _socket(self._context, zmq.PUSH, hwm=self._say_hwm, max_bytes=0)
        self._sub = _socket(self._context, zmq.SUB, hwm=self._hear_hwm, max_bytes=MAX_HEARD_BYTES)
        self._push.setsockopt(zmq.IMMEDIATE, 1)
        for topic in self._topics:
            self._sub.subscribe(topic)
        self._open(self._push, self._broker.ingress)
        self._open(self._sub, self._broker.egress)
        self._poller = zmq.Poller()
        self._poller.register(self._sub, zmq.POLLIN)
        if self._wake_fd is not None:
            self._poller.register(self._wake_fd, zmq.POLLIN)
        self._heard_at = time.monotonic()

    def _open(self, socket: "zmq.Socket[bytes]", address: str) -> None:
        _make_reconnecting(socket)
        socket.setsockopt(zmq.IPV6, "[" in address)
        try:
            socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise ConfigError(
                f"broker: cannot connect to {address}: {zmq.strerror(error.errno or 0)}"
            ) from error

    def _disconnect(self, *, linger_s: float) -> None:
        self._push.close(linger=round(linger_s * 1000))
        self._sub.close(linger=0)

    def _renew_when_silent(self) -> None:
        if time.monotonic() - self._heard_at > BROKER_SILENT_S:
            self._heard_once = False
            self._disconnect(linger_s=0.0)
            self._connect()
            self.reconnects += 1


class BrokerSockets:
    """The broker's side: a bound PULL (ingress) and a bound XPUB (egress). Belongs to one thread."""

    def __init__(self, broker: config.Broker, *, wake_fds: Sequence[int] = ()) -> None:
        """Bind both; `wake_fds` are descriptors that end `wait` when readable.

        Raises:
            ConfigError: an address is taken, not this machine's, or would open the bus to the network
                although the site file does not say that it may.
        """
        self.refused = 0
        ingress, egress = (bind_address(broker, at) for at in (broker.ingress, broker.egress))
        self._context = zmq.Context()
        # what is somewhat too large is counted and dropped; what is larger still ends its connection
        max_bytes = 2 * broker.max_frame_bytes + 2**20
        self.pull = _socket(self._context, zmq.PULL, hwm=_INGRESS_HWM, max_bytes=max_bytes)
        self.xpub = _socket(self._context, zmq.XPUB, hwm=_EGRESS_HWM, max_bytes=MAX_TOPIC_BYTES)
        self.xpub.setsockopt(zmq.XPUB_VERBOSE, 1)
        for socket, address in ((self.pull, ingress), (self.xpub, egress)):
            _make_watchful(socket)
            self._bind(socket, address)
        self._poller = zmq.Poller()
        for item in (self.pull, self.xpub, *wake_fds):
            self._poller.register(item, zmq.POLLIN)

    def wait(self, timeout_s: float) -> None:
        """Return when something has come, a signal has, or `timeout_s` is over."""
        self._poller.poll(max(0, round(timeout_s * 1000)))

    def said(self) -> tuple[str, bytes] | None:
        """Return the topic and body that a node said, not yet decoded; none when there is nothing more.

        Raises:
            WireError: it does not have two parts, or its topic is not text of at most 256 bytes.
        """
        try:
            parts = self.pull.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return None
        return _topic_and_body(parts)

    def subscription(self) -> tuple[str, bool] | None:
        """Return a topic and whether it was subscribed or left by its last subscriber; none when no more."""
        while True:
            try:
                event = self.xpub.recv(zmq.DONTWAIT)
            except zmq.Again:
                return None
            if event[:1] not in (b"\0", b"\1"):
                self.refused += 1
                continue
            try:
                return event[1:].decode(), event[:1] == b"\1"
            except UnicodeDecodeError:
                self.refused += 1

    def publish(self, topic: str, body: bytes) -> None:
        """Send to all subscribers of `topic`; what a slow one cannot take is dropped for that one."""
        self.xpub.send_multipart([topic.encode(), body], zmq.DONTWAIT)

    def close(self, *, linger_s: float = 0.0) -> None:
        """Close both, giving what was published up to `linger_s` to leave."""
        self.pull.close(linger=0)
        self.xpub.close(linger=round(linger_s * 1000))
        self._context.term()

    def _bind(self, socket: "zmq.Socket[bytes]", address: str) -> None:
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            self.pull.close(linger=0)
            self.xpub.close(linger=0)
            self._context.term()
            raise ConfigError(
                f"broker: cannot bind {address}: {zmq.strerror(error.errno or 0)}; another broker may be "
                "running there, or the address is not this machine's (see broker.bind_host)"
            ) from error


def bind_address(broker: config.Broker, address: str) -> str:
    """Return the address to bind for one that nodes connect to.

    Raises:
        ConfigError: it is reachable from other machines and `open_network` is not set.
    """
    if address.startswith("ipc://"):
        return address
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = broker.bind_host or host
    numeric = "127.0.0.1" if host == "localhost" else host.strip("[]")
    if not (_is_loopback(numeric) or broker.open_network):
        raise ConfigError(
            f"broker: binding {host} opens the bus to the network, and traffic is neither encrypted nor "
            "authenticated; bind 127.0.0.1, or set broker.open_network: true on a network of your own"
        )
    return f"tcp://[{numeric}]:{port}" if ":" in numeric else f"tcp://{numeric}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _parse(parts: list[bytes]) -> Heard:
    topic, body = _topic_and_body(parts)
    return topic, decode(body)


def _topic_and_body(parts: list[bytes]) -> tuple[str, bytes]:
    if len(parts) != 2:
        raise WireError(f"a message of {len(parts)} parts; two are valid: a topic and a body")
    if len(parts[0]) > MAX_TOPIC_BYTES:
        raise WireError(f"a topic of {len(parts[0])} bytes; at most {MAX_TOPIC_BYTES} are valid")
    try:
        return parts[0].decode(), parts[1]
    except UnicodeDecodeError as error:
        raise WireError("a topic that is not UTF-8") from error


def _socket(context: "zmq.Context[Any]", kind: int, *, hwm: int, max_bytes: int) -> "zmq.Socket[bytes]":
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, hwm)
    socket.setsockopt(zmq.RCVHWM, hwm)
    socket.setsockopt(zmq.LINGER, 0)
    if max_bytes:
        socket.setsockopt(zmq.MAXMSGSIZE, max_bytes)
    return socket


def _make_reconnecting(socket: "zmq.Socket[bytes]") -> None:
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, 500)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 1500)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 2)
    socket.setsockopt(zmq.TCP_MAXRT, 2000)


def _make_watchful(socket: "zmq.Socket[bytes]") -> None:
    socket.setsockopt(zmq.HEARTBEAT_IVL, 500)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 1500)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 1500)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 1500)
    socket.setsockopt(zmq.IPV6, 1)
