"""Attackers that want to be somebody else, or more than they are. Loopback only, each for a bounded time."""

import secrets
import socket
import threading
import time
from contextlib import ExitStack, closing, suppress

import msgspec
import zmq

from tests.support.attacks.attacker import (
    INTRUDERS,
    Attack,
    Credentials,
    Place,
    a_result,
    host_and_port,
    ports,
    raw,
    say,
)
from tests.support.messages import one_of_each
from turnstile.protocol.envelope import Message
from turnstile.protocol.messages import (
    AnyMessage,
    Beat,
    Bye,
    Entries,
    Fetch,
    Frame,
    Query,
    Ready,
    Result,
    Template,
    Work,
    encode,
)
from turnstile.protocol.requests import Reply, Request
from turnstile.protocol.topics import topic

MAY_SAY: dict[str, tuple[type[Message], ...]] = {
    "capture": (Frame, Beat),
    "recognizer": (Ready, Result, Template, Bye, Beat),
    "logger": (Fetch, Entries, Reply, Beat),
    "display": (Beat,),
    "observer": (Query, Beat),
    "web": (Request, Beat),
}
"""Written down again, so that `turnstile.protocol.permissions` is not asked about itself."""

HONEST = {
    "capture": "door",
    "recognizer": "honest",
    "logger": "scribe",
    "display": "porter",
    "observer": "watcher",
    "web": "web",
}
"""Whose names are worth having."""

_OTHERS_TOPICS = (
    *(
        "",
        "f",
        "frame",
        "work",
        "log",
        "gallery",
        "query",
        "entries",
        "status",
        "access",
        "result",
        "guide",
        "reply",
        "request",
    ),
    *("work.", "work.honest.", "work.honest.honest-1.", "log.", "log.scribe.", "log.scribe.scribe-1."),
    *("entries.", "entries.watcher-1.", "reply.", "reply.web-1.", "request.", "request.scribe."),
    *("ready.", "fetch.", "template.", "bye."),
)
"""No role may hear these, an intruder's name or not."""

_TOPICS = {
    "capture": ("frame.", "frame.door.", "result.", "access.", "guide.", "status.", "status.door.", "query."),
    "recognizer": (
        "frame.",
        "frame.door.",
        "result.",
        "access.",
        "guide.",
        "status.",
        "status.door.",
        "query.",
    ),
    "logger": (
        "frame.",
        "frame.door.",
        "result.",
        "access.",
        "guide.",
        "status.",
        "status.door.",
        "gallery.",
    ),
    "web": ("gallery.", "query.", "work.rogue_web.rogue_web-1.", "log.rogue_web.rogue_web-1."),
    "display": (
        "gallery.",
        "query.",
        "work.rogue_display.rogue_display-1.",
        "log.rogue_display.rogue_display-1.",
    ),
    "observer": (
        "frame.",
        "frame.door.",
        "result.",
        "result.door.",
        "guide.",
        "guide.door.",
        "gallery.",
        "query.",
    ),
}
"""Nor may these roles hear these."""

RECORDED_FRAMES, RECORD_S = 5, 10.0


def no_key(place: Place, until_s: float) -> int:
    """Speak plain text to ports that ask for keys."""
    return _knock(place, None, until_s)


def wrong_key(place: Place, until_s: float) -> int:
    """Come with a key that the broker does not know."""
    public, secret = zmq.curve_keypair()
    return _knock(place, (public, secret, place.key("rogue_camera").broker_public), until_s)


def revoked_while_listening(place: Place, until_s: float) -> int:
    """Listen with a good key, have it revoked, and hear nothing more from a second later on."""
    with closing(place.bus("rogue_display", topic("frame", place.camera), "result.", "status.")) as bus:
        while not bus.receive(0.2):
            pass
        place.keys.revoke("rogue_display")
        time.sleep(1.0)
        bus.receive(0.0)
        heard = 0
        while time.monotonic() < until_s:
            heard += len(bus.receive(0.1))
        if heard:
            raise AssertionError(f"a revoked key heard {heard} messages")
    return 1


