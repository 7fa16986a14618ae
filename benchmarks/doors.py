"""How many doors recognizers serve, in a day at a door in small (`benchmarks.reel`), before and after.

Before, every frame is looked at and every face encoded. After, scenes that are empty and unchanged are not
looked at, and decided faces are encoded twice a second. The real broker and recognizers serve simulated
cameras of 10 frames a second at 640x480, each at another place of the reel. A door is served when what is
known of it is young: the time from a frame's capture until a result of it, or of a later frame, is there.
Each visit that is seen whole must bring its one verdict.

The clips folder holds a `labels.csv` of clip and person; without it the demo's people come.

    python -m benchmarks.doors [CLIPS] [--lobby] [--quick] [--json FILE]
"""

import bisect
import contextlib
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import msgspec

from benchmarks.lone_door import decision_for, work_of_a_day
from benchmarks.reel import FPS, HEIGHT_PX, WIDTH_PX, People, Reel, a_reel, people_of
from benchmarks.report import Goal, Report, parser, percentiles
from benchmarks.simulated_nodes import ticks
from tests.support.process_group import Channel, ProcessGroup, a_site, thread_cpu_s
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.messages import Access, Beat, Frame, Result
from turnstile.protocol.topics import topic
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import BrokerSettings, CameraSettings

IN_VIEW, IN_VIEW_LOBBY = 0.2, 0.8
COUNTS, QUICK_COUNTS = (1, 4, 8, 16, 32, 64), (2,)
SECONDS, QUICK_SECONDS = 25.0, 5.0
WARM_UP_S, START_S = 5.0, 120.0
SERVED_MS, HOPELESS_MS = 200.0, 1000.0
GOAL_DOORS = 60
ANSWERED = 0.95
"""With fewer frames answered, processor time tells nothing of what doors cost."""

LATE_S = 3.5
"""A visit that ends undecided is denied so much later at most."""

BEFORE = RecognitionSettings(skip_unchanged=False, confirm_every_s=0)
AFTER = RecognitionSettings()


@dataclass(kw_only=True)
class Heard:
    """What came from the broker, by camera."""

    results: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """When frames were captured, and when their results came."""
    looks: Counter[str] = field(default_factory=Counter)
    """How many of the results recognizers made."""
    verdicts: dict[str, list[tuple[int, str | None]]] = field(default_factory=lambda: defaultdict(list))
    """When frames were captured that decided, and who was granted; `None` for a denial."""

    def listen(self, bus: Bus, seconds: float) -> None:
        """Note all that comes in so many seconds."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            for _, message in bus.receive(left_s):
                now_ns = time.time_ns()
                if isinstance(message, Result):
                    self.results[message.camera].append((message.captured_ns, now_ns))
                    self.looks["no" if message.name == "broker" else "yes"] += 1
                elif isinstance(message, Access):
                    granted = message.person if message.verdict == "granted" else None
                    self.verdicts[message.camera].append((message.captured_ns, granted))


@dataclass(frozen=True, kw_only=True)
class Service:
    """How so many doors were served."""

    doors: int
    age_p95_ms: float
    answered: float
    """Results by frames."""
    looks_share: float
    recognizers_cpu: float
    broker_cpu: float
    """Cores used."""
    right: int
    whole: int
    """Visits that were seen whole, and of those the ones with their one verdict."""

    @property
    def doors_a_core(self) -> float | None:
        """Return doors by their recognizers' processor time; `None` where frames were dropped."""
        return self.doors / self.recognizers_cpu if self.answered >= ANSWERED else None

    @property
    def is_served(self) -> bool:
        """Tell whether what was known of the doors was young."""
        return self.age_p95_ms < SERVED_MS


Shown = dict[str, list[tuple[int, int]]]
"""Camera → the time of each frame, and its number in the reel."""


def play(channel: Channel, broker: BrokerSettings, names: Sequence[str], reel_path: Path) -> None:
    """Show the reel at each door, from a place of its own, until told to stop; answer with what was shown."""
    reel = msgspec.msgpack.decode(reel_path.read_bytes(), type=Reel)
    buses = [Bus(broker, send_hwm=2) for _ in names]
    at = [random.randrange(len(reel.stills)) for _ in names]
    seq = [0] * len(names)
    shown: Shown = {name: [] for name in names}
    for number, captured_ns in ticks(channel, fps=FPS, cameras=len(names)):
        name, still = names[number], reel.stills[at[number]]
        seq[number] += 1
        frame = Frame(
            camera=name,
            instance=f"{name}-a1b2c3d4",
            seq=seq[number],
            captured_ns=captured_ns,
            width_px=WIDTH_PX,
            height_px=HEIGHT_PX,
            jpeg=still.jpeg,
            change=still.change if seq[number] > 1 else None,
        )
        buses[number].send(topic("frame", name), frame)
        buses[number].receive(0)
        shown[name].append((captured_ns, at[number]))
        at[number] = (at[number] + 1) % len(reel.stills)
    for bus in buses:
        bus.close()
    channel.answers.send(shown)


