"""The broker's side of the bus."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import zmq

from turnstile.dispatch.refusals import Refusals
from turnstile.errors import ConfigError, RefusedError
from turnstile.io.bus.guard import Guard
from turnstile.io.bus.keys import HOW
from turnstile.io.bus.options import MAX_TOPIC_BYTES, make_watchful, new_socket, topic_of
from turnstile.io.bus.unfinished import Unfinished
from turnstile.protocol.permissions import speaker
from turnstile.protocol.requests import MAX_WISH_BYTES
from turnstile.protocol.roles import Identity
from turnstile.site.addresses import bind_address, is_local
from turnstile.site.settings import BrokerSettings

_CURVE_BYTES = 1024
"""The limit on a subscription holds for the handshake too, whose longest command has 257 and metadata."""

_INGRESS_HWM = 64
"""Of each node: enough for its frames while the broker is busy, and a bound on what a hostile one fills."""

_EGRESS_HWM = 200
"""For each node. A display that hangs keeps so many frames in the broker's memory: 100 MB at 500 kB."""


log = logging.getLogger("turnstile")


_AT_ONCE, _MORE_TO_COME = int(zmq.DONTWAIT), int(zmq.DONTWAIT | zmq.SNDMORE)


class Received(NamedTuple):
    """What a node said, not yet decoded."""

    topic: str
    payload: zmq.Frame
    """The body as it came, not copied."""
    frame: zmq.Frame
    """The topic as it came, which knows its connection."""
    sender: Identity | None
    """Whose key it came with; none when the bus has no keys."""
    connection: int
    """Its descriptor, or -1."""
    came_ns: int
    """Monotonic."""

    @property
    def body(self) -> bytes:
        """Return a copy of the body."""
        return self.payload.bytes


