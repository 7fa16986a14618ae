"""The sockets: the one module that makes ZeroMQ sockets for nodes and for the broker.

Why the options are what they are (measured, pyzmq 27.3 on libzmq 4.3.5): heartbeats belong on the bound
XPUB only, because a socket with them that stops reading aborts the process (libzmq #3596, #3937); half-open
connections are found by TCP keepalive on the connecting side; limits on message size keep one hostile
message from filling memory; linger is stated, because the default waits for ever.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import zmq

from turnstile import config
from turnstile.addresses import bind_address, is_local
from turnstile.errors import ConfigError, RefusedError, WireError
from turnstile.io.guard import Guard
from turnstile.io.keys import HOW, NodeKey
from turnstile.messages import AnyMessage, Message, decode, encode
from turnstile.roles import BROKER_TOPIC, Identity

BROKER_SILENT_S = 2.0
"""Broker beats every half second; after this long without a word the sockets are made anew."""

UNSAID_S = 4.0
"""So long after everything said was dropped, the sockets are made anew: libzmq gives a connection up for good
when the broker refuses the key, which may be a moment before it learns of it."""

MAX_HEARD_BYTES = 64 * 2**20
"""Largest message a node takes: a gallery of `turnstile.io.enrolment.MAX_PICTURES`."""

MAX_TOPIC_BYTES = 256
_CURVE_BYTES = 1024
"""The limit on a subscription holds for the handshake too, whose longest command has 257 and metadata."""

_DRAIN = 256
_INGRESS_HWM = 64
"""Of each node: enough for its frames while the broker is busy, and a bound on what a hostile one fills."""

_EGRESS_HWM = 200
"""For each node. A display that hangs keeps so many frames in the broker's memory: 100 MB at 500 kB."""

Heard = tuple[str, AnyMessage]


class Said(NamedTuple):
    """What a node said, not yet decoded."""

    topic: str
    body: bytes
    frame: zmq.Frame
    """The topic as it came, which knows its connection."""
    sender: Identity | None
    """Whose key it came with; none when the bus has no keys."""


class Bus:
    """A node's side of the bus: a PUSH to the broker and a SUB from it. Belongs to one thread.

    Both reconnect by themselves. When nothing at all comes from the broker for `BROKER_SILENT_S`, they are
    closed and made anew, which also heals connections that a partition left half open; so they are when
    nothing said has left for `UNSAID_S`.
    """

    def __init__(
        self,
        broker: config.Broker,
        *,
        key: NodeKey | None = None,
        topics: Sequence[str] = (),
        say_hwm: int = 100,
        hear_hwm: int = 1000,
        wake_fd: int | None = None,
    ) -> None:
        """Connect; returns at once whether or not the broker is there.

        Args:
            broker: where it is.
            key: what to be let in with; none on loopback and ipc, if the site has no keys.
            topics: prefixes to hear, besides the broker's own beat.
            say_hwm: messages kept while the broker is slow; more are dropped, and all while it is away.
            hear_hwm: messages kept for this node before the broker drops more.
            wake_fd: a descriptor that ends waiting when readable, such as a signal's wake-up pipe.

        Raises:
            ConfigError: an address cannot be connected to, such as an ipc path of over 107 characters, or
                not without a key, because it is another machine's.
        """
        self.refused = 0
        self.reconnects = 0
        self._broker, self._key = broker, key
        self._topics = list(dict.fromkeys([BROKER_TOPIC, *topics]))
        self._say_hwm, self._hear_hwm = say_hwm, hear_hwm
        self._wake_fd = wake_fd
        self._context = zmq.Context()
        self._heard_once = False
        self._unsaid_at = 0.0
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
            self._unsaid_at = self._unsaid_at or time.monotonic()
            return False
        self._unsaid_at = 0.0
        return True

    def hear(self, timeout_s: float) -> list[Heard]:
        """Wait for the first message, then return all that have come, at most 256.

        Returns an empty list after `timeout_s`, or as soon as `wake_fd` is readable. Messages that are not
        ours are counted in `refused`.
        """
        ready = dict(self._poller.poll(max(0, round(timeout_s * 1000))))
        heard: list[Heard] = []
        if self._unsaid_at and time.monotonic() - self._unsaid_at > UNSAID_S:
            self._renew()
            return heard
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
        self._unsaid_at = 0.0

    def _open(self, socket: "zmq.Socket[bytes]", address: str) -> None:
        _make_reconnecting(socket)
        socket.setsockopt(zmq.IPV6, "[" in address)
        if self._key is not None:
            socket.setsockopt(zmq.CURVE_PUBLICKEY, self._key.own.public)
            socket.setsockopt(zmq.CURVE_SECRETKEY, self._key.own.secret)
            socket.setsockopt(zmq.CURVE_SERVERKEY, self._key.broker_public)
        elif not is_local(address):
            self.close()
            raise ConfigError(f"broker: {address} is another machine's, and needs a key: {HOW}")
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
            self._renew()

    def _renew(self) -> None:
        self._disconnect(linger_s=0.0)
        self._connect()
        self.reconnects += 1


