"""Those who attack a running site in `benchmarks.attacks`, each for a bounded time, on loopback only.

Each is a function of the place it attacks and the monotonic time to stop at, and returns how often it tried.
"""

import random
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import zmq

from turnstile import config
from turnstile.io.beats import Role as BeatRole
from turnstile.io.bus import Bus
from turnstile.io.keys import KeyFolder, NodeKey
from turnstile.messages import Beat, Frame, Message, Query, Ready, Result, Timings, Work, encode, topic
from turnstile.roles import Identity

INTRUDERS = (
    Identity("capture", "rogue_camera"),
    Identity("recognizer", "rogue_recognizer"),
    Identity("display", "rogue_display"),
    Identity("display", "revoked_display"),
    Identity("observer", "rogue_observer"),
    Identity("logger", "rogue_logger"),
)
"""Keys in the wrong hands: nothing but what their roles allow may come of them."""

CROWD = 10_000
GREETING = b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x01CURVE" + bytes(15) + b"\x00" + bytes(31)


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is attacked: a broker, its keys, an honest camera, and a frame of it."""

    broker: config.Broker
    keys: KeyFolder
    camera: str
    frame: Frame

    def key(self, name: str) -> NodeKey:
        """Return the key of a name."""
        return self.keys.node_key(self.keys.find(name))

    def credentials(self, name: str) -> "Credentials":
        """Return the key of a name as sockets want it."""
        key = self.key(name)
        return key.own.public, key.own.secret, key.broker_public


Credentials = tuple[bytes, bytes, bytes]
"""A public key, its secret key, and the broker's public key."""


Attack = Callable[[Place, float], int]


def no_key(place: Place, until_s: float) -> int:
    """Speak plain text to ports that ask for keys."""
    return _with(_raw_sockets(place, None), place, until_s)


def wrong_key(place: Place, until_s: float) -> int:
    """Come with a key that the broker does not know."""
    public, secret = zmq.curve_keypair()
    known = place.key("rogue_camera")
    return _with(_raw_sockets(place, (public, secret, known.broker_public)), place, until_s)


def revoked_key(place: Place, until_s: float) -> int:
    """Listen with a good key, have it revoked, and go on listening and speaking."""
    with closing(
        Bus(place.broker, key=place.key("revoked_display"), topics=[f"frame.{place.camera}."])
    ) as bus:
        _wait_for(lambda: bool(bus.hear(0.2)), until_s)
        place.keys.revoke("revoked_display")
        time.sleep(1.0)
        bus.hear(0.0)
        heard = 0
        while time.monotonic() < until_s:
            heard += len(bus.hear(0.2))
            bus.say("status.revoked_display.", _beat("revoked_display", "display"))
        if heard:
            raise AssertionError(f"a revoked key heard {heard} messages")
        return 1


def wrong_role(place: Place, until_s: float) -> int:
    """Say every kind of message, under every topic, with a key of every role."""
    buses = [Bus(place.broker, key=place.key(who.name)) for who in INTRUDERS if "revoked" not in who.name]
    said = 0
    try:
        while time.monotonic() < until_s:
            for bus in buses:
                bus.hear(0.0)
                for about, message in _forgeries(place):
                    said += bus.say(about, message)
            time.sleep(0.5)
    finally:
        for bus in buses:
            bus.close()
    return said


def wrong_topics(place: Place, until_s: float) -> int:
    """Subscribe to what is others' with a key of every role; hearing anything of it is a failure."""
    topics = ["", "work.", f"work.honest.{'honest-1'}.", "gallery", "log.", "query", "entries.", "frame"]
    buses = [
        Bus(place.broker, key=place.key(who.name), topics=topics)
        for who in INTRUDERS
        if "revoked" not in who.name
    ]
    try:
        while time.monotonic() < until_s:
            for bus in buses:
                stolen = [about for about, _ in bus.hear(0.05) if about != "status.broker."]
                if stolen:
                    raise AssertionError(f"heard what is others': {stolen[:3]}")
    finally:
        for bus in buses:
            bus.close()
    return len(topics) * len(buses)


def anothers_name(place: Place, until_s: float) -> int:
    """Send frames in the name of an honest camera, with another camera's key."""
    return _say(place, "rogue_camera", until_s, lambda _: (topic("frame", place.camera), place.frame), 30.0)


def forged_results(place: Place, until_s: float) -> int:
    """Send results for work that was never given."""

    def forge(number: int) -> tuple[str, Message]:
        return "result.", _result(place, token=secrets.token_hex(16), seq=number)

    return _say(place, "rogue_recognizer", until_s, forge, 30.0)


def replayed_results(place: Place, until_s: float) -> int:
    """Take real work, answer it, and send the same answer ten times more."""
    name, instance = "rogue_recognizer", "rogue_recognizer-1"
    said = 0
    bus = Bus(place.broker, key=place.key(name), topics=[f"work.{name}.{instance}."])
    with closing(bus):
        while time.monotonic() < until_s:
            bus.say("ready.", Ready(name=name, instance=instance))
            for _, message in bus.hear(0.1):
                if isinstance(message, Work):
                    answer = _result(place, token=message.token, seq=message.seq, camera=message.camera)
                    for _ in range(11):
                        said += bus.say("result.", answer)
    return said


