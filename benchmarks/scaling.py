"""How many frames a second are recognized with 1, 2, 4, 8, 16 and 32 recognizers, and with the real engine.

First each recognizer is the real node around an engine that sleeps for 150 ms a frame: so little processor is
used that two cores carry 32 of them, and what is measured is whether the broker keeps them all at work. They
join one after the other while 40 cameras say more frames than all can take. The same is done without a broker
that knows them, by PUSH to PULL with ZeroMQ's default options, which gives everybody the next frame in turn.

Then the real engine, which computes: two recognizers against one, on pictures of real faces, each searched in
full. Cameras, broker and recognizers share this machine's cores.

    python -m benchmarks.scaling [--quick] [--json FILE]
"""

import contextlib
import io
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from benchmarks.dispatch import pass_on, pull, push
from benchmarks.report import Goal, Report, parse, percentiles
from benchmarks.simulated_nodes import Start, run_cameras, run_recognizer
from tests.support.addresses import free_addresses
from tests.support.pictures import STAMP_BYTES, a_jpeg, at_the_door
from tests.support.process_group import ProcessGroup, SpawnedFunction, a_site
from turnstile.commands.demo import samples
from turnstile.io.bus.nodes import Bus
from turnstile.io.site.machine import cores
from turnstile.protocol.messages import Result
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import CameraSettings

