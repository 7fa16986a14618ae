"""Cameras, and a recognizer whose work takes a known time.

The recognizer is the real `RecognizerNode` on the real bus; only its engine is another.
"""

import heapq
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from recognizer_node import RecognizerNode
from tests.support.pictures import SIZE_PX, STAMP_BYTES, stamp_of, stamped
from tests.support.process_group import Channel
from turnstile.errors import PictureError
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.heart import Heart
from turnstile.io.runner.node import Stop
from turnstile.protocol.fields import Hint
from turnstile.protocol.messages import Frame
from turnstile.protocol.topics import topic, work_topic
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import BrokerSettings
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.engines.desk import RecognitionDesk
from turnstile.vision.engines.engine import Analysis, EncodedFace, Engine, EngineDescription

Start = tuple[int, int, int]
"""Camera's number, `captured_ns` of a frame, and when work on it began, both on this machine's clock."""


@dataclass(kw_only=True)
class SleepingEngine:
    """Sees nothing, takes `work_s` for it without using the processor, and notes when each work began."""

    work_s: float
    began: list[tuple[bytes, int]] = field(default_factory=list)
    """The frame's first bytes, where `stamped` writes, and the time."""

    @property
    def description(self) -> EngineDescription:
        """Return the site's own kind of encodings, which the broker asks for, of which there will be none."""
        return EngineDescription(encoding=RecognitionSettings().encoding, detector="none", runtime="asleep")

    def analyse(self, jpeg: bytes, *, hint: Hint | None = None) -> Analysis:  # noqa: ARG002 - an Engine
        """Return no faces after `work_s`."""
        self.began.append((jpeg[: 2 + STAMP_BYTES], time.time_ns()))
        if self.work_s:
            time.sleep(self.work_s)
        return Analysis(boxes_px=(), encodings=np.empty((0, 128), np.float32), turns=(), sharpness=())

    def enrol(self, picture_rgb: PictureRgb) -> EncodedFace:
        """Refuse: this engine knows no faces."""
        raise PictureError(f"a picture of {picture_rgb.shape} cannot be encoded asleep")

    def starts(self) -> list[Start]:
        """Return when each work began and how old its frame was, for stamped frames."""
        return [(*stamp_of(head), at_ns) for head, at_ns in self.began]


def a_recognizer(
    broker: BrokerSettings, engine: Engine, *, name: str, instance: str, wake_fd: int | None = None
) -> RecognizerNode:
    """Return the real node around another engine."""
    return RecognizerNode(
        bus=Bus(
            broker,
            topics=("gallery.", work_topic(name, instance)),
            wake_fds=() if wake_fd is None else (wake_fd,),
        ),
        desk=RecognitionDesk(name=name, instance=instance, engine=engine),
        credits=RecognitionSettings().credits,
        heart=Heart(node=name, instance=instance, role="recognizer"),
        stop=Stop(),
    )


def run_cameras(
    channel: Channel, broker: BrokerSettings, names: Sequence[str], *, fps: float, jpeg: bytes
) -> None:
    """Say `fps` frames a second for each of `names`, each on a bus of its own, until told to stop."""
    buses = [Bus(broker, send_hwm=2) for _ in names]
    width_px, height_px = SIZE_PX
    for seq, (number, captured_ns) in enumerate(ticks(channel, fps=fps, cameras=len(names))):
        frame = Frame(
            camera=names[number],
            instance=f"{names[number]}-a1b2c3d4",
            seq=seq,
            captured_ns=captured_ns,
            width_px=width_px,
            height_px=height_px,
            jpeg=stamped(jpeg, camera=number, captured_ns=captured_ns),
        )
        buses[number].send(topic("frame", names[number]), frame)
        buses[number].receive(0)
    for bus in buses:
        bus.close()


def run_recognizer(channel: Channel, broker: BrokerSettings, name: str, *, work_s: float) -> None:
    """Recognize nothing, `work_s` a frame, until told to stop.

    Answers twice: when the first work has come, and with all `Start`s at the end.
    """
    engine = SleepingEngine(work_s=work_s)
    node = a_recognizer(broker, engine, name=name, instance=f"{name}-1")
    has_begun = False
    while not channel.stop.is_set():
        node.step(0.1)
        if engine.began and not has_begun:
            has_begun = True
            channel.answers.send(None)
    node.close()
    channel.answers.send(engine.starts())


def ticks(channel: Channel, *, fps: float, cameras: int) -> Iterator[tuple[int, int]]:
    """Give a camera's number and the wall-clock time, `fps` times a second for each, until told to stop.

    Cameras do not know of each other: each begins at a random part of a frame. A late tick delays no other.
    """
    begin_at = time.monotonic()
    due = [(begin_at + random.random() / fps, number) for number in range(cameras)]
    heapq.heapify(due)
    while not channel.stop.is_set():
        at, number = due[0]
        time.sleep(max(0.0, at - time.monotonic()))
        yield number, time.time_ns()
        heapq.heapreplace(due, (at + 1 / fps, number))
