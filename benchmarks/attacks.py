"""Attacks against a running site: what each one gained, and what the others noticed of it.

A real broker with keys on loopback; two honest cameras, a recognizer whose work takes no time, and a display,
in one process, which notes each frame and result that the display hears, and how old it is. Each attack is
another process with keys of its own, for a few seconds. Nothing may come of it: no frame or result of another
origin at the display, and no exception in the attacker, which checks what it hears.

    python -m benchmarks.attacks [--quick] [--json FILE]
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.attackers import ATTACKS, INTRUDERS, Place
from benchmarks.pictures import SIZE_PX, a_jpeg
from benchmarks.report import Report, parse, percentiles
from benchmarks.stage import Line, Stage, a_site
from turnstile import config
from turnstile.io.bus import Bus
from turnstile.io.keys import KeyFolder
from turnstile.messages import AnyMessage, Beat, Frame, Ready, Result, Timings, Work, topic
from turnstile.roles import Identity

CAMERAS = ("door", "gate")
FPS = 15.0
FRAME_BYTES = 30_000
HONEST = (Identity("recognizer", "honest"), Identity("display", "porter"))
READY_S = 0.3


class Note(NamedTuple):
    """Something that the honest display heard."""

    at_s: float
    kind: str
    sender: str
    """A frame's camera, a result's recognizer."""
    camera: str
    age_ms: float


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What the display heard in a stretch of time."""

    frames_per_s: float
    frame_age_p95_ms: float
    result_age_p95_ms: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One attack, and the site before, during and after it."""

    attack: str
    tries: int
    gained: tuple[str, ...]
    """Senders that the display should not have heard."""
    refused: int
    phases: tuple[Phase, Phase, Phase]
    alive: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Try every attack and print the table."""
    options = parse(__doc__, argv)
    report = Report("attacks", options)
    spans_s = (1.0, 2.0, 1.5) if options.quick else (4.0, 8.0, 4.0)
    outcomes = [attempt(name, spans_s) for name in ATTACKS]
    report.table(
        f"{len(CAMERAS)} cameras at {FPS:g} fps of {FRAME_BYTES:,} bytes; attacks of {spans_s[1]:g} s",
        (
            *("attack", "tries", "gained", "refused by name", "fps before", "during", "after"),
            *("frames' age p95 before, ms", "during", "after"),
            *("results' age p95 before, ms", "during", "after", "broker"),
        ),
        [
            [
                *(one.attack, one.tries, ", ".join(one.gained) or "nothing", one.refused),
                *(phase.frames_per_s for phase in one.phases),
                *(phase.frame_age_p95_ms for phase in one.phases),
                *(phase.result_age_p95_ms for phase in one.phases),
                "alive" if one.alive else "dead",
            ]
            for one in outcomes
        ],
    )
    report.note("Ages are of results when the display hears them, since the camera took the frame.")
    return report.finish() or int(any(one.gained or not one.alive for one in outcomes))


def attempt(name: str, spans_s: tuple[float, float, float]) -> Outcome:
    """Start a site, attack it, and return what happened."""
    with Stage() as stage:
        keys = KeyFolder(stage.folder / "keys")
        keys.create()
        for who in (*(Identity("capture", camera) for camera in CAMERAS), *HONEST, *INTRUDERS):
            keys.add(who)
        cameras = {camera: config.Camera(source=0) for camera in CAMERAS}
        site = a_site(stage.folder, cameras)
        site = msgspec.structs.replace(site, keys=config.Keys(folder=str(keys.path)))
        program = stage.program("broker.py", stage.write_site(site))
        place = Place(broker=site.broker, keys=keys, camera=CAMERAS[0], frame=a_frame(CAMERAS[0], 1))
        honest = stage.play("honest", play_honest, site.broker, keys.path)
        honest.answer()
        time.sleep(spans_s[0])
        began_s = time.monotonic()
        attacker = stage.play("attacker", play_attacker, name, place, spans_s[1])
        tries = int(attacker.answer(spans_s[1] + 60))
        ended_s = time.monotonic()
        time.sleep(spans_s[2])
        (heard,) = stage.end([honest])
        notes, refused = heard
        return Outcome(
            attack=name,
            tries=tries,
            gained=tuple(sorted({note.sender for note in notes} - {*CAMERAS, "honest"} - _allowed(name))),
            refused=refused,
            phases=(
                _phase(notes, began_s - spans_s[0], began_s),
                _phase(notes, began_s, ended_s),
                _phase(notes, ended_s, ended_s + spans_s[2]),
            ),
            alive=program.poll() is None,
        )


