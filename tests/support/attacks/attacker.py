"""What the attackers of `benchmarks.attacks` share: where they are, their keys, sockets without manners."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import zmq

from turnstile.io.bus.keys import KeyFolder, NodeKey
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.envelope import Message
from turnstile.protocol.fields import Timings
from turnstile.protocol.messages import Frame, Result
from turnstile.protocol.roles import Identity
from turnstile.site.settings import BrokerSettings

INTRUDERS = (
    Identity("capture", "rogue_camera"),
    Identity("recognizer", "rogue_recognizer"),
    Identity("logger", "rogue_logger"),
    Identity("display", "rogue_display"),
    Identity("observer", "rogue_observer"),
    Identity("web", "rogue_web"),
)
"""Keys in the wrong hands, made anew for each attack: nothing but what their roles allow may come of them."""

Credentials = tuple[bytes, bytes, bytes]
"""A public key, its secret key, and the broker's public key."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is attacked: a broker, its keys, its process, an honest camera, and a frame of it."""

    broker: BrokerSettings
    keys: KeyFolder
    pid: int
    camera: str
    frame: Frame

    def key(self, name: str) -> NodeKey:
        """Return the key of a name."""
        return self.keys.node_key(self.keys.find(name))

    def credentials(self, name: str) -> Credentials:
        """Return the key of a name as sockets want it."""
        key = self.key(name)
        return key.own.public, key.own.secret, key.broker_public

    def bus(self, name: str, *topics: str) -> Bus:
        """Return a name's side of the bus."""
        return Bus(self.broker, key=self.key(name), topics=topics)


Attack = Callable[[Place, float], int]
"""Takes the place and the monotonic time to stop at, and returns how often it tried.

Raises an AssertionError when it gained something that only it can see.
"""


@contextmanager
def raw(
    kind: int, address: str, credentials: Credentials | None, option: int | None = None, value: int = 0
) -> "Iterator[zmq.Socket[bytes]]":
    """Give a connected socket that says what it is told to, with or without a key."""
    with zmq.Context() as context, context.socket(kind) as sock:
        sock.linger = 0
        if credentials is not None:
            sock.curve_publickey, sock.curve_secretkey, sock.curve_serverkey = credentials
        if option is not None:
            sock.setsockopt(option, value)
        sock.connect(address)
        yield sock


def say(
    place: Place, name: str, until_s: float, make: Callable[[int], tuple[str, Message]], per_s: float
) -> int:
    """Say `per_s` messages a second with a name's key, in good manners."""
    said = 0
    bus = place.bus(name)
    try:
        while time.monotonic() < until_s:
            bus.receive(1 / per_s)
            said += bus.send(*make(said))
    finally:
        bus.close(linger_s=1.0)
    return said


def a_result(token: str, *, name: str, camera: str, seq: int) -> Result:
    """Return a result that finds nobody."""
    return Result(
        token=token,
        name=name,
        instance=f"{name}-1",
        camera=camera,
        seq=seq,
        captured_ns=time.time_ns(),
        gallery_version="",
        faces=(),
        timings=Timings(),
    )


def host_and_port(address: str) -> tuple[str, int]:
    """Return what plain sockets connect to."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def ports(place: Place) -> list[tuple[str, int]]:
    """Return both of the broker's."""
    return [host_and_port(at) for at in (place.broker.ingress, place.broker.egress)]
