"""Display: the newest picture of each camera, with boxes, names and verdicts.

Receives: frames, results, decisions, advice and beats of its cameras, and the broker's beat.

Sends: its beat.

Policy: the newest frame of a camera wins, so that a slow display holds up nobody; skipped ones are counted.
While results are stale, OpenCV's Haar cascade shows where faces are, never whose. `q`, Esc or closing the
window ends it.

    python display_node.py --config configs/local.yaml [--name NODE]
        [--record FILE.mp4] [--snapshot FILE.png] [--snapshots FOLDER] [--no-window]
"""

import logging
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from turnstile.drawing.draw import keep_to_calling_thread
from turnstile.drawing.pane import Pane, make_canvas, make_panes
from turnstile.errors import PictureError
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.io.screen.local_detection import Fallback
from turnstile.io.screen.outputs import Outputs, add_options, open_outputs
from turnstile.protocol.messages import AnyMessage, Frame
from turnstile.protocol.state import State
from turnstile.protocol.topics import topic
from turnstile.screen.audience import for_door
from turnstile.screen.desk import SceneDesk, make_scenes
from turnstile.screen.state_line import StateLine
from turnstile.vision.arrays import PictureBgr
from turnstile.vision.detect.haar import HaarDetector

SERVE_S = 0.02
"""How long the window is left alone at most: a key is answered at once."""

DRAIN_ROUNDS = 8
"""A display that was held up looks through this many times 256 messages for the newest frames."""

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class DisplayNode:
    """The panes of one canvas, and where the canvas goes."""

    bus: Bus
    heart: Heart
    stop: node.Stop
    canvas: PictureBgr
    scenes: SceneDesk
    panes: dict[str, Pane]
    at_door: bool
    """Whether the public reads it."""
    fallback: Fallback
    outputs: Outputs
    said: dict[str, StateLine] = field(default_factory=dict)
    """What was logged of each camera."""

    def step(self, timeout_s: float) -> None:
        """Show what has come, and serve the window."""
        messages = self._receive(min(timeout_s, SERVE_S))
        self._show(messages)
        now_s = time.monotonic()
        for message in messages:
            self.scenes.take(message, now_s)
        self.scenes.note_broker(silent=self.bus.broker_lost, silent_s=self.bus.silent_s, now_s=now_s)
        self._show_local_detections()
        drawn = self._draw()
        if not self.outputs.put(self.canvas, changed=drawn, now_s=time.monotonic()):
            self.stop.request()
        self.heart.set_counts(self.scenes.counts)
        self.heart.report(State.LIVE)
        self.heart.beat(self.bus)

    def close(self) -> None:
        """Finish the files and close the window."""
        with ExitStack() as whatever_happens:
            whatever_happens.callback(self.bus.close)
            whatever_happens.callback(self.fallback.close)
            self.outputs.close(self.canvas)

    def _receive(self, timeout_s: float) -> list[AnyMessage]:
        """Return all that has come, so that the newest frames are among it."""
        received = self.bus.receive(timeout_s)
        for _ in range(DRAIN_ROUNDS if received else 0):
            more = self.bus.receive(0)
            if not more:
                break
            received += more
        return [message for _, message in received]

    def _show(self, messages: list[AnyMessage]) -> None:
        """Put the newest frame of each camera on the canvas."""
        frames = [
            message for message in messages if isinstance(message, Frame) and message.camera in self.panes
        ]
        newest = {frame.camera: frame for frame in frames}
        self.heart.count("frames_in", len(frames))
        self.heart.count("dropped_for_newer", len(frames) - len(newest))
        for camera, frame in newest.items():
            pane = self.panes[camera]
            try:
                picture = pane.show(frame, now_s=time.monotonic())
            except PictureError as error:
                self.heart.count("bad_frames")
                log.debug("%s: frame %d: %s", camera, frame.seq, error)
                continue
            self.heart.count("frames_shown")
            if pane.scene.freshness.stale:
                self.fallback.offer(camera, picture, captured_ns=frame.captured_ns)

    def _show_local_detections(self) -> None:
        for found in self.fallback.found():
            self.panes[found.camera].local(found.boxes_px, captured_ns=found.captured_ns)
            self.heart.count("local_detections")
            self.heart.gauge("local_detection_ms", round(found.took_ms, 1))

    def _draw(self) -> bool:
        """Draw what changed, keep what is worth a snapshot, and tell whether anything changed."""
        began_s = time.monotonic()
        drawn = False
        for camera, pane in self.panes.items():
            before = pane.view
            view = self.scenes.view(camera, began_s)
            now = for_door(view) if self.at_door else view
            if pane.draw(now):
                drawn = True
                self.outputs.keep_moments(self.canvas, before, now)
            if self.said.setdefault(camera, StateLine()).is_new(view, began_s):
                log.info("%s: %s", camera, view.state)
        if drawn:
            self.heart.gauge("draw_ms", round((time.monotonic() - began_s) * 1e3, 2))
        return drawn


def wire(start: node.Start) -> DisplayNode:
    """Open what the canvas goes to, which fails at once where it cannot, then join the bus."""
    site, display = start.site, start.site.displays[start.name]
    keep_to_calling_thread()
    outputs = open_outputs(display, start.options, title=f"Turnstile: {start.name}", now_s=time.monotonic())
    canvas = make_canvas(display.size_px)
    scenes = make_scenes(site, display)
    panes = make_panes(canvas, list(scenes.values()))
    return DisplayNode(
        bus=Bus(
            site.broker,
            key=start.key,
            topics=[
                topic(kind, camera)
                for camera in panes
                for kind in ("frame", "result", "access", "guide", "status")
            ],
            wake_fds=(start.stop.fileno,),
        ),
        heart=Heart(
            node=start.name, instance=start.instance, role="display", rates=("frames_in", "frames_shown")
        ),
        stop=start.stop,
        canvas=canvas,
        scenes=SceneDesk(scenes=scenes, broker_at=site.broker.egress),
        panes=panes,
        at_door=display.audience == "door",
        fallback=Fallback(HaarDetector()),
        outputs=outputs,
    )


if __name__ == "__main__":
    sys.exit(node.run("display", wire, doc=__doc__, add_options=add_options))
