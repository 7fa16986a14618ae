"""How many frames a second the broker carries: from cameras to recognizers that only reply, and results back.

1, 8 and 64 cameras say frames of 50 kB to 1, 8 and 64 recognizers. In the same run the same cameras and
recognizers talk through a bare `zmq.proxy` on the same kinds of sockets, which checks nothing and keeps no
newest frame (the cameras name a recognizer, in turn, as a proxy does not choose); and cameras talk by
imagezmq's REQ/REP straight to one of as many hubs as there are recognizers. All cameras share a process, and
so do all recognizers: the processor time of each is shown, so that it is seen which one set the limit. Beside
the broker as it is stands one whose recognizers have one piece of work at a time (`recognition.credits`).

    python -m benchmarks.broker [--quick] [--json FILE]
"""

import ctypes
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.sharedctypes import RawArray

from benchmarks.many_nodes import (
    ANSWERED,
    SAID,
    Ports,
    Tally,
    cameras_flooding,
    cameras_in_turn,
    imagezmq_cameras,
    imagezmq_hubs,
    pass_on_by_zmq,
    recognizers_that_reply,
)
from benchmarks.report import Goal, Report, parse
from tests.support.addresses import free_addresses
from tests.support.pictures import a_jpeg
from tests.support.process_group import ProcessGroup, a_site, machine_cpu_s, thread_cpu_s
from turnstile.io.bus.nodes import Bus
from turnstile.io.site.machine import cores
from turnstile.protocol.messages import Beat
from turnstile.site.recognition import RecognitionSettings
from turnstile.site.settings import CameraSettings, Site

FRAME_BYTES = 50_000
SATURATED = 0.9
"""A thread that runs for this part of the time, or so much of all cores, sets the limit."""

SIZES = tuple((cameras, recognizers) for cameras in (1, 8, 64) for recognizers in (1, 8, 64))
QUICK_SIZES = ((1, 1), (8, 8))
FLOODS = ((1, 8), (8, 8), (64, 8))
QUICK_FLOODS = ((8, 8),)

AT_A_TIME = RecognitionSettings().credits

Size = tuple[int, int]
"""Numbers of cameras and of recognizers."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """The processes of one run by their part, and what has been said and answered so far."""

    pids: dict[str, int]
    tally: Tally


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What one run showed."""

    frames_per_s: float
    shed: float
    """Frames that were never answered, as a part of those said."""
    cpu: dict[str, float]
    """Part played → cores used."""
    cpu_us: float
    """Processor time of whatever stands between, a frame."""
    limit: str
    """Which process, or whether the machine, was saturated."""


SetUp = Callable[[ProcessGroup, bytes, int, int], Started]
"""Starts so many cameras and so many recognizers."""


def through_broker(
    processes: ProcessGroup, jpeg: bytes, cameras: int, recognizers: int, *, at_a_time: int = AT_A_TIME
) -> Started:
    """Let frames go through the broker; each recognizer takes so many at a time at most."""
    site, pid = a_broker(processes, cameras)
    ports = Ports(
        ingress=site.broker.ingress, egress=site.broker.egress, cameras=cameras, recognizers=recognizers
    )
    tally = a_tally()
    sinks = processes.spawn("recognizers", recognizers_that_reply, ports, at_a_time=at_a_time)
    sources = processes.spawn("cameras", cameras_in_turn, ports, tally, jpeg=jpeg, addressed=False)
    return Started(pids={"between": pid, "cameras": sources.pid, "recognizers": sinks.pid}, tally=tally)


def through_proxy(processes: ProcessGroup, jpeg: bytes, cameras: int, recognizers: int) -> Started:
    """Let frames go through a bare `zmq.proxy`."""
    ingress, egress = free_addresses(2)
    ports = Ports(ingress=ingress, egress=egress, cameras=cameras, recognizers=recognizers)
    tally = a_tally()
    proxy = processes.spawn("proxy", pass_on_by_zmq, ports)
    sinks = processes.spawn("recognizers", recognizers_that_reply, ports, at_a_time=0)
    sources = processes.spawn("cameras", cameras_in_turn, ports, tally, jpeg=jpeg, addressed=True)
    pids = {"between": proxy.pid, "cameras": sources.pid, "recognizers": sinks.pid}
    return Started(pids=pids, tally=tally)


def through_imagezmq(processes: ProcessGroup, jpeg: bytes, cameras: int, recognizers: int) -> Started:
    """Let imagezmq send frames to hubs; nothing stands between."""
    addresses = free_addresses(recognizers)
    tally = a_tally()
    hubs = processes.spawn("hubs", imagezmq_hubs, addresses)
    senders = processes.spawn("cameras", imagezmq_cameras, addresses, tally, cameras=cameras, jpeg=jpeg)
    return Started(pids={"cameras": senders.pid, "recognizers": hubs.pid}, tally=tally)


WAYS: dict[str, SetUp] = {
    "broker": through_broker,
    "one at a time": partial(through_broker, at_a_time=1),
    "zmq.proxy": through_proxy,
    "imagezmq": through_imagezmq,
}