def revoked_while_speaking(place: Place, until_s: float) -> int:
    """Send frames with a good key, have it revoked, and send on; those of a second later on are forged."""
    said, revoked_s = 0, float("inf")
    begin_s = time.monotonic()
    with raw(zmq.PUSH, place.broker.ingress, place.credentials("rogue_camera")) as sock:
        while time.monotonic() < until_s:
            if revoked_s == float("inf") and time.monotonic() - begin_s > 0.4:
                place.keys.revoke("rogue_camera")
                revoked_s = time.monotonic()
            late = time.monotonic() - revoked_s > 1.0
            frame = msgspec.structs.replace(
                place.frame,
                camera="rogue_camera",
                seq=said,
                captured_ns=1 if late else time.time_ns(),
            )
            with suppress(zmq.Again):
                sock.send_multipart([b"frame.rogue_camera.", encode(frame)], zmq.DONTWAIT)
            said += 1
            time.sleep(0.05)
    return said


def each_message(place: Place, until_s: float) -> int:
    """Say, in one's own name, every kind of message that one's role does not, and the others elsewhere."""
    forged = []
    for who in INTRUDERS:
        messages = one_of_each(who.name, role=who.role)
        for message in messages:
            if not isinstance(message, MAY_SAY[who.role]):
                forged.append((who.name, _topic_of(message), message))
                continue
            others = {_topic_of(other) for other in messages} - {_topic_of(message)}
            forged += [(who.name, about, message) for about in sorted(others)]
    return _say_all(place, forged, until_s)


def anothers_name(place: Place, until_s: float) -> int:
    """Say what one's role says in the names of honest nodes, the broker's, and nearly one's own."""
    forged: list[tuple[str, str, AnyMessage]] = []
    for who in INTRUDERS:
        for name in (HONEST[who.role], "broker", f"{who.name}x", who.name.upper()):
            forged += [
                (who.name, _topic_of(message), message)
                for message in one_of_each(name, role=who.role)
                if isinstance(message, MAY_SAY[who.role])
            ]
    return _say_all(place, forged, until_s)


def each_topic(place: Place, until_s: float) -> int:
    """Subscribe, in every role, to what is others'; hearing anything of it is a failure."""
    with ExitStack() as stack:
        buses = []
        for who in INTRUDERS:
            buses.append(place.bus(who.name, *_OTHERS_TOPICS, *_TOPICS[who.role]))
            stack.callback(buses[-1].close)
        while time.monotonic() < until_s:
            for bus in buses:
                stolen = [about for about, _ in bus.receive(0.02) if about != "status.broker."]
                if stolen:
                    raise AssertionError(f"heard what is others': {stolen[:3]}")
    return sum(len(_OTHERS_TOPICS) + len(_TOPICS[who.role]) for who in INTRUDERS)


def forged_results(place: Place, until_s: float) -> int:
    """Send results for work that was never given."""

    def forge(number: int) -> tuple[str, Message]:
        token = secrets.token_hex(16)
        return "result.", a_result(token, name="rogue_recognizer", camera=place.camera, seq=number)

    return say(place, "rogue_recognizer", until_s, forge, 30.0)


def replayed_results(place: Place, until_s: float) -> int:
    """Take real work, answer it, and send the same answer ten times more."""
    name, instance = "rogue_recognizer", "rogue_recognizer-1"
    said = 0
    with closing(place.bus(name, f"work.{name}.{instance}.")) as bus:
        while time.monotonic() < until_s:
            bus.send("ready.", Ready(name=name, instance=instance))
            for _, message in bus.receive(0.1):
                if isinstance(message, Work):
                    answer = a_result(message.token, name=name, camera=message.camera, seq=message.seq)
                    for _ in range(11):
                        said += bus.send("result.", answer)
    return said


def replayed_connection(place: Place, until_s: float) -> int:
    """Record what a camera's connection carried, as anybody on the line can, and send it again and again."""
    recorded = _record(place)
    tries = 0
    while time.monotonic() < until_s:
        with suppress(OSError), socket.create_connection(ports(place)[0], timeout=0.5) as one:
            one.sendall(recorded)
            one.recv(64)
            time.sleep(0.05)
        tries += 1
    return tries


def oversized(place: Place, until_s: float) -> int:
    """Send messages larger than any frame may be."""
    said = 0
    with raw(zmq.PUSH, place.broker.ingress, place.credentials("rogue_camera")) as sock:
        while time.monotonic() < until_s:
            if sock.poll(100, zmq.POLLOUT):
                large = bytes(3 * place.broker.max_frame_bytes + 2**21)
                with suppress(zmq.Again):
                    sock.send_multipart([b"frame.rogue_camera.", large], zmq.DONTWAIT)
                    said += 1
    return said


