"""Capture: one camera becomes frames on the bus.

Receives: the broker's beat, and its word that another process has this node's name.

Sends: frames, and its beat, whose state is the camera's.

Each frame tells how much of it differs from its slow background (`turnstile.vision.change`).

Policy: the newest frame wins. One frame waits for this loop and two for the broker; whatever does not fit
is dropped, never waited for, and counted by reason: ``dropped_superseded``, ``dropped_frozen``,
``dropped_too_large``, ``dropped_no_broker``, ``dropped_queue_full``. A camera that fails, hangs or stands
still is opened again for as long as the node runs. A clip or pictures without ``loop`` end the node: its
last frame leaves, a beat says ``ended``, and it exits 0.

    python capture_node.py --config configs/local.yaml --name front_door
"""

import logging
import sys
import time
from dataclasses import dataclass

from turnstile.io.bus.nodes import Bus
from turnstile.io.cameras import Feed, Shot, order_for
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.protocol.messages import Frame, Rivals
from turnstile.protocol.state import State
from turnstile.protocol.topics import topic
from turnstile.site.settings import Site

RIVAL_S = 3.0
"""How long the broker's word that there are two of this node counts; it repeats it with each beat."""

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class CaptureNode:
    """One camera, its place on the bus, and what it has sent."""

    camera: str
    instance: str
    max_frame_bytes: int
    feed: Feed
    bus: Bus
    heart: Heart
    stop: node.Stop
    seq: int = 0
    too_large_said: bool = False
    rival: str = ""
    """What to say of another capture node that has this one's name; empty when there is none."""
    rival_until_s: float = 0.0
    """Until when it counts."""

    def step(self, timeout_s: float) -> None:
        """Send the next frame, if one comes within `timeout_s`, and beat."""
        shot = self.feed.next_shot(timeout_s)
        if shot is not None:
            self._send(shot)
        for _, message in self.bus.receive(0.0):
            if isinstance(message, Rivals):
                self._note_rival(message)
        if time.monotonic() < self.rival_until_s:
            self.heart.report(State.DEGRADED, self.rival)
        else:
            self.heart.report(self.feed.state, self.feed.detail)
            self.rival = ""
        self.heart.set_counts(self.feed.counts)
        self.heart.beat(self.bus)
        if self.feed.ended:
            self.stop.request()

    def close(self) -> None:
        """Let go of the camera and the bus."""
        self.feed.close()
        self.bus.close()

    def _send(self, shot: Shot) -> None:
        self.seq += 1  # a number that the broker never sees tells it of a change that it missed
        if len(shot.jpeg) > self.max_frame_bytes:
            self._refuse(shot)
            return
        frame = Frame(
            camera=self.camera,
            instance=self.instance,
            seq=self.seq,
            captured_ns=shot.captured_ns,
            width_px=shot.width_px,
            height_px=shot.height_px,
            jpeg=shot.jpeg,
            change=shot.change,
        )
        self.heart.gauge("queue_age_ms", round(max(0, time.time_ns() - shot.captured_ns) / 1e6, 1))
        if self.bus.send(topic("frame", self.camera), frame):
            self.heart.count("frames_out")
        else:
            self.heart.count("dropped_no_broker" if self.bus.broker_lost else "dropped_queue_full")

    def _note_rival(self, rivals: Rivals) -> None:
        """Say once that two capture nodes have this camera's name, and which of them is served."""
        mine = rivals.served == self.instance
        words = (
            f"another capture node is called {self.camera} too ({rivals.refused}), and its frames are refused"
            if mine
            else f"another capture node is called {self.camera} too ({rivals.served}) and came first: the "
            "broker refuses the frames of this one; stop one, or give it a name of its own"
        )
        if words != self.rival:
            log.warning("%s", words)
        self.rival, self.rival_until_s = words, time.monotonic() + RIVAL_S

    def _refuse(self, shot: Shot) -> None:
        """Count a frame that the broker would not take, and say once what to do about it."""
        self.heart.count("dropped_too_large")
        if not self.too_large_said:
            self.too_large_said = True
            log.warning(
                "%s: a frame of %dx%d has %d bytes, and the broker takes %d; set cameras.%s.size_px or a "
                "lower jpeg_quality",
                self.camera,
                shot.width_px,
                shot.height_px,
                len(shot.jpeg),
                self.max_frame_bytes,
                self.camera,
            )


def wire(start: node.Start) -> CaptureNode:
    """Return the node of the camera that the site file names."""
    site: Site = start.site
    order = order_for(
        site.cameras[start.name],
        name=start.name,
        max_px=site.broker.max_frame_px,
        min_face_px=site.recognition.min_face_px,
    )
    return CaptureNode(
        camera=start.name,
        instance=start.instance,
        max_frame_bytes=site.broker.max_frame_bytes,
        feed=Feed(order, name=start.name),
        bus=Bus(site.broker, key=start.key, topics=[topic("status", start.name)], send_hwm=2),
        heart=Heart(
            node=start.name, instance=start.instance, role="capture", rates=("frames_in", "frames_out")
        ),
        stop=start.stop,
    )


if __name__ == "__main__":
    sys.exit(node.run("capture", wire, doc=__doc__))
