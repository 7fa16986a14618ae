"""What a durable decision costs: from a result said to `access` on the bus, alone and 200 times a second.

A real broker and a real logger, cameras at a fixed rate, and a recognizer that replies at once. In "nobody"
it sees no face and nothing is decided. In "a new person each frame" each frame is a visit of its own, which
its result decides: one event a frame, on disk before it is published. What the journal adds is the difference
to `result`, which does not wait for it. What deciding costs others is the difference in the ages of results.

    python -m benchmarks.decisions [--quick] [--json FILE]
"""

import contextlib
import sys
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.report import Cell, Goal, Report, parse, percentiles
from benchmarks.simulated_nodes import ticks
from tests.support.pictures import SIZE_PX, a_jpeg
from tests.support.process_group import Channel, ProcessGroup, SpawnedFunction, a_site
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.fields import Box, Timings
from turnstile.protocol.messages import Access, Beat, Face, Frame, People, Ready, Result, Work
from turnstile.protocol.topics import topic, work_topic
from turnstile.site.settings import BrokerSettings, CameraSettings, DecisionSettings, LoggerSettings, Site

FRAME_BYTES = 30_000
THUMBNAIL_BYTES = 4_000
RECOGNIZER, LOGGER = "recognizer-1", "log"
CREDITS = 8
PLACES = 8
"""People come to one after the other of these; who stood there before is gone by then."""

LOGGED_WITHIN_S = 30.0

Key = tuple[str, int]
"""A camera and a frame of it."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is sent in one run."""

    title: str
    cameras: int
    fps: float
    deciding: bool

    @property
    def frames_per_s(self) -> float:
        """Return the rate of all cameras."""
        return self.cameras * self.fps


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What came of one run; times in ms."""

    to_result: list[float]
    """From a result said by the recognizer to the same on the bus."""
    to_access: list[float]
    """From a result said by the recognizer to its decision on the bus."""
    ages: list[float]
    """From capture to the result on the bus."""
    seconds: float
    decided: int
    """Decisions heard in all, the first second's included."""
    logged: int
    """Entries in the logger's store in the end."""


def the_site(processes: ProcessGroup, load: Load) -> Site:
    """Return a site where the first vote decides, and a face left is gone soon."""
    return a_site(
        processes.folder,
        {f"camera-{at}": CameraSettings(source=0) for at in range(load.cameras)},
        decision=DecisionSettings(
            votes_needed=1,
            votes_of=1,
            deny_after_votes=1,
            deny_not_before_s=0,
            absence_s=0.5,
            rules=str(processes.folder / "rules.yaml"),
        ),
        loggers={LOGGER: LoggerSettings(file=str(processes.folder / "access_log.txt"))},
    )


def send_frames(channel: Channel, broker: BrokerSettings, *, load: Load, jpeg: bytes) -> None:
    """Say the frames of all cameras, evenly in time."""
    with contextlib.closing(Bus(broker)) as bus:
        counts = [0] * load.cameras
        for number, captured_ns in ticks(channel, fps=load.fps, cameras=load.cameras):
            counts[number] += 1
            frame = Frame(
                camera=f"camera-{number}",
                instance=f"camera-{number}-a1b2c3d4",
                seq=counts[number],
                captured_ns=captured_ns,
                width_px=SIZE_PX[0],
                height_px=SIZE_PX[1],
                jpeg=jpeg,
            )
            bus.send(topic("frame", frame.camera), frame)
            if sum(counts) == 1:
                channel.answers.send(None)


def recognize(channel: Channel, broker: BrokerSettings, *, deciding: bool) -> None:
    """Answer all work at once, and say in the end when each answer was said."""
    instance = f"{RECOGNIZER}-a1b2c3d4"
    random = np.random.default_rng(1)
    said_ns: dict[Key, int] = {}
    version, ready_at, told = "", 0.0, False
    with contextlib.closing(Bus(broker, topics=["gallery.", work_topic(RECOGNIZER, instance)])) as bus:
        while not channel.stop.is_set():
            for _, message in bus.receive(0.05):
                if isinstance(message, People):
                    version = message.version
                elif isinstance(message, Work):
                    result = a_result(
                        message, instance, [a_face(random, at=message.seq % PLACES)] if deciding else []
                    )
                    said_ns[message.camera, message.seq] = time.time_ns()
                    bus.send("result.", result)
                    ready_at = 0.0
            if time.monotonic() - ready_at > 0.2:
                ready_at = time.monotonic()
                ready = Ready(name=RECOGNIZER, instance=instance, credits=CREDITS, gallery_version=version)
                bus.send("ready.", ready)
            if version and not told:
                told = True
                channel.answers.send(None)
        channel.answers.send(said_ns)


def a_face(random: np.random.Generator, *, at: int) -> Face:
    """Return the face of somebody new, at another place than the last."""
    encoding = random.normal(size=128).astype("<f4")
    return Face(
        box_px=Box(left=75 * at, top=100, right=75 * at + 60, bottom=160),
        person=f"Person {at}",
        distance=0.2,
        second_distance=1.0,
        sharpness=200.0,
        encoding=(encoding / np.linalg.norm(encoding)).tobytes(),
        thumbnail=random.bytes(THUMBNAIL_BYTES),
    )


def a_result(work: Work, instance: str, faces: list[Face]) -> Result:
    """Return the answer to a piece of work."""
    return Result(
        token=work.token,
        name=RECOGNIZER,
        instance=instance,
        camera=work.camera,
        seq=work.seq,
        captured_ns=work.captured_ns,
        gallery_version="",
        faces=tuple(faces),
        timings=Timings(),
    )


