"""How old frames are when work on them starts, with three times more frames than recognizers can take.

Four cameras send 30 frames of 50 kB a second each. Two recognizers take 50 ms a frame, or one 30 and the
other 200 ms. They sleep meanwhile, so that the way of handing out work is measured and not the processor. The
real broker hands out work by credit. Beside it stands one that passes every frame on by PUSH to PULL and
drops those that find no room, with ZeroMQ's default options and with the shortest queues that it can be told
to keep. The broker, each recognizer, and the cameras are processes of this machine, so that one clock tells
ages.

    python -m benchmarks.dispatch [--quick] [--json FILE]
"""

import contextlib
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import zmq

from benchmarks.report import Goal, Report, parse, percentiles
from benchmarks.simulated_nodes import Start, run_cameras, run_recognizer, ticks
from tests.support.addresses import free_addresses
from tests.support.pictures import STAMP_BYTES, a_jpeg, stamp_of, stamped
from tests.support.process_group import Channel, ProcessGroup, SpawnedFunction, a_site
from turnstile.site.settings import CameraSettings

CAMERAS, FPS, FRAME_BYTES = 4, 30.0, 50_000
EVEN_S, UNEVEN_S = (0.05, 0.05), (0.03, 0.2)


@dataclass(frozen=True, kw_only=True)
class Ages:
    """What one run showed."""

    p50_ms: float
    p95_ms: float
    frames_per_s: float
    unfairness: float
    """Of the cameras, the share of frames furthest from the mean, as a part of the mean."""
    growth_ms: float
    """Median age in the last quarter of the run less that in the first."""


SetUp = Callable[[ProcessGroup, bytes, Sequence[float]], list[SpawnedFunction]]
"""Starts everything and returns the recognizers, which take so many seconds a frame."""


def by_credit(processes: ProcessGroup, jpeg: bytes, work_s: Sequence[float]) -> list[SpawnedFunction]:
    """Hand out work through the broker."""
    names = [f"camera-{number}" for number in range(CAMERAS)]
    site = a_site(processes.folder, {name: CameraSettings(source=0, max_fps=FPS) for name in names})
    processes.broker(site, processes.write_site(site))
    recognizers = [
        processes.spawn(f"recognizer-{at}", run_recognizer, site.broker, f"recognizer-{at}", work_s=one)
        for at, one in enumerate(work_s)
    ]
    processes.spawn("cameras", run_cameras, site.broker, names, fps=FPS, jpeg=jpeg)
    return recognizers


def by_push(
    processes: ProcessGroup, jpeg: bytes, work_s: Sequence[float], *, tuned: bool
) -> list[SpawnedFunction]:
    """Hand out work by PUSH to PULL, whose turn it is."""
    ingress, egress = free_addresses(2)
    processes.spawn("passer", pass_on, ingress, egress, tuned=tuned)
    recognizers = [
        processes.spawn(f"recognizer-{at}", pull, egress, work_s=one, tuned=tuned)
        for at, one in enumerate(work_s)
    ]
    processes.spawn("cameras", push, ingress, jpeg=jpeg, tuned=tuned)
    return recognizers


WAYS: dict[str, SetUp] = {
    "PUSH to PULL, default options": partial(by_push, tuned=False),
    "PUSH to PULL, HWM 1 and 4 kB buffers": partial(by_push, tuned=True),
    "credits, through the broker": by_credit,
}


def push(
    channel: Channel, ingress: str, *, jpeg: bytes, tuned: bool, cameras: int = CAMERAS, fps: float = FPS
) -> None:
    """Say the frames of all cameras, each on a socket of its own; one that finds no room is dropped."""
    context = zmq.Context()
    sockets = [plain_socket(context, zmq.PUSH, tuned=tuned) for _ in range(cameras)]
    for socket in sockets:
        socket.connect(ingress)
    for number, captured_ns in ticks(channel, fps=fps, cameras=cameras):
        with contextlib.suppress(zmq.Again):
            sockets[number].send(stamped(jpeg, camera=number, captured_ns=captured_ns), zmq.DONTWAIT)
    context.destroy(linger=0)


def pass_on(channel: Channel, ingress: str, egress: str, *, tuned: bool) -> None:
    """Stand where the broker does: send each frame on at once, or drop it when nobody has room."""
    context = zmq.Context()
    heard, said = (plain_socket(context, kind, tuned=tuned) for kind in (zmq.PULL, zmq.PUSH))
    heard.bind(ingress)
    said.bind(egress)
    while not channel.stop.is_set():
        if heard.poll(100):
            with contextlib.suppress(zmq.Again):
                said.send(heard.recv(), zmq.DONTWAIT)
    context.destroy(linger=0)


