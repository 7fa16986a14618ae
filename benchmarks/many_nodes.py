"""Many cameras in one process and many recognizers in another, each with connections of its own.

They do as little as the protocol allows: what is measured is what stands between them. A camera in turn has
one frame under way and says the next one when the result comes, so that nothing is shed; a camera that floods
says frames as fast as the connection takes them.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import imagezmq
import zmq

from tests.support.pictures import SIZE_PX
from tests.support.process_group import Channel
from turnstile.errors import WireError
from turnstile.protocol.fields import Timings
from turnstile.protocol.messages import Frame, People, Ready, Result, Work, decode, encode
from turnstile.protocol.topics import topic, work_topic

SAID, ANSWERED = 0, 1
"""Places in a `Tally`."""

READY_S = 0.3
STUCK_S = 0.5
"""Without a result for so long, frames count as lost and are said again."""

_DRAIN = 256

Tally = Any
"""Two shared `c_uint64`: frames said and frames answered, for whoever measures."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where everybody connects to, and how many there are."""

    ingress: str
    egress: str
    cameras: int
    recognizers: int


@dataclass(kw_only=True)
class _Camera:
    """What a camera has under way."""

    name: str
    push: "zmq.Socket[bytes]"
    said: int = 0

    def send(self, jpeg: bytes, about: str) -> bool:
        frame = Frame(
            camera=self.name,
            instance=f"{self.name}-a1b2c3d4",
            seq=self.said + 1,
            captured_ns=time.time_ns(),
            width_px=SIZE_PX[0],
            height_px=SIZE_PX[1],
            jpeg=jpeg,
        )
        try:
            self.push.send_multipart([about.encode(), encode(frame)], zmq.DONTWAIT)
        except zmq.Again:
            return False
        self.said += 1
        return True


@dataclass(kw_only=True)
class _Recognizer:
    """Where a recognizer hears and answers, and when it last said that it is ready."""

    name: str
    sub: "zmq.Socket[bytes]"
    push: "zmq.Socket[bytes]"
    at_a_time: int
    """How much work it takes at a time at most; 0 behind a proxy, which does not ask."""
    version: str = ""
    ready_at: float = 0.0

    def say_ready(self) -> None:
        self.ready_at = time.monotonic()
        ready = Ready(
            name=self.name, instance=self.name, credits=self.at_a_time, gallery_version=self.version
        )
        self._say("ready.", encode(ready))

    def answer(self, work: Work | Frame, began_s: float) -> None:
        """Answer, and say as a real one does how long that took since it began with the message."""
        token = work.token if isinstance(work, Work) else ""
        result = Result(
            token=token,
            name=self.name,
            instance=self.name,
            camera=work.camera,
            seq=work.seq,
            captured_ns=work.captured_ns,
            gallery_version=self.version,
            faces=(),
            timings=Timings(total_ms=(time.perf_counter() - began_s) * 1e3),
            credits=self.at_a_time,
        )
        self._say("result." if token else topic("result", work.camera), encode(result))

    def _say(self, about: str, body: bytes) -> None:
        with contextlib.suppress(zmq.Again):
            self.push.send_multipart([about.encode(), body], zmq.DONTWAIT)


def cameras_in_turn(channel: Channel, ports: Ports, tally: Tally, *, jpeg: bytes, addressed: bool) -> None:
    """Say a camera's next frame when the result of its last one comes.

    With `addressed`, the topic names a recognizer, in turn, as nobody between would choose one.
    """
    with _context() as context:
        heard = _connected(context, zmq.SUB, ports.egress)
        heard.subscribe("result.")
        cameras = {
            name: _Camera(name=name, push=_connected(context, zmq.PUSH, ports.ingress))
            for name in (f"camera-{number}" for number in range(ports.cameras))
        }
        turn = 0
        waiting: Sequence[_Camera] = list(cameras.values())
        while not channel.stop.is_set():
            for camera in waiting:
                turn = (turn + 1) % ports.recognizers
                receiver = f"recognizer-{turn}"
                about = work_topic(receiver, receiver) if addressed else topic("frame", camera.name)
                tally[SAID] += camera.send(jpeg, about)
            if not heard.poll(round(STUCK_S * 1000)):
                waiting = list(cameras.values())
                continue
            waiting = [
                cameras[result.camera]
                for result in _drain(heard)
                if isinstance(result, Result) and result.seq == cameras[result.camera].said
            ]
            tally[ANSWERED] += len(waiting)