def measure(load: Load, *, seconds: float) -> Heard:
    """Run one load, and return what was heard after its first second."""
    with ProcessGroup() as processes:
        site = the_site(processes, load)
        path = processes.write_site(site)
        processes.broker(site, path)
        processes.program("logger_node.py", path, "--name", LOGGER)
        recognizer = processes.spawn("recognizer", recognize, site.broker, deciding=load.deciding)
        recognizer.answer()
        cameras = processes.spawn(
            "cameras", send_frames, site.broker, load=load, jpeg=a_jpeg(FRAME_BYTES, size_px=SIZE_PX)
        )
        with contextlib.closing(Bus(site.broker, topics=["result.", "access.", "status."])) as bus:
            cameras.answer()
            heard = listen(bus, 1.0 + seconds)
            cameras.stop.set()
            said_ns = recognizer_said(processes, recognizer)
            heard += listen(bus, 1.0)
            decided = sum(isinstance(message, Access) for _, message in heard)
            logged = entries_logged(bus, at_least=decided)
    began_ns = heard[0][0] + 1_000_000_000
    in_time = [one for one in heard if began_ns <= one[0] < began_ns + seconds * 1e9]
    return figures(in_time, said_ns, seconds=seconds, decided=decided, logged=logged)


def listen(bus: Bus, seconds: float) -> list[tuple[int, Result | Access]]:
    """Return the results and decisions that come, and when (ns)."""
    heard: list[tuple[int, Result | Access]] = []
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        messages = bus.receive(left)
        now_ns = time.time_ns()
        heard += [(now_ns, message) for _, message in messages if isinstance(message, Result | Access)]
    return heard


def recognizer_said(processes: ProcessGroup, recognizer: SpawnedFunction) -> dict[Key, int]:
    """Return when each result was said."""
    (said_ns,) = processes.end([recognizer])
    return dict(said_ns)


def entries_logged(bus: Bus, *, at_least: int) -> int:
    """Return how many entries the logger says it has, as soon as these are enough or time is up."""
    entries, until = 0, time.monotonic() + LOGGED_WITHIN_S
    while entries < at_least and time.monotonic() < until:
        for _, message in bus.receive(0.5):
            if isinstance(message, Beat) and message.node == LOGGER:
                entries = message.counts.get("entries", 0)
    return entries


def figures(
    heard: list[tuple[int, Result | Access]],
    said_ns: dict[Key, int],
    *,
    seconds: float,
    decided: int,
    logged: int,
) -> Heard:
    """Return what came of one run."""
    results = [(at_ns, one) for at_ns, one in heard if isinstance(one, Result)]
    decisions = [(at_ns, one) for at_ns, one in heard if isinstance(one, Access)]
    return Heard(
        to_result=[(at_ns - said_ns[one.camera, one.seq]) / 1e6 for at_ns, one in results],
        to_access=[(at_ns - said_ns[one.camera, one.frame_seq]) / 1e6 for at_ns, one in decisions],
        ages=[(at_ns - one.captured_ns) / 1e6 for at_ns, one in results],
        seconds=seconds,
        decided=decided,
        logged=logged,
    )


def row(load: Load, heard: Heard) -> list[Cell]:
    """Return a line of the table."""
    p50, p95 = percentiles(heard.to_access, (50, 95)) if heard.to_access else (None, None)
    return [
        load.title,
        load.frames_per_s,
        len(heard.ages) / heard.seconds,
        len(heard.to_access) / heard.seconds,
        *percentiles(heard.to_result, (50,)),
        p50,
        p95,
        *percentiles(heard.ages, (50, 95)),
    ]


def main() -> int:
    """Measure one door and forty, print, and return the exit code."""
    options = parse(__doc__)
    report = Report("decisions", options)
    seconds = 1.5 if options.quick else 20.0
    quiet, busy = (
        Load(title="forty doors, nobody", cameras=40, fps=5.1, deciding=False),
        Load(title="forty doors, a new person each frame", cameras=40, fps=5.1, deciding=True),
    )
    one = Load(title="one door, a new person each frame", cameras=1, fps=10, deciding=True)
    found = {load: measure(load, seconds=seconds) for load in (one, quiet, busy)}
    report.table(
        "From a result said by the recognizer to what is heard on the bus",
        (
            "load",
            "frames/s sent",
            "results/s",
            "decisions/s",
            "result p50 ms",
            "access p50 ms",
            "access p95 ms",
            "age p50 ms",
            "age p95 ms",
        ),
        [row(load, heard) for load, heard in found.items()],
    )
    alone, without, with_ = found[one], found[quiet], found[busy]
    durable_ms = percentiles(alone.to_access, (50,))[0]
    report.goal(Goal(what="result to access, one door, p50", unit="ms", measured=durable_ms, at_most=10))
    rate = len(with_.to_access) / with_.seconds
    report.goal(Goal(what="decisions sustained", unit="a second", measured=rate, at_least=200))
    missing = sum(heard.decided - heard.logged for heard in found.values())
    report.goal(Goal(what="decisions not logged", unit="", measured=missing, at_most=0, at_least=0))
    worse_ms = percentiles(with_.ages, (95,))[0] - percentiles(without.ages, (95,))[0]
    report.goal(
        Goal(what="ages of results while deciding, p95, more by", unit="ms", measured=worse_ms, at_most=5)
    )
    report.note(
        f"{seconds:g} s each after one second of start. `access` is said when SQLite has synced the journal; "
        "`result` at once. Age is from capture to the result on the bus."
    )
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