def measure(
    recognition: RecognitionSettings,
    people: People,
    reel: Reel,
    counts: Sequence[int],
    *,
    recognizers: int,
    seconds: float,
) -> Iterator[Service]:
    """Give how growing numbers of doors are served, up to the first that is hopeless."""
    with ProcessGroup() as processes:
        decision = decision_for(recognition)
        camera = {"door": CameraSettings(source=0)}
        site = a_site(processes.folder, camera, recognition=recognition, decision=decision)
        for name, picture in people.enrolled.items():
            cv2.imwrite(str(processes.folder / "faces" / name), picture)
        reel_path = processes.folder / "reel"
        reel_path.write_bytes(msgspec.msgpack.encode(reel))
        site_path = processes.write_site(site)
        broker_pid = processes.broker(site, site_path)
        pids = [
            processes.program("recognizer_node.py", site_path, "--name", f"recognizer-{at}").pid
            for at in range(recognizers)
        ]
        await_enrolled(site.broker, len(people.names), processes)
        for doors in counts:
            names = [f"door-{doors}-{at}" for at in range(doors)]
            heard = Heard()
            with contextlib.closing(Bus(site.broker, topics=["result.", "access."])) as bus:
                cameras = processes.spawn(f"cameras-{doors}", play, site.broker, names, reel_path)
                heard.listen(bus, WARM_UP_S)
                heard.looks.clear()
                begin_ns, before = time.time_ns(), [_cpu_s(pid) for pid in (broker_pid, *pids)]
                heard.listen(bus, seconds)
                end_ns, after = time.time_ns(), [_cpu_s(pid) for pid in (broker_pid, *pids)]
                (shown,) = processes.end([cameras])
            used = [(late - early) / seconds for early, late in zip(before, after, strict=True)]
            whole = [
                visit
                for door, frames in shown.items()
                for visit in attributed(heard.verdicts[door], visits_of(frames, reel, begin_ns, end_ns))
                if visit.is_whole
            ]
            ages_ms = list(ages(shown, heard, begin_ns, end_ns))
            service = Service(
                doors=doors,
                age_p95_ms=percentiles(ages_ms, [95])[0],
                answered=heard.looks.total() / (doors * FPS * seconds),
                looks_share=heard.looks["yes"] / max(1, heard.looks.total()),
                recognizers_cpu=sum(used[1:]),
                broker_cpu=used[0],
                right=sum(visit.is_right for visit in whole),
                whole=len(whole),
            )
            yield service
            if service.age_p95_ms > HOPELESS_MS:
                return


