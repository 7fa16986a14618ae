"""Display: the newest picture of each camera, with boxes, names and verdicts.

Receives: frames, results, decisions, advice and beats of its cameras, and the broker's beat.

Sends: its beat.

Policy: the newest frame of a camera wins, so that a slow display holds up nobody; skipped ones are counted.
While results are stale, OpenCV's Haar cascade shows where faces are, never whose. `q`, Esc or closing the
window ends it.

    python display_node.py --config configs/local.yaml [--name NODE]
        [--record FILE.mp4] [--snapshot FILE.png] [--snapshots FOLDER] [--no-window]
"""

import argparse
import logging
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from turnstile.drawing.draw import keep_to_calling_thread
from turnstile.drawing.pane import Pane, make_canvas, make_panes
from turnstile.errors import PictureError
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart
from turnstile.io.screen.local_detection import Fallback
from turnstile.io.screen.outputs import Outputs, open_outputs
from turnstile.protocol.messages import Access, AnyMessage, Beat, Frame, Guide, Result
from turnstile.protocol.state import State
from turnstile.protocol.topics import topic
from turnstile.screen.scene import BrokerState, Scene
from turnstile.site.settings import DisplaySettings, Site
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
    broker_at: str
    heart: Heart
    stop: node.Stop
    canvas: PictureBgr
    panes: dict[str, Pane]
    fallback: Fallback
    outputs: Outputs
    broker: BrokerState = "awaited"
    trouble: str = ""
    """Why the broker lets nobody enter at present."""

    def step(self, timeout_s: float) -> None:
        """Show what has come, and serve the window."""
        messages = self._hear(min(timeout_s, SERVE_S))
        self._show(messages)
        self._tell(messages)
        self._take_local()
        drawn = self._draw()
        if not self.outputs.put(self.canvas, changed=drawn, now_s=time.monotonic()):
            self.stop.request()
        self.heart.report(State.LIVE)
        self.heart.beat(self.bus)

    def close(self) -> None:
        """Finish the files and close the window."""
        with ExitStack() as whatever_happens:
            whatever_happens.callback(self.bus.close)
            whatever_happens.callback(self.fallback.close)
            self.outputs.close(self.canvas)

    def _hear(self, timeout_s: float) -> list[AnyMessage]:
        """Return all that has come, so that the newest frames are among it."""
        heard = self.bus.receive(timeout_s)
        for _ in range(DRAIN_ROUNDS if heard else 0):
            more = self.bus.receive(0)
            if not more:
                break
            heard += more
        return [message for _, message in heard]

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

    def _tell(self, messages: list[AnyMessage]) -> None:
        """Tell the scenes what is said about their cameras."""
        now_s = time.monotonic()
        for message in messages:
            match message:
                case Result(camera=camera) if camera in self.panes:
                    counts = self.panes[camera].scene.result(message, now_s=now_s)
                    self.heart.count("results_in" if counts else "results_not_counting")
                case Access(camera=camera) if camera in self.panes:
                    counts = self.panes[camera].scene.access(message, now_s=now_s)
                    self.heart.count("verdicts_in" if counts else "verdicts_too_late")
                case Guide(camera=camera) if camera in self.panes:
                    self.panes[camera].scene.guide(message, now_s=now_s)
                case Beat(role="broker", state=state, detail=detail):
                    self.trouble = (detail or "no reason given") if state is State.DEGRADED else ""
                case Beat(node=camera) if camera in self.panes:
                    self.panes[camera].scene.beat(message)
                case _:
                    pass

    def _take_local(self) -> None:
        for found in self.fallback.found():
            self.panes[found.camera].local(found.boxes_px, captured_ns=found.captured_ns)
            self.heart.count("local_detections")
            self.heart.gauge("local_detection_ms", round(found.took_ms, 1))

    def _draw(self) -> bool:
        """Draw what changed, keep what is worth a snapshot, and tell whether anything changed."""
        if not self.bus.broker_lost:
            self.broker = "heard"
        elif self.broker == "heard":
            self.broker = "lost"
        began_s = time.monotonic()
        drawn = False
        for camera, pane in self.panes.items():
            before = pane.view
            now = pane.scene.view(
                now_s=began_s, broker=self.broker, broker_at=self.broker_at, trouble=self.trouble
            )
            if pane.draw(now):
                drawn = True
                self.outputs.keep_moments(self.canvas, before, now)
            if before is None or before.state != now.state:
                log.info("%s: %s", camera, now.state)
        if drawn:
            self.heart.gauge("draw_ms", round((time.monotonic() - began_s) * 1e3, 2))
        return drawn


def wire(start: node.Start) -> DisplayNode:
    """Open what the canvas goes to, which fails at once where it cannot, then join the bus."""
    site, display = start.site, start.site.displays[start.name]
    keep_to_calling_thread()
    outputs = open_outputs(
        title=f"Turnstile: {start.name}",
        size_px=display.size_px,
        fullscreen=display.fullscreen,
        window=not start.options.no_window,
        record=start.options.record,
        snapshot=start.options.snapshot,
        snapshots=start.options.snapshots,
        now_s=time.monotonic(),
    )
    canvas = make_canvas(display.size_px)
    panes = make_panes(canvas, [_scene(site, display, camera) for camera in display.cameras or site.cameras])
    return DisplayNode(
        bus=Bus(
            site.broker,
            key=start.key,
            topics=[
                topic(kind, camera)
                for camera in panes
                for kind in ("frame", "result", "access", "guide", "status")
            ],
            wake_fd=start.stop.fileno,
        ),
        broker_at=site.broker.egress,
        heart=Heart(
            node=start.name, instance=start.instance, role="display", rates=("frames_in", "frames_shown")
        ),
        stop=start.stop,
        canvas=canvas,
        panes=panes,
        fallback=Fallback(HaarDetector()),
        outputs=outputs,
    )


def _scene(site: Site, display: DisplaySettings, camera: str) -> Scene:
    return Scene(
        camera=camera,
        stale_after_s=display.stale_after_s,
        banner_s=display.banner_s,
        max_distance=site.decision.max_distance,
        max_fps=site.cameras[camera].max_fps,
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what only a display has. None of it is in the site file: it is about this one run."""
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="record a video (.mp4) that plays in real time"
    )
    parser.add_argument(
        "--snapshot", type=Path, metavar="FILE", help="write the last picture (.png) at the end"
    )
    parser.add_argument(
        "--snapshots",
        type=Path,
        metavar="FOLDER",
        help="keep the newest picture of each: CAMERA-granted.png, CAMERA-denied.png, CAMERA-stale.png",
    )
    parser.add_argument("--no-window", action="store_true", help="open no window although there is a screen")


if __name__ == "__main__":
    sys.exit(node.run("display", wire, doc=__doc__, add_options=add_options))