WORK_S = 0.15
CAMERAS, FPS, FRAME_BYTES = 40, 10.0, 20_000
COUNTS, QUICK_COUNTS = (1, 2, 4, 8, 16, 32), (1, 2, 4)
AT_LEAST = 0.95
ROUNDS = 3
FACES = ("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg")
REAL_CAMERAS, REAL_FPS = 8, 6.0
START_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What so many recognizers did."""

    recognizers: int
    frames_per_s: float
    age_p95_ms: float
    """Of a frame, when work on it starts."""


Add = Callable[[int], SpawnedFunction]
"""Starts one more recognizer; it answers when its first work has come, and at the end with its `Start`s."""


def by_credit(processes: ProcessGroup, jpeg: bytes) -> Add:
    """Start the broker and the cameras."""
    names = [f"camera-{number}" for number in range(CAMERAS)]
    site = a_site(processes.folder, {name: CameraSettings(source=0, max_fps=FPS) for name in names})
    processes.broker(site, processes.write_site(site))
    processes.spawn("cameras", run_cameras, site.broker, names, fps=FPS, jpeg=jpeg)
    return lambda at: processes.spawn(
        f"recognizer-{at}", run_recognizer, site.broker, f"recognizer-{at}", work_s=WORK_S
    )


def in_turn(processes: ProcessGroup, jpeg: bytes) -> Add:
    """Start what passes frames on by PUSH, and the cameras."""
    ingress, egress = free_addresses(2)
    processes.spawn("passer", pass_on, ingress, egress, tuned=False)
    processes.spawn("cameras", push, ingress, jpeg=jpeg, tuned=False, cameras=CAMERAS, fps=FPS)
    return lambda at: processes.spawn(f"recognizer-{at}", pull, egress, work_s=WORK_S, tuned=False)


def measure(
    begin: Callable[[ProcessGroup, bytes], Add], counts: Sequence[int], *, warm_up_s: float, seconds: float
) -> list[Rate]:
    """Return what each number of recognizers did, adding them to the ones before."""
    windows: list[tuple[int, int, int]] = []
    with ProcessGroup() as processes:
        add = begin(processes, a_jpeg(FRAME_BYTES - STAMP_BYTES))
        functions: list[SpawnedFunction] = []
        for count in counts:
            newcomers = [add(at) for at in range(len(functions), count)]
            functions += newcomers
            for one in newcomers:
                one.answer(START_S)
            time.sleep(warm_up_s)
            for _ in range(ROUNDS):
                began_ns = time.time_ns()
                time.sleep(seconds)
                windows.append((count, began_ns, time.time_ns()))
        starts: list[list[Start]] = processes.end(functions)
    return [
        _rate(count, starts, [window[1:] for window in windows if window[0] == count]) for count in counts
    ]


def measure_engine(*, warm_up_s: float, seconds: float) -> list[float]:
    """Return the results a second of one and of two recognizers that compute, the median of some rounds.

    Raises:
        RuntimeError: one of them did not start.
    """
    with ProcessGroup() as processes:
        names = [f"camera-{number}" for number in range(REAL_CAMERAS)]
        recognition = RecognitionSettings(full_scan_every=1)
        cameras = {name: CameraSettings(source=0, max_fps=REAL_FPS) for name in names}
        site = a_site(processes.folder, cameras, recognition=recognition)
        site_path = processes.write_site(site)
        processes.broker(site, site_path)
        for at, jpeg in enumerate(_faces(processes)):
            shown = names[at :: len(FACES)]
            processes.spawn(f"cameras-{at}", run_cameras, site.broker, shown, fps=REAL_FPS, jpeg=jpeg)
        rates = []
        with contextlib.closing(Bus(site.broker, topics=["result."])) as bus:
            for name in ("recognizer-1", "recognizer-2"):
                processes.program("recognizer_node.py", site_path, "--name", name)
                _await_result(bus, name, processes)
                _count(bus, warm_up_s)
                rates.append(statistics.median(_count(bus, seconds) / seconds for _ in range(ROUNDS)))
    return rates


def main(argv: Sequence[str] | None = None) -> int:
    """Measure both ways with sleeping recognizers, then the real engine."""
    options = parse(__doc__, argv)
    report = Report("scaling", options)
    counts = QUICK_COUNTS if options.quick else COUNTS
    warm_up_s, seconds = (0.5, 1.0) if options.quick else (1.5, 2.0)
    ours, plain = (measure(way, counts, warm_up_s=warm_up_s, seconds=seconds) for way in (by_credit, in_turn))
    report.table(
        f"Recognizers of {1000 * WORK_S:g} ms asleep, {CAMERAS} cameras at {FPS:g} fps",
        (
            *("recognizers", "broker: frames/s", "of linear", "of 1 / work", "age p95 ms"),
            *("PUSH to PULL: frames/s", "of linear", "age p95 ms"),
        ),
        [
            (
                *(one.recognizers, one.frames_per_s, _of_linear(one, ours), _of_ideal(one), one.age_p95_ms),
                *(other.frames_per_s, _of_linear(other, plain), other.age_p95_ms),
            )
            for one, other in zip(ours, plain, strict=True)
        ],
    )
    report.note(
        f"Medians of {ROUNDS} rounds of {seconds:g} s. Linear is so many times what one recognizer does; the "
        "ideal is one frame per sleep, with none between. Ages are of frames when work on them starts: "
        "what queues for somebody's turn is old."
    )
    least = min(_of_linear(one, ours) for one in ours)
    report.goal(Goal(what="least part of linear", unit="", measured=least, at_least=AT_LEAST))
    one, two = measure_engine(warm_up_s=warm_up_s, seconds=2 * seconds)
    report.table(
        f"The real engine on {cores()} cores, {REAL_CAMERAS} cameras at {REAL_FPS:g} fps, full scans",
        ("recognizers", "frames/s", "of one"),
        [("1", one, 1.0), ("2", two, two / one)],
    )
    return report.finish()


def _rate(count: int, starts: Sequence[Sequence[Start]], windows: Sequence[Sequence[int]]) -> Rate:
    within = [
        [[start for start in own if begin <= start[2] < end] for own in starts] for begin, end in windows
    ]
    per_s = [sum(_per_s([at_ns for _, _, at_ns in own]) for own in some) for some in within]
    ages_ms = [
        (at_ns - captured_ns) / 1e6 for some in within for own in some for _, captured_ns, at_ns in own
    ]
    (age_ms,) = percentiles(ages_ms, [95])
    return Rate(recognizers=count, frames_per_s=statistics.median(per_s), age_p95_ms=age_ms)


def _per_s(times_ns: Sequence[int]) -> float:
    """Return how many a second, from the first to the last: a window holds few of one recognizer."""
    return (len(times_ns) - 1) * 1e9 / (times_ns[-1] - times_ns[0]) if len(times_ns) > 1 else 0.0


def _of_linear(one: Rate, rates: Sequence[Rate]) -> float:
    first = rates[0]
    return one.frames_per_s / one.recognizers / (first.frames_per_s / first.recognizers)


def _of_ideal(one: Rate) -> float:
    return one.frames_per_s * WORK_S / one.recognizers


def _faces(processes: ProcessGroup) -> list[bytes]:
    """Return JPEGs of people at a door."""
    jpegs = []
    for scene in at_the_door([samples.folder() / name for name in FACES], processes.folder):
        file = io.BytesIO()
        with Image.open(scene) as picture:
            picture.save(file, "JPEG", quality=85)
        jpegs.append(file.getvalue())
    return jpegs


def _await_result(bus: Bus, name: str, processes: ProcessGroup) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        for _, message in bus.receive(0.1):
            if isinstance(message, Result) and message.name == name:
                return
    raise RuntimeError(f"{name} recognized nothing within {START_S:g} s: {processes.logged()}")


def _count(bus: Bus, seconds: float) -> int:
    """Return how many results come in so many seconds."""
    until_s = time.monotonic() + seconds
    count = 0
    while (left_s := until_s - time.monotonic()) > 0:
        count += sum(isinstance(message, Result) for _, message in bus.receive(left_s))
    return count


if __name__ == "__main__":
    sys.exit(main())
