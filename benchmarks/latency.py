"""Where the time goes from a camera to the display: one camera at 15 frames a second, one recognizer.

The real capture node plays pictures of real faces at 640x480; the real broker and recognizer note the time at
their sockets; a display's place is taken by a listener that notes when frames and results come. First the
recognizer only replies, which leaves everything that is not recognition; then it recognizes, with one engine
after the other. All run on this machine, so that one clock tells the time of each hop.

    python -m benchmarks.latency [--quick] [--json FILE]
"""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args, get_type_hints

from benchmarks.report import Goal, Report, parse, percentiles
from benchmarks.timed_nodes import Stamps, run_broker, run_recognizer
from tests.support.pictures import at_the_door
from tests.support.process_group import ProcessGroup, a_site
from turnstile.commands.demo import samples
from turnstile.errors import TurnstileError
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.messages import Beat, Frame, Result
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import CameraSettings, Site

FPS = 15.0
CAMERA = "door"
GOAL_MS = 10.0
ENROLLED = "obama.jpg"
VISITORS = ("obama2.jpg", "obama3.jpg", "biden.jpg")
STAY_FRAMES = 30
"""For so many frames each visitor stands before the camera."""

WARM_UP_S = 1.0
START_S = 60.0
MIN_RESULTS = 5
"""Fewer show nothing; a slow machine gets up to `START_S` longer for them."""