class BrokerSockets:
    """The broker's side: a bound PULL (ingress) and a bound XPUB (egress). Belongs to one thread.

    With keys, a `guard` lets nodes in, and a subscription takes effect only when its sender's role allows it
    (`XPUB_MANUAL`).
    """

    def __init__(
        self, broker: BrokerSettings, *, guard: Guard | None = None, wake_fds: Sequence[int] = ()
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
        self.guard = guard
        self.refusals = Refusals() if guard is None else guard.refusals
        self._newest: zmq.Frame | None = None
        self._subscribers: Counter[str] = Counter()
        self._turned_away: Counter[str] = Counter()
        self._astray = False
        self._context = zmq.Context()
        # what is somewhat too large is counted and dropped; what is larger still ends its connection
        max_bytes = max(2 * broker.max_frame_bytes, MAX_WISH_BYTES) + 2**20
        self.pull = new_socket(self._context, zmq.PULL, hwm=_INGRESS_HWM, max_bytes=max_bytes)
        handshake_bytes = MAX_TOPIC_BYTES if guard is None else _CURVE_BYTES
        self.xpub = new_socket(self._context, zmq.XPUB, hwm=_EGRESS_HWM, max_bytes=handshake_bytes)
        self.xpub.setsockopt(zmq.XPUB_VERBOSE if guard is None else zmq.XPUB_MANUAL, 1)
        self._poller = zmq.Poller()
        if guard is not None:
            self._poller.register(guard.start(self._context), zmq.POLLIN)
        for socket, address in ((self.pull, ingress), (self.xpub, egress)):
            make_watchful(socket)
            self._bind(socket, address)
        self.unfinished = Unfinished(
            *(str(one.getsockopt_string(zmq.LAST_ENDPOINT)) for one in (self.pull, self.xpub)),
            max_message_bytes=max_bytes + MAX_TOPIC_BYTES,
            hwm=_INGRESS_HWM,
        )
        for item in (self.pull, self.xpub, *wake_fds):
            self._poller.register(item, zmq.POLLIN)

    def wait(self, timeout_s: float) -> bool:
        """Return when something has come, a signal has, or `timeout_s` is over; let in who may come in.

        Returns:
            whether there are subscriptions to look at.

        Raises:
            TurnstileError: there are keys, and what checks them is gone.
        """
        if self.guard is not None:
            self.guard.watch()
        ready = self._poller.poll(max(0, round(timeout_s * 1000)))
        if self.guard is not None:
            self.guard.answer()
        return any(one is self.xpub for one, _ in ready)

    def receive(self) -> Received | None:
        """Return what a node said, not yet decoded; none when there is nothing more.

        Raises:
            RefusedError: its sender's key was revoked, or its share is used up.
            WireError: it does not have two parts, or its topic is not text of at most 256 bytes.
        """
        came_ns = time.monotonic_ns()
        try:
            first = part = self.pull.recv(_AT_ONCE, copy=False)
        except zmq.Again:
            self.unfinished.look(came_ns / 1e9, drained=True)
            return None
        self._newest = first
        parts, octets = 1, len(first)
        while part.more:
            part = self.pull.recv(_AT_ONCE, copy=False)
            parts, octets = parts + 1, octets + len(part)
        connection = self.unfinished.came(first)
        self.unfinished.look(came_ns / 1e9, drained=False)
        sender = None if self.guard is None else self.guard.sender(first, octets)
        return Received(topic_of(first.bytes, parts), part, first, sender, connection, came_ns)

    def refuse(self, said: Received, why: str) -> RefusedError:
        """Count that a message was refused, and return what to raise."""
        if self.guard is None:
            return RefusedError(why)
        return self.guard.refuse(said.frame, why)

    def note_unusable(self, why: str, said: Received | None = None) -> None:
        """Count that a message cannot be used, and log from whom it came, once a minute for each.

        Args:
            why: it cannot.
            said: the message; `None` means the newest, which `receive` raised an error about.
        """
        frame = self._newest if said is None else said.frame
        if frame is None:
            return
        who = _sender_in_words(frame) if self.guard is None else self.guard.name_of(frame)
        words = f"{speaker(frame.bytes)}: {why}"
        line = self.refusals.note(who, words, time.monotonic())
        if line is not None:
            log.warning("%s", line)

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
            elif self.guard is None:
                if topic.encode() == event[1:]:
                    return topic, event[:1] == b"\1"
                self.refused += 1
            elif event[:1] == b"\1":
                if self._admit(self.guard, frame, topic):
                    return topic, True
            elif self._let_go(self.guard, frame, topic):
                return topic, False
        return None

    def publish(self, topic: str, body: bytes | zmq.Frame) -> None:
        """Send to all subscribers of `topic`; what a slow one cannot take is dropped for that one.

        A body that is passed on as it came is not copied.
        """
        self.xpub.send(topic.encode(), _MORE_TO_COME)
        self.xpub.send(body, _AT_ONCE)

    def close(self, *, linger_s: float = 0.0) -> None:
        """Close both, giving what was published up to `linger_s` to leave."""
        self.pull.close(linger=0)
        self.xpub.close(linger=round(linger_s * 1000))
        if self.guard is not None:
            self.guard.stop()
        self._context.term()

    def _admit(self, guard: Guard, frame: zmq.Frame, topic: str) -> bool:
        """Let a subscription take effect if its sender may hear the topic."""
        if self._astray:
            guard.cut(frame)
        granted = not self._astray and guard.admits(frame, topic)
        topics = guard.topics_of(frame)
        before = topics.get(topic)
        if not granted:
            self.refused += 1
            if before is None:
                topics[topic] = False
                self._turned_away[topic] += 1
            return False
        self.xpub.setsockopt(zmq.SUBSCRIBE, topic.encode())
        if before is False:
            _count_down(self._turned_away, topic)
        if not before:
            topics[topic] = True
            self._subscribers[topic] += 1
        return True

    def _let_go(self, guard: Guard, frame: zmq.Frame, topic: str) -> bool:
        """End a subscription; return whether it was the topic's last.

        libzmq passes on what a peer gives up though it never subscribed to it, so only its own counts. When a
        connection closes, libzmq does not say whose the subscription was. It is taken for one that was
        refused, if there are any: then a recognizer's death shows a lease later, but nobody can feign it.
        """
        if _has_sender(frame):
            if self._astray:
                guard.cut(frame)
            granted = guard.topics_of(frame).pop(topic, None)
            if granted is None:
                self.refused += 1
                guard.refuse(frame, "gave up a topic that it is not subscribed to")
                return False
            if not granted:
                _count_down(self._turned_away, topic)
                return False
            if not self._astray:
                self.xpub.setsockopt(zmq.UNSUBSCRIBE, topic.encode())
        elif _count_down(self._turned_away, topic):
            return False
        return _count_down(self._subscribers, topic) and topic not in self._subscribers

    def _go_astray(self, frame: zmq.Frame) -> None:
        """Refuse what is no subscription, and all that waits behind it.

        libzmq 4.3.5 counts such a message when it remembers whose the waiting subscriptions are, so those
        behind it would be granted to the wrong connections. Their senders are cut off and come again; when
        nothing waits any more, the count is right again.
        """
        self.refused += 1
        if self.guard is not None:
            self._astray = True
            self.guard.refuse(frame, "sent the egress what is no subscription")
            self.guard.cut(frame)

    def _bind(self, socket: "zmq.Socket[bytes]", address: str) -> None:
        if self.guard is not None:
            self.guard.arm(socket)
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


def _sender_in_words(frame: zmq.Frame) -> str:
    """Return the address that a message came from, or the process if it came by a socket in a folder."""
    try:
        address = str(frame.get("Peer-Address")).removeprefix("::ffff:")  # an IPv4 address on an IPv6 port
    except zmq.ZMQError:
        return "an unknown address"
    host, *credentials = address.split(":")  # libzmq gives ``localhost:<uid>:<gid>:<pid>`` for ipc
    return f"process {credentials[2]}" if host == "localhost" and len(credentials) == 3 else address


def _has_sender(frame: zmq.Frame) -> bool:
    """Tell whether a subscription's end was said; one that a closed connection leaves behind was not."""
    try:
        return bool(frame.get("User-Id"))
    except zmq.ZMQError:
        return False


def _count_down(counts: Counter[str], name: str) -> bool:
    """Count one less; return False when there is none."""
    if counts[name] < 1:
        return False
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
    return True
