"""The nodes' side of the bus."""

import time
from collections.abc import Callable, Sequence

import zmq

from turnstile.errors import ConfigError, WireError
from turnstile.io.bus.contact import Contact
from turnstile.io.bus.keys import HOW, NodeKey
from turnstile.io.bus.options import make_reconnecting, new_socket, topic_of
from turnstile.protocol.envelope import Message
from turnstile.protocol.messages import AnyMessage, decode, encode
from turnstile.protocol.permissions import BROKER_TOPIC
from turnstile.site.addresses import is_local
from turnstile.site.settings import BrokerSettings

BROKER_SILENT_S = 2.0
"""Broker beats every half second; after this long without a word the sockets are made anew."""

UNSAID_S = 4.0
"""So long after everything said was dropped, the sockets are made anew: libzmq gives a connection up for good
when the broker refuses the key, which may be a moment before it learns of it."""

MAX_HEARD_BYTES = 64 * 2**20
"""Largest message a node takes: a gallery of `turnstile.io.people.enrolment.MAX_PICTURES`."""

LAST_BEAT_S = 0.3
"""How long the last frame of a recording and the last beat may take to leave."""

_DRAIN = 256
Heard = tuple[str, AnyMessage]


class Bus:
    """A node's side of the bus: a PUSH to the broker and a SUB from it. Belongs to one thread.

    Both reconnect by themselves. When nothing at all comes from the broker for `BROKER_SILENT_S`, they are
    closed and made anew, which also heals connections that a partition left half open; so they are when
    nothing said has left for `UNSAID_S`.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        *,
        key: NodeKey | None = None,
        topics: Sequence[str] = (),
        send_hwm: int = 100,
        receive_hwm: int = 1000,
        wake_fds: Sequence[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect; returns at once whether or not the broker is there.

        Args:
            broker: where it is.
            key: what to be let in with; none on loopback and ipc, if the site has no keys.
            topics: prefixes to hear, besides the broker's own beat.
            send_hwm: messages kept while the broker is slow; more are dropped, and all while it is away.
            receive_hwm: messages kept for this node before the broker drops more.
            wake_fds: descriptors that end waiting when readable, such as a signal's wake-up pipe.
            clock: the monotonic time in seconds, by which the broker's silence is measured.

        Raises:
            ConfigError: an address cannot be connected to, such as an ipc path of over 107 characters, or
                not without a key, because it is another machine's.
        """
        self.refused = 0
        self.reconnects = 0
        self._broker, self._key = broker, key
        self._topics = list(dict.fromkeys([BROKER_TOPIC, *topics]))
        self._say_hwm, self._hear_hwm = send_hwm, receive_hwm
        self._wake_fds = tuple(wake_fds)
        self._clock = clock
        self._context = zmq.Context()
        self._heard_once = False
        self._unsaid_at = 0.0
        self._upward, self._downward = (Contact(at, key) for at in (broker.ingress, broker.egress))
        self._connect()

    @property
    def counts(self) -> dict[str, int]:
        """Return how many messages were not ours, and how often the sockets were made anew."""
        return {"refused_messages": self.refused, "reconnects": self.reconnects}

    @property
    def broker_lost(self) -> bool:
        """Tell whether the broker was silent for 2 s, or has not been heard yet."""
        return not self._heard_once or self._clock() - self._heard_at > BROKER_SILENT_S

    @property
    def silent_s(self) -> float:
        """Return how long the broker has said nothing, or since when it is looked for anew."""
        return self._clock() - self._heard_at

    @property
    def trouble(self) -> str:
        """Return why the broker is not heard, or does not hear this node, and what to check; empty if not."""
        if not self.broker_lost:
            return self._upward.trouble
        silent = (
            f"the broker at {self._broker.egress} says nothing, though it takes connections: is it stopped?"
        )
        return self._downward.trouble or silent

    def send(self, topic: str, message: Message) -> bool:
        """Send without waiting; return False when it was dropped: the queue is full or nobody is there."""
        try:
            self._push.send_multipart([topic.encode(), encode(message)], zmq.DONTWAIT)
        except zmq.Again:
            self._unsaid_at = self._unsaid_at or self._clock()
            return False
        self._unsaid_at = 0.0
        return True

    def receive(self, timeout_s: float) -> list[Heard]:
        """Wait for the first message, then return all that have come, at most 256.

        Returns an empty list after `timeout_s`, or as soon as one of `wake_fds` is readable. Messages that
        are not ours are counted in `refused`.
        """
        ready = dict(self._poller.poll(max(0, round(timeout_s * 1000))))
        heard: list[Heard] = []
        if self._unsaid_at and self._clock() - self._unsaid_at > UNSAID_S:
            self._renew()
            return heard
        if self._sub not in ready:
            self._renew_when_silent()
        else:
            self._heard_at, self._heard_once = self._clock(), True
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

    def close(self, *, linger_s: float = LAST_BEAT_S) -> None:
        """Close, giving what was sent up to `linger_s` to leave."""
        self._disconnect(linger_s=linger_s)
        self._context.term()

    def _connect(self) -> None:
        self._push = new_socket(self._context, zmq.PUSH, hwm=self._say_hwm, max_bytes=0)
        self._sub = new_socket(self._context, zmq.SUB, hwm=self._hear_hwm, max_bytes=MAX_HEARD_BYTES)
        self._push.setsockopt(zmq.IMMEDIATE, 1)
        for topic in self._topics:
            self._sub.subscribe(topic)
        self._upward.watch(self._push)
        self._downward.watch(self._sub)
        self._open(self._push, self._broker.ingress)
        self._open(self._sub, self._broker.egress)
        self._poller = zmq.Poller()
        self._poller.register(self._sub, zmq.POLLIN)
        for wake_fd in self._wake_fds:
            self._poller.register(wake_fd, zmq.POLLIN)
        self._heard_at = self._clock()
        self._unsaid_at = 0.0

    def _open(self, socket: "zmq.Socket[bytes]", address: str) -> None:
        make_reconnecting(socket)
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
        self._upward.forget()
        self._downward.forget()
        self._push.close(linger=round(linger_s * 1000))
        self._sub.close(linger=0)

    def _renew_when_silent(self) -> None:
        if self._clock() - self._heard_at > BROKER_SILENT_S:
            self._heard_once = False
            self._renew()

    def _renew(self) -> None:
        self._disconnect(linger_s=0.0)
        self._connect()
        self.reconnects += 1


def _parse(parts: list[bytes]) -> Heard:
    topic = topic_of(parts[0], len(parts))
    return topic, decode(parts[1])