def oversized(place: Place, until_s: float) -> int:
    """Send messages larger than any frame may be."""
    key = place.key("rogue_camera")
    said = 0
    with _raw(zmq.PUSH, place.broker.ingress, (key.own.public, key.own.secret, key.broker_public)) as sock:
        while time.monotonic() < until_s:
            if sock.poll(100, zmq.POLLOUT):
                sock.send_multipart([b"frame.rogue_camera.", bytes(3 * place.broker.max_frame_bytes + 2**21)])
                said += 1
    return said


def bomb_picture(place: Place, until_s: float) -> int:
    """Send a small JPEG whose header claims 65,500 by 65,500 pixels."""
    jpeg = place.frame.jpeg
    at = jpeg.index(b"\xff\xc0")
    bomb = jpeg[: at + 5] + (65_500).to_bytes(2) * 2 + jpeg[at + 9 :]

    def send(number: int) -> tuple[str, Message]:
        frame = _frame("rogue_camera", number, bomb, 65_500, 65_500)
        return "frame.rogue_camera.", frame

    return _say(place, "rogue_camera", until_s, send, 30.0)


def crowd(place: Place, until_s: float) -> int:
    """Open 10,000 connections that say nothing, half of them to each port."""
    opened: list[socket.socket] = []
    ports = [_host_and_port(at) for at in (place.broker.ingress, place.broker.egress)]
    try:
        while time.monotonic() < until_s:
            if len(opened) < CROWD:
                one = socket.socket()
                one.setblocking(False)
                opened.append(one)
                one.connect_ex(ports[len(opened) % 2])
            else:
                time.sleep(0.1)
    finally:
        for one in opened:
            one.close()
    return len(opened)


def hostile_bytes(place: Place, until_s: float) -> int:
    """Send random bytes, cut-off greetings, and greetings followed by random bytes."""
    ports = [_host_and_port(at) for at in (place.broker.ingress, place.broker.egress)]
    chance = random.Random(7)
    tries = 0
    while time.monotonic() < until_s:
        kind = tries % 3
        data = (
            chance.randbytes(chance.randrange(1, 2000)),
            GREETING[: chance.randrange(1, len(GREETING))],
            GREETING + chance.randbytes(chance.randrange(1, 4000)),
        )[kind]
        with socket.socket() as one:
            one.settimeout(0.5)
            try:
                one.connect(ports[tries % 2])
                one.sendall(data)
            except OSError:
                pass
        tries += 1
        time.sleep(0.002)
    return tries


def strangers(place: Place, until_s: float) -> int:
    """Knock at the door with one unknown key after the other, as fast as they come."""
    server = place.key("rogue_camera").broker_public
    tries = 0
    while time.monotonic() < until_s:
        with _raw(zmq.PUSH, place.broker.ingress, (*zmq.curve_keypair(), server)) as sock:
            sock.poll(10, zmq.POLLOUT)
            tries += 1
    return tries


def slow_reader(place: Place, until_s: float) -> int:
    """Subscribe to every frame, and read nothing."""
    key = place.key("rogue_display")
    credentials = (key.own.public, key.own.secret, key.broker_public)
    with _raw(zmq.SUB, place.broker.egress, credentials, zmq.RCVHWM, 1) as sock:
        sock.subscribe(b"frame.")
        sock.subscribe(b"result.")
        time.sleep(max(0.0, until_s - time.monotonic()))
    return 1


def flood_of_frames(place: Place, until_s: float) -> int:
    """Send good frames of one's own as fast as the broker takes them."""
    return _flood(
        place, "rogue_camera", until_s, "frame.rogue_camera.", _frame("rogue_camera", 1, place.frame.jpeg)
    )


def flood_of_beats(place: Place, until_s: float) -> int:
    """Beat with a display's key as fast as the broker takes it."""
    return _flood(place, "rogue_display", until_s, "status.rogue_display.", _beat("rogue_display", "display"))


def flood_of_readiness(place: Place, until_s: float) -> int:
    """Say with a recognizer's key that it is ready, without listening, as fast as the broker takes it."""
    name = "rogue_recognizer"
    return _flood(place, name, until_s, "ready.", Ready(name=name, instance=f"{name}-1"))


def flood_of_queries(place: Place, until_s: float) -> int:
    """Ask the loggers with an observer's key as fast as the broker takes it."""
    return _flood(place, "rogue_observer", until_s, "query.", Query(asker="rogue_observer-1"))


def flood_of_subscriptions(place: Place, until_s: float) -> int:
    """Subscribe to one topic after the other, allowed and not, and come back whenever cut off."""
    said = 0
    while time.monotonic() < until_s:
        with _raw(
            zmq.XSUB, place.broker.egress, place.credentials("rogue_display"), zmq.IMMEDIATE, 1
        ) as sock:
            renew_s = min(until_s, time.monotonic() + 0.5)
            while time.monotonic() < renew_s:
                about = topic("frame" if said % 2 else "work", f"camera-{said}")
                try:
                    sock.send(b"\1" + about.encode(), zmq.DONTWAIT)
                    said += 1
                except zmq.Again:
                    sock.poll(10, zmq.POLLOUT)
    return said