def pull(channel: Channel, egress: str, *, work_s: float, tuned: bool) -> None:
    """Take frames as they come, asleep for `work_s` over each; answers as `run_recognizer` does."""
    context = zmq.Context()
    socket = plain_socket(context, zmq.PULL, tuned=tuned)
    socket.connect(egress)
    starts: list[Start] = []
    while not channel.stop.is_set():
        if socket.poll(100):
            starts.append((*stamp_of(socket.recv()), time.time_ns()))
            time.sleep(work_s)
            if len(starts) == 1:
                channel.answers.send(None)
    context.destroy(linger=0)
    channel.answers.send(starts)


def plain_socket(context: "zmq.Context[zmq.Socket[bytes]]", kind: int, *, tuned: bool) -> "zmq.Socket[bytes]":
    """Return a socket with ZeroMQ's default options, or with the shortest queues they allow."""
    socket = context.socket(kind)
    if tuned:
        for option in (zmq.SNDHWM, zmq.RCVHWM):
            socket.setsockopt(option, 1)
        for option in (zmq.SNDBUF, zmq.RCVBUF):
            socket.setsockopt(option, 4096)
    return socket


def measure(set_up: SetUp, jpeg: bytes, work_s: Sequence[float], *, warm_up_s: float, seconds: float) -> Ages:
    """Return how old frames were in one run, the start left out."""
    with ProcessGroup() as processes:
        recognizers = set_up(processes, jpeg, work_s)
        for recognizer in recognizers:
            recognizer.answer()
        begin_ns = time.time_ns() + round(warm_up_s * 1e9)
        time.sleep(warm_up_s + seconds)
        end_ns = time.time_ns()
        starts = [start for answer in processes.end(recognizers) for start in answer]
    return ages([start for start in starts if begin_ns <= start[2] < end_ns], (end_ns - begin_ns) / 1e9)


def ages(starts: Sequence[Start], seconds: float) -> Ages:
    """Return the figures of the works begun within `seconds`."""
    in_order = sorted(starts, key=lambda start: start[2])
    ages_ms = [(began_ns - captured_ns) / 1e6 for _, captured_ns, began_ns in in_order]
    shares = Counter(dict.fromkeys(range(CAMERAS), 0))
    shares.update(number for number, _, _ in in_order)
    mean = len(in_order) / CAMERAS
    quarter = max(1, len(ages_ms) // 4)
    p50_ms, p95_ms = percentiles(ages_ms, (50, 95))
    return Ages(
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        frames_per_s=len(in_order) / seconds,
        unfairness=max(abs(count - mean) for count in shares.values()) / mean if mean else float("nan"),
        growth_ms=percentiles(ages_ms[-quarter:], (50,))[0] - percentiles(ages_ms[:quarter], (50,))[0],
    )


def compare(
    report: Report, title: str, work_s: Sequence[float], *, rounds: int, warm_up_s: float, seconds: float
) -> Ages:
    """Print all ways with recognizers that take `work_s`, and return the broker's figures."""
    jpeg = a_jpeg(FRAME_BYTES - STAMP_BYTES)
    shown: dict[str, list[Ages]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, set_up in WAYS.items():
            shown[way].append(measure(set_up, jpeg, work_s, warm_up_s=warm_up_s, seconds=seconds))
    medians = {way: median_of(runs) for way, runs in shown.items()}
    ours = medians["credits, through the broker"]
    report.table(
        title,
        ("way of handing out work", "p50 ms", "p95 ms", "p50 : credits", "growth ms", "frames/s", "unfair %"),
        [
            (
                way,
                one.p50_ms,
                one.p95_ms,
                one.p50_ms / ours.p50_ms,
                one.growth_ms,
                one.frames_per_s,
                100 * one.unfairness,
            )
            for way, one in medians.items()
        ],
    )
    return ours


def median_of(runs: Sequence[Ages]) -> Ages:
    """Return the median of each figure."""
    return Ages(
        **{name: statistics.median(getattr(run, name) for run in runs) for name in Ages.__annotations__}
    )


def main() -> int:
    """Run the experiment with even and with uneven recognizers."""
    options = parse(__doc__)
    report = Report("dispatch", options)
    rounds, warm_up_s, seconds = (1, 0.3, 1.0) if options.quick else (3, 1.0, 6.0)
    for name, work_s in (("even", EVEN_S), ("uneven", UNEVEN_S)):
        times = " and ".join(f"{1000 * one:g}" for one in work_s)
        title = f"Age of a frame when work on it starts, {name} recognizers of {times} ms"
        ours = compare(report, title, work_s, rounds=rounds, warm_up_s=warm_up_s, seconds=seconds)
        unfair = 100 * ours.unfairness
        report.goal(Goal(what=f"{name}: p50", unit="ms", measured=ours.p50_ms, at_most=25))
        report.goal(Goal(what=f"{name}: p95", unit="ms", measured=ours.p95_ms, at_most=45))
        report.goal(Goal(what=f"{name}: furthest from its share", unit="%", measured=unfair, at_most=10))
    report.note(
        f"Medians of {rounds} round(s) of {seconds:g} s. Growth is the median age in the last quarter of a "
        "round less that in the first: what queues without end add for as long as they run. Unfair says how "
        "far the camera furthest from the mean number of frames is from it."
    )
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
