"""Attackers that want nothing but to be in the way. On loopback only, each for a bounded time."""

import random
import resource
import socket
import time
from contextlib import ExitStack, closing, suppress

import msgspec
import zmq

from tests.support.attacks.attacker import Attack, Place, ports, raw
from tests.support.curve_peer import LIBRARIES, CurvePeer
from tests.support.messages import one_of_each
from turnstile.protocol.envelope import Message
from turnstile.protocol.messages import Beat, Query, Ready, encode
from turnstile.protocol.topics import topic

CROWD = 10_000
KEYED_CROWD = 400
FEW_DESCRIPTORS = 160
LARGE_BYTES = 1_000_000
GREETING = b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x01CURVE" + bytes(15) + b"\x00" + bytes(31)


def crowd(place: Place, until_s: float) -> int:
    """Open 10,000 connections that say nothing, half of them to each port."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    opened: list[socket.socket] = []
    doors = ports(place)
    try:
        while time.monotonic() < until_s:
            if len(opened) == CROWD:
                time.sleep(0.1)
                continue
            try:
                opened.append(socket.socket())
            except OSError:  # our own limit is lower
                time.sleep(0.1)
                continue
            opened[-1].setblocking(False)
            opened[-1].connect_ex(doors[len(opened) % 2])
    finally:
        for one in opened:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return len(opened)


def crowd_at_the_limit(place: Place, until_s: float) -> int:
    """Come in the same crowd to a broker that may open only a few more connections."""
    limits = resource.prlimit(place.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(place.pid, resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, limits[1]))
    try:
        return crowd(place, until_s)
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(place.pid, resource.RLIMIT_NOFILE, limits)


def crowd_with_a_key(place: Place, until_s: float) -> int:
    """Open one connection after the other with a good key, say nothing, and keep them."""
    key = place.credentials("rogue_display")
    tries = 0
    with ExitStack() as stack:
        while time.monotonic() < until_s:
            if tries < KEYED_CROWD:
                at = (place.broker.ingress, place.broker.egress)[tries % 2]
                stack.enter_context(raw(zmq.PUSH if tries % 2 == 0 else zmq.SUB, at, key))
                tries += 1
            else:
                time.sleep(0.05)
    return tries


def hostile_bytes(place: Place, until_s: float) -> int:
    """Send random bytes, cut-off greetings, and greetings followed by random bytes."""
    chance = random.Random(7)
    tries = 0
    while time.monotonic() < until_s:
        data = (
            chance.randbytes(chance.randrange(1, 2000)),
            GREETING[: chance.randrange(1, len(GREETING))],
            GREETING + chance.randbytes(chance.randrange(1, 4000)),
        )[tries % 3]
        with socket.socket() as one, suppress(OSError):
            one.settimeout(0.5)
            one.connect(ports(place)[tries % 2])
            one.sendall(data)
        tries += 1
        time.sleep(0.002)
    return tries


def strangers(place: Place, until_s: float) -> int:
    """Knock at the door with one unknown key after the other, as fast as they come."""
    server = place.key("rogue_camera").broker_public
    tries = 0
    while time.monotonic() < until_s:
        with raw(zmq.PUSH, place.broker.ingress, (*zmq.curve_keypair(), server)) as sock:
            sock.poll(10, zmq.POLLOUT)
            tries += 1
    return tries


def slow_reader(place: Place, until_s: float) -> int:
    """Subscribe to every frame, and read nothing."""
    credentials = place.credentials("rogue_display")
    with raw(zmq.SUB, place.broker.egress, credentials, zmq.RCVHWM, 1) as sock:
        sock.subscribe(b"frame.")
        sock.subscribe(b"result.")
        time.sleep(max(0.0, until_s - time.monotonic()))
    return 1


def flood_of_frames(place: Place, until_s: float) -> int:
    """Send good frames of one's own as fast as the broker takes them."""
    frame = msgspec.structs.replace(place.frame, camera="rogue_camera")
    return _flood(place, "rogue_camera", until_s, "frame.rogue_camera.", frame)