@dataclass(kw_only=True)
class Visit:
    """Somebody at a door, and what was decided meanwhile or shortly after."""

    person: str | None
    from_ns: int
    until_ns: int
    is_whole: bool
    verdicts: list[str | None] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Tell whether it brought its one verdict."""
        return self.verdicts == [self.person]


def visits_of(frames: Sequence[tuple[int, int]], reel: Reel, begin_ns: int, end_ns: int) -> list[Visit]:
    """Return all visits that a door was shown, oldest first; those within the measurement are whole."""
    visits = []
    for appointment in reel.visits:
        begun: Visit | None = None
        for at_ns, index in frames:
            if index == appointment.begin:
                begun = Visit(person=appointment.person, from_ns=at_ns, until_ns=end_ns, is_whole=False)
                visits.append(begun)
            elif index == appointment.end - 1 and begun is not None:
                begun.until_ns = at_ns
                begun.is_whole = begin_ns <= begun.from_ns and at_ns + LATE_S * 1e9 <= end_ns
                begun = None
    return sorted(visits, key=lambda one: one.from_ns)


def attributed(verdicts: Iterable[tuple[int, str | None]], visits: Sequence[Visit]) -> Sequence[Visit]:
    """Return the visits with each verdict: at one of that person which has none, or else at the last begun.

    In a lobby the next visit begins before a late verdict of the one before must be there.
    """
    for at_ns, granted in verdicts:
        begun = [one for one in visits if one.from_ns <= at_ns <= one.until_ns + LATE_S * 1e9]
        of_person = [one for one in begun if one.person == granted and not one.verdicts]
        for visit in (of_person or begun[-1:])[:1]:
            visit.verdicts.append(granted)
    return visits


def ages(shown: Shown, heard: Heard, begin_ns: int, end_ns: int) -> Iterator[float]:
    """Give for each frame how long it took until it or a later one had its result, in milliseconds."""
    for door, frames in shown.items():
        results = sorted(heard.results[door])
        captured = [captured_ns for captured_ns, _ in results]
        for captured_ns, _ in frames:
            if begin_ns <= captured_ns < end_ns - 1e9:
                later = results[bisect.bisect_left(captured, captured_ns) :]
                came_ns = min((came_ns for _, came_ns in later), default=end_ns)
                yield (came_ns - captured_ns) / 1e6


def await_enrolled(broker: BrokerSettings, people: int, processes: ProcessGroup) -> None:
    """Wait until so many are enrolled.

    Raises:
        RuntimeError: they were not within `START_S`.
    """
    until_s = time.monotonic() + START_S
    with contextlib.closing(Bus(broker, topics=["status.broker."])) as bus:
        while time.monotonic() < until_s:
            for _, message in bus.receive(0.2):
                if isinstance(message, Beat) and message.gauges.get("people", 0) >= people:
                    return
    raise RuntimeError(f"nobody was enrolled within {START_S:g} s: {processes.logged()}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure both ways with one recognizer, and the new one with two."""
    command = parser(__doc__)
    command.add_argument("clips", nargs="?", type=Path)
    command.add_argument("--lobby", action="store_true", help="somebody is in view four fifths of the time")
    options = command.parse_args(argv)
    report = Report("doors", options)
    people = people_of(options.clips)
    in_view = IN_VIEW_LOBBY if options.lobby else IN_VIEW
    reel = a_reel(people, in_view=in_view)
    counts, seconds = (QUICK_COUNTS, QUICK_SECONDS) if options.quick else (COUNTS, SECONDS)
    report_lone_door(report, people, reel, in_view)
    for title, recognition, recognizers in (
        ("Every frame looked at, every face encoded", BEFORE, 1),
        ("As the site file has it", AFTER, 1),
        ("As the site file has it", AFTER, 2),
    ):
        services = list(measure(recognition, people, reel, counts, recognizers=recognizers, seconds=seconds))
        report.table(
            f"{title}: {recognizers} recognizers, somebody in view {in_view:.0%} of the time",
            (
                *("doors", "age p95 ms", "answered", "looked at", "cores of recognizers", "of the broker"),
                *("doors a core", "visits right", "whole visits"),
            ),
            [
                (
                    *(str(one.doors), one.age_p95_ms, one.answered, one.looks_share),
                    *(one.recognizers_cpu, one.broker_cpu),
                    *(one.doors_a_core, one.right, one.whole),
                )
                for one in services
            ],
        )
        wrong = sum(one.whole - one.right for one in services if one.is_served)
        report.goal(Goal(what="wrong visits at doors that were served", unit="", measured=wrong, at_most=0))
    report.note(
        "Doors a core: doors by the processor time of their recognizers. All processes share this machine's "
        "cores with whatever else runs here, so ages are upper bounds."
    )
    return report.finish()


def report_lone_door(report: Report, people: People, reel: Reel, in_view: float) -> None:
    """Print what one door costs by processor time, both ways, and whether all is decided alike."""
    days = {"every frame, every face": BEFORE, "as the site file has it": AFTER}
    done = {way: work_of_a_day(recognition, people, reel) for way, recognition in days.items()}
    report.table(
        f"One door by processor time alone, somebody in view {in_view:.0%} of the time",
        ("way", "ms a second", "doors a core", "looked at", "faces encoded", "verdicts"),
        [
            (
                *(way, 1e3 / one.doors_a_core, one.doors_a_core, one.looks / one.frames),
                *(one.encoded / max(1, one.found), len(one.verdicts)),
            )
            for way, one in done.items()
        ],
    )
    before, after = (one.verdicts for one in done.values())
    unlike = sum(one != other for (_, one), (_, other) in zip(before, after, strict=False))
    unlike += abs(len(before) - len(after))
    report.goal(Goal(what="visits decided otherwise than before", unit="", measured=unlike, at_most=0))
    wanted = [visit.person for visit in reel.visits]
    wrong = Counter(wanted) - Counter(person for _, person in after)
    report.goal(Goal(what="visits without their verdict", unit="", measured=wrong.total(), at_most=0))
    if in_view == IN_VIEW:
        a_core = done["as the site file has it"].doors_a_core
        report.goal(Goal(what="doors a recognizer core", unit="", measured=a_core, at_least=GOAL_DOORS))


def _cpu_s(pid: int) -> float:
    return sum(thread_cpu_s(pid).values())


if __name__ == "__main__":
    sys.exit(main())