def _flood(place: Place, name: str, until_s: float, about: str, message: Message) -> int:
    """Say one message as fast as the broker takes it, and come back whenever cut off."""
    parts, said = [about.encode(), encode(message)], 0
    while time.monotonic() < until_s:
        with _raw(zmq.PUSH, place.broker.ingress, place.credentials(name), zmq.IMMEDIATE, 1) as sock:
            waited = 0
            while time.monotonic() < until_s and waited < 10:
                try:
                    sock.send_multipart(parts, zmq.DONTWAIT)
                    said, waited = said + 1, 0
                except zmq.Again:
                    sock.poll(50, zmq.POLLOUT)
                    waited += 1
    return said


ATTACKS: dict[str, Attack] = {
    "no key": no_key,
    "wrong key": wrong_key,
    "revoked key, while connected": revoked_key,
    "right key, wrong role: each message": wrong_role,
    "right key, wrong role: each topic": wrong_topics,
    "another camera's name": anothers_name,
    "forged results": forged_results,
    "replayed results": replayed_results,
    "oversized messages": oversized,
    "bomb pictures": bomb_picture,
    "10,000 connections": crowd,
    "random bytes, cut-off greetings": hostile_bytes,
    "strangers knocking": strangers,
    "slow reader": slow_reader,
    "flood of frames": flood_of_frames,
    "flood of beats": flood_of_beats,
    "flood of readiness": flood_of_readiness,
    "flood of queries": flood_of_queries,
    "flood of subscriptions": flood_of_subscriptions,
}


def _forgeries(place: Place) -> Iterator[tuple[str, Message]]:
    """Give messages that none of the intruders may say, under the topics they belong to."""
    yield topic("frame", place.camera), place.frame
    yield "ready.", Ready(name="honest", instance="honest-1")
    yield "result.", _result(place, token="0" * 32, seq=1, name="honest")
    yield "query.", Query(asker="somebody-1")
    yield "status.broker.", _beat("broker", "broker")
    yield topic("status", place.camera), _beat(place.camera, "capture")
    yield "gallery.", _beat("rogue_display", "display")
    yield topic("access", place.camera), _beat("rogue_display", "display")


def _say(
    place: Place, name: str, until_s: float, make: Callable[[int], tuple[str, Message]], per_s: float
) -> int:
    said = 0
    with closing(Bus(place.broker, key=place.key(name))) as bus:
        while time.monotonic() < until_s:
            bus.hear(1 / per_s)
            said += bus.say(*make(said))
    return said


def _with(
    sockets: Iterator[tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]], place: Place, until_s: float
) -> int:
    said = 0
    for push, sub in sockets:
        while time.monotonic() < until_s:
            if push.poll(50, zmq.POLLOUT):
                push.send_multipart([topic("frame", place.camera).encode(), encode(place.frame)])
                said += 1
            if sub.poll(0):
                raise AssertionError("heard something without a key")
    return max(said, 1)


def _raw_sockets(
    place: Place, credentials: tuple[bytes, bytes, bytes] | None
) -> Iterator[tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]]:
    with (
        _raw(zmq.PUSH, place.broker.ingress, credentials, zmq.IMMEDIATE, 1) as push,
        _raw(zmq.SUB, place.broker.egress, credentials) as sub,
    ):
        sub.subscribe(b"")
        yield push, sub


@contextmanager
def _raw(
    kind: int,
    address: str,
    credentials: tuple[bytes, bytes, bytes] | None,
    option: int | None = None,
    value: int = 0,
) -> "Iterator[zmq.Socket[bytes]]":
    with zmq.Context() as context, context.socket(kind) as sock:
        sock.linger = 0
        if credentials is not None:
            sock.curve_publickey, sock.curve_secretkey, sock.curve_serverkey = credentials
        if option is not None:
            sock.setsockopt(option, value)
        sock.connect(address)
        yield sock


def _wait_for(condition: Callable[[], bool], until_s: float) -> None:
    while not condition() and time.monotonic() < until_s:
        pass


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def _frame(camera: str, seq: int, jpeg: bytes, width_px: int = 0, height_px: int = 0) -> Frame:
    size = (width_px, height_px) if width_px else (640, 480)
    return Frame(
        camera=camera, seq=seq, captured_ns=time.time_ns(), width_px=size[0], height_px=size[1], jpeg=jpeg
    )


def _beat(node: str, role: BeatRole) -> Beat:
    return Beat(
        node=node,
        instance=f"{node}-1",
        role=role,
        host="",
        pid=1,
        version="0",
        uptime_s=0.0,
    )


def _result(
    place: Place, *, token: str, seq: int, name: str = "rogue_recognizer", camera: str = ""
) -> Result:
    return Result(
        token=token,
        name=name,
        instance=f"{name}-1",
        camera=camera or place.camera,
        seq=seq,
        captured_ns=time.time_ns(),
        gallery_version="",
        faces=(),
        timings=Timings(),
    )