def cameras_flooding(channel: Channel, ports: Ports, tally: Tally, *, jpeg: bytes) -> None:
    """Say frames as fast as the connections take them."""
    with _context() as context:
        heard = _connected(context, zmq.SUB, ports.egress)
        heard.subscribe("result.")
        poller = zmq.Poller()
        poller.register(heard, zmq.POLLIN)
        cameras = {}
        for name in (f"camera-{number}" for number in range(ports.cameras)):
            push = _connected(context, zmq.PUSH, ports.ingress, hwm=2)
            cameras[push] = _Camera(name=name, push=push)
            poller.register(push, zmq.POLLOUT)
        while not channel.stop.is_set():
            for socket, _ in poller.poll(100):
                if socket in cameras:
                    camera = cameras[socket]
                    tally[SAID] += camera.send(jpeg, topic("frame", camera.name))
                else:
                    tally[ANSWERED] += sum(1 for _ in _drain(heard))


def recognizers_that_reply(channel: Channel, ports: Ports, *, at_a_time: int) -> None:
    """Answer every frame with no faces; unless `at_a_time` is 0, as the broker wants it: when told to."""
    with _context() as context:
        poller = zmq.Poller()
        recognizers = {}
        for name in (f"recognizer-{number}" for number in range(ports.recognizers)):
            sub = _connected(context, zmq.SUB, ports.egress)
            sub.subscribe(work_topic(name, name))
            push = _connected(context, zmq.PUSH, ports.ingress)
            recognizers[sub] = _Recognizer(name=name, sub=sub, push=push, at_a_time=at_a_time)
            poller.register(sub, zmq.POLLIN)
        while not channel.stop.is_set():
            for sub, _ in poller.poll(100):
                _serve(recognizers[sub])
            if at_a_time:
                _repeat_ready(list(recognizers.values()))


def _serve(recognizer: _Recognizer) -> None:
    began_s = time.perf_counter()
    for message in _drain(recognizer.sub):
        match message:
            case Work() | Frame():
                recognizer.answer(message, began_s)
                recognizer.ready_at = time.monotonic()
            case People():
                recognizer.version = message.version
            case _:
                pass
        began_s = time.perf_counter()


def _repeat_ready(recognizers: Sequence[_Recognizer]) -> None:
    late = time.monotonic() - READY_S
    for recognizer in recognizers:
        if recognizer.ready_at < late:
            recognizer.say_ready()


def pass_on_by_zmq(channel: Channel, ports: Ports) -> None:
    """Be a bare `zmq.proxy` on the broker's two kinds of sockets."""
    context = zmq.Context()
    heard, said = context.socket(zmq.PULL), context.socket(zmq.XPUB)
    heard.bind(ports.ingress)
    said.bind(ports.egress)
    threading.Thread(target=zmq.proxy, args=(heard, said), daemon=True).start()
    channel.stop.wait()
    os._exit(0)  # a proxy ends only with its context, and that not while a thread is in it


def imagezmq_cameras(
    channel: Channel, addresses: Sequence[str], tally: Tally, *, cameras: int, jpeg: bytes
) -> None:
    """Send pictures by imagezmq's REQ/REP, a thread a camera; each waits for its hub's reply."""
    counts = [0] * cameras

    def send(number: int) -> None:
        sender = imagezmq.ImageSender(connect_to=addresses[number % len(addresses)])
        while True:
            sender.send_jpg(f"camera-{number}", jpeg)
            counts[number] += 1

    for number in range(cameras):
        threading.Thread(target=send, args=(number,), daemon=True).start()
    while not channel.stop.wait(0.02):
        tally[SAID] = tally[ANSWERED] = sum(counts)
    os._exit(0)  # threads that wait for a reply


def imagezmq_hubs(channel: Channel, addresses: Sequence[str]) -> None:
    """Receive pictures and reply at once, a thread a hub."""

    def receive(address: str) -> None:
        hub = imagezmq.ImageHub(open_port=address)
        while True:
            hub.recv_jpg()
            hub.send_reply(b"OK")

    for address in addresses:
        threading.Thread(target=receive, args=(address,), daemon=True).start()
    channel.stop.wait()
    os._exit(0)  # threads that wait for a picture


def _drain(socket: "zmq.Socket[bytes]") -> Iterator[Any]:
    for _ in range(_DRAIN):
        try:
            _, body = socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return
        with contextlib.suppress(WireError):
            yield decode(body)


@contextlib.contextmanager
def _context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4096)
    try:
        yield context
    finally:
        context.destroy(linger=0)


def _connected(
    context: "zmq.Context[zmq.Socket[bytes]]", kind: int, address: str, *, hwm: int = 1000
) -> "zmq.Socket[bytes]":
    socket = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, hwm)
    socket.connect(address)
    return socket