def flood_below_the_cut(place: Place, until_s: float) -> int:
    """Send 100 frames a second: more than one's share, and not so many more that one is cut off."""
    frame = msgspec.structs.replace(place.frame, camera="rogue_camera")
    return _flood(place, "rogue_camera", until_s, "frame.rogue_camera.", frame, pause_s=0.01)


def flood_of_large_frames(place: Place, until_s: float) -> int:
    """Send frames of 1 MB as fast as the broker takes them."""
    padding = LARGE_BYTES - len(place.frame.jpeg)
    comments = b"".join(
        b"\xff\xfe" + min(65_000, padding - at).to_bytes(2) + bytes(min(65_000, padding - at) - 2)
        for at in range(0, padding, 65_000)
    )
    jpeg = place.frame.jpeg[:2] + comments + place.frame.jpeg[2:]
    frame = msgspec.structs.replace(place.frame, camera="rogue_camera", jpeg=jpeg)
    return _flood(place, "rogue_camera", until_s, "frame.rogue_camera.", frame)


def endless_message(place: Place, until_s: float) -> int:
    """Send part after part of 1 MB with a camera's key, none of them the last, and come back when cut off."""
    (host, port), part, sent = ports(place)[0], bytes(LARGE_BYTES), 0
    cut_off = False
    while time.monotonic() < until_s:
        with (
            suppress(OSError),
            closing(
                CurvePeer(
                    socket.create_connection((host, port), timeout=30), *place.credentials("rogue_camera")
                )
            ) as peer,
        ):
            while time.monotonic() < until_s:
                if not peer.send_part(part, more=True):
                    cut_off = True
                    break
                sent += 1
    assert cut_off, f"{sent} parts were taken, and the connection stood"
    return sent


def flood_of_beats(place: Place, until_s: float) -> int:
    """Beat with a display's key as fast as the broker takes it."""
    (beat,) = (one for one in one_of_each("rogue_display", role="display") if isinstance(one, Beat))
    return _flood(place, "rogue_display", until_s, "status.rogue_display.", beat)


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
    credentials = place.credentials("rogue_display")
    while time.monotonic() < until_s:
        with raw(zmq.XSUB, place.broker.egress, credentials, zmq.IMMEDIATE, 1) as sock:
            renew_s = min(until_s, time.monotonic() + 0.5)
            while time.monotonic() < renew_s:
                about = topic("frame" if said % 2 else "work", f"camera-{said}")
                try:
                    sock.send(b"\1" + about.encode(), zmq.DONTWAIT)
                    said += 1
                except zmq.Again:
                    sock.poll(10, zmq.POLLOUT)
    return said


FLOODS: dict[str, Attack] = {
    "10,000 connections": crowd,
    "connections with a right key that say nothing": crowd_with_a_key,
    "random bytes, cut-off greetings": hostile_bytes,
    "strangers knocking": strangers,
    "slow reader": slow_reader,
    "flood of frames": flood_of_frames,
    "flood of frames, 100 a second": flood_below_the_cut,
    "flood of frames of 1 MB": flood_of_large_frames,
    "flood of beats": flood_of_beats,
    "flood of readiness": flood_of_readiness,
    "flood of queries": flood_of_queries,
    "flood of subscriptions": flood_of_subscriptions,
}


if hasattr(resource, "prlimit"):  # Linux, as is what counts the bytes of a connection
    FLOODS["10,000 connections, descriptors for few"] = crowd_at_the_limit
    if LIBRARIES:
        FLOODS["a message without an end"] = endless_message


def _flood(
    place: Place, name: str, until_s: float, about: str, message: Message, *, pause_s: float = 0.0
) -> int:
    """Say one message as fast as the broker takes it, or so often, and come back whenever cut off."""
    parts, said = [about.encode(), encode(message)], 0
    while time.monotonic() < until_s:
        with raw(zmq.PUSH, place.broker.ingress, place.credentials(name), zmq.IMMEDIATE, 1) as sock:
            waited = 0
            while time.monotonic() < until_s and waited < 10:
                try:
                    sock.send_multipart(parts, zmq.DONTWAIT)
                    said, waited = said + 1, 0
                    time.sleep(pause_s)
                except zmq.Again:
                    sock.poll(50, zmq.POLLOUT)
                    waited += 1
    return said