class BrokerSockets:
    """The broker's side: a bound PULL (ingress) and a bound XPUB (egress). Belongs to one thread.

    With keys, a subscription takes effect only when its sender's role allows it (`XPUB_MANUAL`).
    """

    def __init__(
        self, broker: config.Broker, *, guard: Guard | None = None, wake_fds: Sequence[int] = ()
    ) -> None:
        """Bind both.

        Args:
            broker: where.
            guard: whom to let in; none lets everybody in, and binds only what other machines do not reach.
            wake_fds: descriptors that end `wait` when readable.

        Raises:
            ConfigError: an address is taken, not this machine's, or open to others without keys.
        """
        self.refused = 0
        ingress, egress = (bind_address(broker, at) for at in (broker.ingress, broker.egress))
        self._guard = guard
        self._subscribers: Counter[str] = Counter()
        self._turned_away: Counter[str] = Counter()
        self._astray = False
        self._context = zmq.Context()
        # what is somewhat too large is counted and dropped; what is larger still ends its connection
        max_bytes = 2 * broker.max_frame_bytes + 2**20
        self.pull = _socket(self._context, zmq.PULL, hwm=_INGRESS_HWM, max_bytes=max_bytes)
        handshake_bytes = MAX_TOPIC_BYTES if guard is None else _CURVE_BYTES
        self.xpub = _socket(self._context, zmq.XPUB, hwm=_EGRESS_HWM, max_bytes=handshake_bytes)
        self.xpub.setsockopt(zmq.XPUB_VERBOSE if guard is None else zmq.XPUB_MANUAL, 1)
        self._poller = zmq.Poller()
        if guard is not None:
            self._poller.register(guard.start(self._context), zmq.POLLIN)
        for socket, address in ((self.pull, ingress), (self.xpub, egress)):
            _make_watchful(socket)
            self._bind(socket, address)
        for item in (self.pull, self.xpub, *wake_fds):
            self._poller.register(item, zmq.POLLIN)

    def wait(self, timeout_s: float) -> None:
        """Return when something has come, a signal has, or `timeout_s` is over; let in who may come in.

        Raises:
            TurnstileError: there are keys, and what checks them is gone.
        """
        if self._guard is not None:
            self._guard.watch()
        self._poller.poll(max(0, round(timeout_s * 1000)))
        if self._guard is not None:
            self._guard.answer()

    def said(self) -> Said | None:
        """Return what a node said, not yet decoded; none when there is nothing more.

        Raises:
            RefusedError: its sender's key was revoked, or its share is used up.
            WireError: it does not have two parts, or its topic is not text of at most 256 bytes.
        """
        try:
            frames = self.pull.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return None
        sender = None
        if self._guard is not None:
            sender = self._guard.sender(frames[0], sum(len(frame) for frame in frames))
        about, body = _topic_and_body([frame.bytes for frame in frames[:3]])
        return Said(about, body, frames[0], sender)

    def refuse(self, said: Said, why: str) -> RefusedError:
        """Count that a message was refused, and return what to raise."""
        if self._guard is None:
            return RefusedError(why)
        return self._guard.refuse(said.frame, why)

    def refused_by_name(self, count: int) -> dict[str, int]:
        """Return how often the names most often refused were."""
        return {} if self._guard is None else self._guard.refusals.worst(count)

    def subscription(self, until_s: float = float("inf")) -> tuple[str, bool] | None:
        """Return a topic and whether it was subscribed or left by its last subscriber.

        None when there is no more, or when it is later than `until_s` (monotonic): refused ones are passed
        over, and may be many.
        """
        while time.monotonic() < until_s:
            try:
                frame = self.xpub.recv(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                self._astray = False
                return None
            event = frame.bytes
            topic = event[1:].decode(errors="replace")
            if event[:1] not in (b"\0", b"\1"):
                self._go_astray(frame)
            elif self._guard is None:
                if topic.encode() == event[1:]:
                    return topic, event[:1] == b"\1"
                self.refused += 1
            elif event[:1] == b"\1":
                if self._admit(self._guard, frame, topic):
                    return topic, True
            elif self._let_go(self._guard, frame, topic):
                return topic, False
        return None

    def publish(self, topic: str, body: bytes) -> None:
        """Send to all subscribers of `topic`; what a slow one cannot take is dropped for that one."""
        self.xpub.send_multipart([topic.encode(), body], zmq.DONTWAIT)

    def close(self, *, linger_s: float = 0.0) -> None:
        """Close both, giving what was published up to `linger_s` to leave."""
        self.pull.close(linger=0)
        self.xpub.close(linger=round(linger_s * 1000))
        if self._guard is not None:
            self._guard.stop()
        self._context.term()

    def _admit(self, guard: Guard, frame: zmq.Frame, topic: str) -> bool:
        """Let a subscription take effect if its sender may hear the topic."""
        if self._astray:
            guard.cut(frame)
        if self._astray or not guard.admits(frame, topic):
            self.refused += 1
            self._turned_away[topic] += 1
            return False
        self.xpub.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self._subscribers[topic] += 1
        return True

    def _let_go(self, guard: Guard, frame: zmq.Frame, topic: str) -> bool:
        """End a subscription; return whether it was the topic's last.

        When a connection closes, libzmq does not say whose the subscription was. It is taken for one that was
        refused, if there are any: then a recognizer's death shows a lease later, but nobody can feign it.
        """
        if _has_sender(frame):
            guard.unsubscribed(frame)
            if self._astray:
                guard.cut(frame)
            else:
                self.xpub.setsockopt(zmq.UNSUBSCRIBE, topic.encode())
        if _take_one(self._turned_away, topic):
            return False
        return _take_one(self._subscribers, topic) and topic not in self._subscribers

    def _go_astray(self, frame: zmq.Frame) -> None:
        """Refuse what is no subscription, and all that waits behind it.

        libzmq 4.3.5 counts such a message when it remembers whose the waiting subscriptions are, so those
        behind it would be granted to the wrong connections. Their senders are cut off and come again; when
        nothing waits any more, the count is right again.
        """
        self.refused += 1
        if self._guard is not None:
            self._astray = True
            self._guard.refuse(frame, "sent the egress what is no subscription")
            self._guard.cut(frame)

    def _bind(self, socket: "zmq.Socket[bytes]", address: str) -> None:
        if self._guard is not None:
            self._guard.arm(socket)
        elif not is_local(address):
            self.close()
            raise ConfigError(f"broker: others can reach {address}, and there are no keys: {HOW}")
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            raise ConfigError(
                f"broker: cannot bind {address}: {zmq.strerror(error.errno or 0)}; another broker may be "
                "running there, or the address is not this machine's (see broker.bind_host)"
            ) from error


def _parse(parts: list[bytes]) -> Heard:
    topic, body = _topic_and_body(parts)
    return topic, decode(body)


def _has_sender(frame: zmq.Frame) -> bool:
    """Tell whether a subscription's end was said; one that a closed connection leaves behind was not."""
    try:
        return bool(frame.get("User-Id"))
    except zmq.ZMQError:
        return False


def _take_one(counts: Counter[str], name: str) -> bool:
    """Count one less; return False when there is none."""
    if counts[name] < 1:
        return False
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
    return True


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
    _keep_alive(socket)
    socket.setsockopt(zmq.TCP_MAXRT, 2000)


def _make_watchful(socket: "zmq.Socket[bytes]") -> None:
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
        _keep_alive(socket)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 1500)
    socket.setsockopt(zmq.IPV6, 1)


def _keep_alive(socket: "zmq.Socket[bytes]") -> None:
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 2)