def a_broker(processes: ProcessGroup, cameras: int) -> tuple[Site, int]:
    """Start the broker for so many cameras; return its site and process id."""
    names = [f"camera-{number}" for number in range(cameras)]
    site = a_site(processes.folder, {name: CameraSettings(source=0) for name in names})
    return site, processes.broker(site, processes.write_site(site))


def measure(
    set_up: SetUp, jpeg: bytes, cameras: int, recognizers: int, *, rounds: int, seconds: float
) -> Flow:
    """Return the median of `rounds` stretches of one run, its start left out."""
    with ProcessGroup() as processes:
        started = set_up(processes, jpeg, cameras, recognizers)
        await_flow(started, processes)
        flows = [watch(started, seconds) for _ in range(rounds)]
    return sorted(flows, key=lambda flow: flow.frames_per_s)[rounds // 2]


def watch(started: Started, seconds: float) -> Flow:
    """Return what goes through in `seconds` from now."""
    before, all_before_s, cpu = list(started.tally), machine_cpu_s(), cpu_now(started)
    began_at = time.monotonic()
    time.sleep(seconds)
    elapsed_s = time.monotonic() - began_at
    now, all_now_s = list(started.tally), machine_cpu_s()
    used = {
        part: {thread: now_s - cpu[part].get(thread, 0.0) for thread, now_s in threads.items()}
        for part, threads in cpu_now(started).items()
    }
    said, answered = now[SAID] - before[SAID], now[ANSWERED] - before[ANSWERED]
    between_s = sum(used.get("between", {}).values())
    return Flow(
        frames_per_s=answered / elapsed_s,
        shed=max(0.0, 1 - answered / said) if said else float("nan"),
        cpu={part: sum(threads.values()) / elapsed_s for part, threads in used.items()},
        cpu_us=1e6 * between_s / answered if answered and between_s else float("nan"),
        limit=limit_of(used, all_now_s - all_before_s, elapsed_s),
    )


def await_flow(started: Started, processes: ProcessGroup) -> None:
    """Wait until frames have been answered for half a second.

    Raises:
        RuntimeError: none is within 30 s.
    """
    deadline = time.monotonic() + 30.0
    while not started.tally[ANSWERED]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no frame was answered within 30 s: {processes.logged()}")
        time.sleep(0.05)
    time.sleep(0.5)


def cpu_now(started: Started) -> dict[str, dict[int, float]]:
    """Return the processor seconds that each thread of each process has used."""
    return {part: thread_cpu_s(pid) for part, pid in started.pids.items()}


def limit_of(used: dict[str, dict[int, float]], all_used_s: float, elapsed_s: float) -> str:
    """Return what was saturated: processes by a thread that always runs, or all cores together.

    Args:
        used: processor seconds by part and thread.
        all_used_s: processor seconds of all programs of this machine.
        elapsed_s: within so many seconds.
    """
    if not any(used.values()):
        return "not measured"
    limits = [
        part for part, threads in used.items() if max(threads.values(), default=0.0) > SATURATED * elapsed_s
    ]
    if all_used_s > SATURATED * elapsed_s * cores():
        others = 1 - sum(sum(threads.values()) for threads in used.values()) / all_used_s
        limits.append("all cores" + (f", {100 * others:.0f} % by other programs" if others > 0.1 else ""))
    return ", ".join(limits) or "none: waiting for one another"


def a_tally() -> Tally:
    """Return a tally at nought that processes can share."""
    return RawArray(ctypes.c_uint64, 2)


@dataclass(frozen=True, kw_only=True)
class Flood:
    """What the broker did with more frames than it can hand out."""

    taken_per_s: float
    handed_out_per_s: float
    shed_per_s: float
    handed_out_per_cpu_s: float
    """For each second of the broker's processor time: whoever floods takes most of this machine's."""


def flood(jpeg: bytes, cameras: int, recognizers: int, *, seconds: float) -> Flood:
    """Return what the broker counts while cameras say frames as fast as it takes them."""
    with ProcessGroup() as processes:
        site, pid = a_broker(processes, cameras)
        ports = Ports(
            ingress=site.broker.ingress, egress=site.broker.egress, cameras=cameras, recognizers=recognizers
        )
        tally = a_tally()
        processes.spawn("recognizers", recognizers_that_reply, ports, at_a_time=AT_A_TIME)
        processes.spawn("cameras", cameras_flooding, ports, tally, jpeg=jpeg)
        await_flow(Started(pids={}, tally=tally), processes)
        began_s = sum(thread_cpu_s(pid).values())
        beats = hear_beats(site, seconds)
        used_s = sum(thread_cpu_s(pid).values()) - began_s
    first, last = beats[0], beats[-1]
    elapsed_s = last.uptime_s - first.uptime_s

    def rate(count: str) -> float:
        return (last.counts.get(count, 0) - first.counts.get(count, 0)) / elapsed_s

    return Flood(
        taken_per_s=rate("frames_in"),
        handed_out_per_s=rate("frames_handed_out"),
        shed_per_s=rate("dropped_newer_came") + rate("dropped_unseen"),
        handed_out_per_cpu_s=rate("frames_handed_out") * elapsed_s / used_s,
    )


def hear_beats(site: Site, seconds: float) -> list[Beat]:
    """Return the broker's beats of about `seconds`, at least two.

    Raises:
        RuntimeError: fewer came.
    """
    bus = Bus(site.broker)
    beats: list[Beat] = []
    give_up_at = time.monotonic() + seconds + 10.0
    while time.monotonic() < give_up_at and (
        len(beats) < 2 or beats[-1].uptime_s < beats[0].uptime_s + seconds
    ):
        beats += [message for _, message in bus.receive(0.1) if isinstance(message, Beat)]
    bus.close()
    if len(beats) < 2:
        raise RuntimeError("the broker's beats did not come")
    return beats


def compare(report: Report, sizes: Sequence[Size], *, rounds: int, seconds: float) -> None:
    """Print what goes through by each way, and which process set the limit."""
    jpeg = a_jpeg(FRAME_BYTES)
    flows: dict[Size, dict[str, Flow]] = {}
    for cameras, recognizers in sizes:
        flows[cameras, recognizers] = {
            way: measure(set_up, jpeg, cameras, recognizers, rounds=rounds, seconds=seconds)
            for way, set_up in WAYS.items()
        }
    report.table(
        f"Frames of {FRAME_BYTES // 1000} kB a second, there and answered",
        ("cameras x recognizers", *WAYS, "broker : zmq.proxy", "broker : imagezmq"),
        [
            (
                name_of(size),
                *(flow.frames_per_s for flow in by_way.values()),
                by_way["broker"].frames_per_s / by_way["zmq.proxy"].frames_per_s,
                by_way["broker"].frames_per_s / by_way["imagezmq"].frames_per_s,
            )
            for size, by_way in flows.items()
        ],
    )
    ratios = [flow["broker"].frames_per_s / flow["zmq.proxy"].frames_per_s for flow in flows.values()]
    report.goal(Goal(what="broker : zmq.proxy, least", unit="", measured=min(ratios), at_least=0.7))
    report.table(
        "Cores used by each process, and what was saturated",
        (
            "cameras x recognizers, way",
            "between",
            "cameras",
            "recognizers",
            "us a frame between",
            "shed %",
            "limit",
        ),
        [
            (
                f"{name_of(size)}, {way}",
                *(flow.cpu.get(part) for part in ("between", "cameras", "recognizers")),
                flow.cpu_us,
                100 * flow.shed,
                flow.limit,
            )
            for size, by_way in flows.items()
            for way, flow in by_way.items()
        ],
    )


def overwhelm(report: Report, sizes: Sequence[Size], *, seconds: float) -> None:
    """Print what the broker takes in when cameras do not wait."""
    jpeg = a_jpeg(FRAME_BYTES)
    rows = []
    share = float("nan")
    for cameras, recognizers in sizes:
        shown = flood(jpeg, cameras, recognizers, seconds=seconds)
        in_turn = measure(through_broker, jpeg, cameras, recognizers, rounds=1, seconds=seconds)
        share = shown.handed_out_per_cpu_s * in_turn.cpu_us / 1e6
        row = (shown.taken_per_s, shown.handed_out_per_s, shown.shed_per_s, in_turn.frames_per_s, share)
        rows.append((name_of((cameras, recognizers)), *row))
    report.table(
        "Flooded: frames a second that the broker looks at, hands out and sheds, and those without a flood",
        ("cameras x recognizers", "looked at", "handed out", "shed", "not flooded", "of that a cpu second"),
        rows,
    )
    report.goal(
        Goal(
            what="handed out a cpu second in the last flood, of that without",
            unit="",
            measured=share,
            at_least=0.5,
        )
    )


def name_of(size: Size) -> str:
    """Return numbers of cameras and recognizers as a row's name."""
    return f"{size[0]} x {size[1]}"


def main() -> int:
    """Run all sizes through all ways, then flood the broker."""
    options = parse(__doc__)
    report = Report("broker", options)
    rounds, seconds = (1, 0.5) if options.quick else (3, 2.0)
    compare(report, QUICK_SIZES if options.quick else SIZES, rounds=rounds, seconds=seconds)
    report.note(
        f"The median of {rounds} stretch(es) of {seconds:g} s. A camera has one frame under way, so that "
        "none is shed. Through the broker and the proxy a frame takes 2 messages in and 2 out (frame and "
        "result, work and result); imagezmq's request and reply have nothing between. Where all cores are "
        "the limit, or a process other than the one between, that one could carry more than is shown. Behind "
        "the proxy a recognizer has the frames of all cameras before it. The broker keeps them, as newer "
        f"ones may come, but for what is on its way: up to {AT_A_TIME} pieces of work a recognizer, as far "
        "as the way takes longer than the work. One at a time, it waits for each answer."
    )
    overwhelm(report, QUICK_FLOODS if options.quick else FLOODS, seconds=2 * seconds)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