def play_attacker(line: Line, name: str, place: Place, span_s: float) -> None:
    """Attack, and answer how often it was tried."""
    line.answers.send(ATTACKS[name](place, time.monotonic() + span_s))


def play_honest(line: Line, broker: config.Broker, keys: Path) -> None:
    """Be two cameras, a recognizer and a display until told to stop; answer with what the display heard."""
    folder = KeyFolder(keys)

    def bus(name: str, *topics: str) -> Bus:
        return Bus(broker, key=folder.node_key(folder.find(name)), topics=topics)

    honest = Honest(
        cameras={camera: bus(camera) for camera in CAMERAS},
        recognizer=bus("honest", "work.honest.honest-1.", "gallery."),
        display=bus("porter", "frame.", "result.", "status.broker."),
    )
    running = False
    while not line.stop.is_set():
        honest.step()
        if not running and any(note.kind == "result" for note in honest.notes):
            running = True
            line.answers.send(None)
    line.answers.send((honest.notes, honest.refused))


@dataclass(kw_only=True)
class Honest:
    """The honest nodes, and what the display heard."""

    cameras: dict[str, Bus]
    recognizer: Bus
    display: Bus
    notes: list[Note] = field(default_factory=list)
    refused: int = 0
    seq: int = 0
    due_s: float = 0.0
    ready_at_s: float = 0.0

    def step(self) -> None:
        """Do what is due."""
        now_s = time.monotonic()
        if now_s >= self.due_s:
            self.due_s, self.seq = max(self.due_s + 1 / FPS, now_s - 1.0), self.seq + 1
            for camera, bus in self.cameras.items():
                bus.say(topic("frame", camera), a_frame(camera, self.seq))
                bus.hear(0.0)
        worked = [message for _, message in self.recognizer.hear(0.0) if isinstance(message, Work)]
        for work in worked:
            self.recognizer.say("result.", _answer(work))
        if worked or now_s - self.ready_at_s > READY_S:
            self.recognizer.say("ready.", Ready(name="honest", instance="honest-1", credits=2))
            self.ready_at_s = now_s
        for _, message in self.display.hear(0.002):
            self._note(message)

    def _note(self, message: AnyMessage) -> None:
        if isinstance(message, Frame):
            self.notes.append(_note("frame", message.camera, message))
        elif isinstance(message, Result):
            self.notes.append(_note("result", message.name, message))
        elif isinstance(message, Beat):
            counts = message.counts.items()
            self.refused = sum(count for name, count in counts if name.startswith("refused_"))


def a_frame(camera: str, seq: int) -> Frame:
    """Return a frame that is taken now."""
    return Frame(
        camera=camera,
        seq=seq,
        captured_ns=time.time_ns(),
        width_px=SIZE_PX[0],
        height_px=SIZE_PX[1],
        jpeg=_JPEG,
    )


def _answer(work: Work) -> Result:
    return Result(
        token=work.token,
        name="honest",
        instance="honest-1",
        camera=work.camera,
        seq=work.seq,
        captured_ns=work.captured_ns,
        gallery_version="",
        faces=(),
        timings=Timings(),
    )


def _note(kind: str, sender: str, message: Frame | Result) -> Note:
    age_ms = (time.time_ns() - message.captured_ns) / 1e6
    return Note(time.monotonic(), kind, sender, message.camera, age_ms)


def _allowed(attack: str) -> set[str]:
    """Return what an intruder may bring about with its own key: frames of its own, results for real work."""
    own = {"flood of frames": {"rogue_camera"}, "replayed results": {"rogue_recognizer"}}
    return own.get(attack, set())


def _phase(notes: Sequence[Note], from_s: float, to_s: float) -> Phase:
    within = [note for note in notes if from_s <= note.at_s < to_s and note.camera in CAMERAS]
    frames_ms = [note.age_ms for note in within if note.kind == "frame"]
    results_ms = [note.age_ms for note in within if note.kind == "result"]
    return Phase(
        frames_per_s=len(frames_ms) / (to_s - from_s),
        frame_age_p95_ms=percentiles(frames_ms, [95])[0],
        result_age_p95_ms=percentiles(results_ms, [95])[0],
    )


_JPEG = a_jpeg(FRAME_BYTES)

if __name__ == "__main__":
    sys.exit(main())