@dataclass(kw_only=True)
class Display:
    """What came to where the display listens, and when."""

    frames: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Frame's number → when it was captured, and when it came."""
    results: dict[int, tuple[Result, int]] = field(default_factory=dict)
    """Frame's number → its result, and when it came."""
    people: int = 0
    """Enrolled, as the broker says."""

    def results_after(self, begin_ns: int) -> int:
        """Return how many results have come of frames captured since `begin_ns`."""
        return sum(result.captured_ns >= begin_ns for result, _ in self.results.values())

    def receive(self, bus: Bus, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Listen for `seconds`, or until something is so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            heard = bus.receive(0.05)
            now_ns = time.time_ns()
            for _, message in heard:
                match message:
                    case Frame():
                        self.frames[message.seq] = (message.captured_ns, now_ns)
                    case Result():
                        self.results[message.seq] = (message, now_ns)
                    case Beat(role="broker"):
                        self.people = round(message.gauges.get("people", 0))
                    case _:
                        pass


Hops = dict[str, float]
"""One frame's way in milliseconds, by hop."""

QUEUE, RECOGNITION = "waits in the broker", "recognition in all"
RESULT, FRAME = "capture to result at the display", "capture to frame at the display"
OVERHEAD, TRANSPORT = "capture to result, less recognition", "the same, less waiting in the broker"


def measure(engine: str | None, *, seconds: float) -> tuple[list[Hops], list[float]]:
    """Return the hops of each frame that was recognized, and of every frame the time from capture to display.

    Args:
        engine: which one; none for a recognizer that only replies.
        seconds: how long to measure.

    Raises:
        RuntimeError: something did not start.
    """
    with ProcessGroup() as processes:
        site = the_site(processes, engine)
        site_path = processes.write_site(site)
        broker = processes.spawn("broker", run_broker, site_path)
        processes.await_broker(site, broker.process.is_alive)
        recognizer = processes.spawn("recognizer", run_recognizer, site_path, replies_only=engine is None)
        processes.program("capture_node.py", site_path, "--name", CAMERA)
        display = Display()
        topics = (f"frame.{CAMERA}.", f"result.{CAMERA}.")
        with contextlib.closing(Bus(site.broker, topics=topics)) as bus:
            wanted = 0 if engine is None else 1
            display.receive(bus, START_S, until=lambda: display.people >= wanted and bool(display.results))
            if display.people < wanted or not display.results:
                raise RuntimeError(f"no result within {START_S:g} s: {processes.logged()}")
            display.receive(bus, WARM_UP_S)
            begin_ns = time.time_ns()
            display.receive(bus, seconds)
            display.receive(bus, START_S, until=lambda: display.results_after(begin_ns) >= MIN_RESULTS)
        stamps: Stamps = {}
        for noted in processes.end([recognizer, broker]):
            stamps |= noted
    hops = [
        hops_of(result, at_ns, stamps)
        for seq, (result, at_ns) in display.results.items()
        if result.captured_ns >= begin_ns and all(seq in noted for noted in stamps.values())
    ]
    shown = [
        (at_ns - captured_ns) / 1e6
        for captured_ns, at_ns in display.frames.values()
        if captured_ns >= begin_ns
    ]
    if not hops:
        raise RuntimeError(f"no frame came all the way within {seconds + START_S:g} s: {processes.logged()}")
    return hops, shown


def the_site(processes: ProcessGroup, engine: str | None) -> Site:
    """Return a site with one camera at which visitors stand, and one of them enrolled."""
    pictures = samples.folder()
    scenes = at_the_door([pictures / name for name in VISITORS], processes.folder)
    camera = CameraSettings(
        source=tuple(str(scene) for scene in scenes for _ in range(STAY_FRAMES)), max_fps=FPS, loop=True
    )
    if engine is None:
        return a_site(processes.folder, {CAMERA: camera})
    recognition = RecognitionSettings(engine=engine)  # type: ignore[arg-type]
    site = a_site(processes.folder, {CAMERA: camera}, recognition=recognition)
    shutil.copy(pictures / ENROLLED, Path(site.gallery.faces) / "barack_obama.jpg")
    return site


def hops_of(result: Result, at_ns: int, stamps: Stamps) -> Hops:
    """Return one frame's hops; those that are not sums of others add up to `RESULT`."""
    taken, handed_out, heard, published = (
        stamps[point][result.seq] for point in ("taken", "handed out", "heard", "published")
    )
    timings, all_ms = result.timings, (at_ns - result.captured_ns) / 1e6
    queue_ms = (handed_out - taken) / 1e6
    steps_ms = timings.decode_ms + timings.detect_ms + timings.encode_ms + timings.match_ms
    return {
        "capture (with JPEG) to broker": (taken - result.captured_ns) / 1e6,
        QUEUE: queue_ms,
        "broker to recognizer": (heard - handed_out) / 1e6,
        "recognition: decode": timings.decode_ms,
        "recognition: detect": timings.detect_ms,
        "recognition: encode": timings.encode_ms,
        "recognition: match": timings.match_ms,
        "recognition: rest": timings.total_ms - steps_ms,
        "recognizer to broker": (published - heard) / 1e6 - timings.total_ms,
        "broker to display": (at_ns - published) / 1e6,
        RECOGNITION: timings.total_ms,
        RESULT: all_ms,
        OVERHEAD: all_ms - timings.total_ms,
        TRANSPORT: all_ms - timings.total_ms - queue_ms,
    }


def show(report: Report, title: str, hops: Sequence[Hops], shown_ms: Sequence[float]) -> dict[str, float]:
    """Print one run, and return the median of each hop."""
    by_hop = {name: [one[name] for one in hops] for name in hops[0]} | {FRAME: list(shown_ms)}
    rows = {name: percentiles(values, (50, 95, 99)) for name, values in by_hop.items()}
    report.table(
        f"{title}: {len(shown_ms)} frames shown, {len(hops)} of them recognized",
        ("hop", "p50 ms", "p95 ms", "p99 ms"),
        [(name, *figures) for name, figures in rows.items()],
    )
    return {name: figures[0] for name, figures in rows.items()}


def the_goal(run: str, hop: str, medians: dict[str, float]) -> Goal:
    """Return the goal for what is not recognition."""
    return Goal(what=f"{run}: {hop}, p50", unit="ms", measured=medians[hop], at_most=GOAL_MS)


def main() -> int:
    """Measure a recognizer that only replies, then each engine."""
    options = parse(__doc__)
    report = Report("latency", options)
    seconds = 1.5 if options.quick else 20.0
    medians = show(report, "A recognizer that only replies", *measure(None, seconds=seconds))
    report.goal(
        Goal(what=f"only replies: {OVERHEAD}, p50", unit="ms", measured=medians[OVERHEAD], at_most=GOAL_MS)
    )
    default = RecognitionSettings().engine
    engines = (default,) if options.quick else get_args(get_type_hints(RecognitionSettings)["engine"])
    for engine in engines:
        try:
            run = measure(engine, seconds=seconds)
        except (RuntimeError, TurnstileError) as error:
            report.note(f"The {engine} engine could not be measured: {error}")
            continue
        medians = show(report, f"The {engine} engine{' (the default)' if engine == default else ''}", *run)
        report.goal(the_goal(f"{engine} engine", TRANSPORT, medians))
    report.note(
        f"{FPS:g} frames a second for {seconds:g} s, one recognizer. A frame waits in the broker while the "
        "recognizer is at the one before: with an engine slower than the camera for up to a frame's time, "
        "and other frames are shed. Recognition includes decoding the JPEG, which the recognizer times too."
    )
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