def bomb_picture(place: Place, until_s: float) -> int:
    """Send a small JPEG whose header claims 65,500 by 65,500 pixels."""
    jpeg = place.frame.jpeg
    at = jpeg.index(b"\xff\xc0") + 5
    bomb = jpeg[:at] + (65_500).to_bytes(2) * 2 + jpeg[at + 4 :]

    def send(number: int) -> tuple[str, Message]:
        frame = msgspec.structs.replace(
            place.frame,
            camera="rogue_camera",
            seq=number,
            captured_ns=1,
            width_px=65_500,
            height_px=65_500,
            jpeg=bomb,
        )
        return "frame.rogue_camera.", frame

    return say(place, "rogue_camera", until_s, send, 15.0)


IMPOSTORS: dict[str, Attack] = {
    "no key": no_key,
    "wrong key": wrong_key,
    "key revoked while listening": revoked_while_listening,
    "key revoked while speaking": revoked_while_speaking,
    "right key, wrong role: each message": each_message,
    "right key, wrong role: each topic": each_topic,
    "another's name": anothers_name,
    "forged results": forged_results,
    "replayed results": replayed_results,
    "replayed connection": replayed_connection,
    "oversized messages": oversized,
    "bomb pictures": bomb_picture,
}


def _topic_of(message: AnyMessage) -> str:
    """Return the topic that a message of this type is found under, on the way in or out."""
    kind = type(message).__name__.lower()
    own = {
        "beat": topic("status", getattr(message, "node", "")),
        "people": "gallery.",
        "work": "work.honest.honest-1.",
        "picture": "work.honest.honest-1.",
        "taken": "work.honest.honest-1.",
        "log": "log.scribe.scribe-1.",
        **{one: topic(one, getattr(message, "asker", "")) for one in ("entries", "reply")},
        **{one: topic(one, getattr(message, "camera", "")) for one in ("frame", "access", "guide")},
    }
    return own.get(kind, f"{kind}.")


def _say_all(place: Place, forged: list[tuple[str, str, AnyMessage]], until_s: float) -> int:
    """Say each of these once, slowly enough for everybody's share, and stay until the end."""
    said = 0
    with ExitStack() as stack:
        buses = {who.name: place.bus(who.name) for who in INTRUDERS}
        for bus in buses.values():
            stack.callback(bus.close)
            bus.receive(1.0)
        for name, about, message in forged:
            said += buses[name].send(about, message)
        while time.monotonic() < until_s:
            for bus in buses.values():
                bus.receive(0.02)
    return said


def _knock(place: Place, credentials: Credentials | None, until_s: float) -> int:
    """Send an honest camera's frames, and listen to everything."""
    said = 0
    forged = msgspec.structs.replace(place.frame, captured_ns=1)
    with (
        raw(zmq.PUSH, place.broker.ingress, credentials) as push,
        raw(zmq.SUB, place.broker.egress, credentials) as sub,
    ):
        sub.subscribe(b"")
        while time.monotonic() < until_s:
            with suppress(zmq.Again):
                push.send_multipart([topic("frame", place.camera).encode(), encode(forged)], zmq.DONTWAIT)
            said += 1
            if sub.poll(50):
                raise AssertionError("heard something without a key")
    return said


def _record(place: Place) -> bytes:
    """Return what a camera's connection to the ingress carried while it said a few frames."""
    recorded = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def pass_on() -> None:
            ours, _ = listener.accept()
            with ours, socket.create_connection(host_and_port(place.broker.ingress)) as theirs:
                threading.Thread(target=_copy, args=(theirs, ours, bytearray()), daemon=True).start()
                _copy(ours, theirs, recorded)

        line = threading.Thread(target=pass_on, daemon=True)
        line.start()
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with raw(zmq.PUSH, address, place.credentials("rogue_camera")) as sock:
            for seq in range(RECORDED_FRAMES):
                frame = msgspec.structs.replace(
                    place.frame, camera="rogue_camera", seq=seq, captured_ns=time.time_ns()
                )
                sock.send_multipart([b"frame.rogue_camera.", encode(frame)])
            until_s = time.monotonic() + RECORD_S
            while len(recorded) < RECORDED_FRAMES * len(place.frame.jpeg) and time.monotonic() < until_s:
                time.sleep(0.05)
        line.join()
    return bytes(recorded)


def _copy(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            kept += data
            target.sendall(data)
