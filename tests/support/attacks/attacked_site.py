"""A running site with keys, honest nodes on it, and what they notice while it is attacked.

A real broker on loopback; two honest cameras, a recognizer whose work takes no time, a display, a logger and
an observer, in one process. They note each frame and result that the display hears, and how old it is. They
also note everything that any of them hears and no honest node said.
"""

import itertools
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from tests.support.attacks.attacker import INTRUDERS, Attack, Place, a_result
from tests.support.pictures import SIZE_PX, a_jpeg
from tests.support.process_group import Channel, ProcessGroup, a_site
from tests.support.waiting import PATIENCE_S
from turnstile.io.bus.keys import KeyFolder
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.messages import AnyMessage, Beat, Frame, People, Ready, Result, Taken, Work
from turnstile.protocol.roles import Identity
from turnstile.protocol.topics import topic
from turnstile.site.settings import BrokerSettings, CameraSettings, KeysSettings

CAMERAS = ("door", "gate")
FPS = 15.0
FRAME_BYTES = 30_000
HONEST = (
    *(Identity("capture", camera) for camera in CAMERAS),
    Identity("recognizer", "honest"),
    Identity("logger", "scribe"),
    Identity("display", "porter"),
    Identity("observer", "watcher"),
)
READY_S = 0.3


class Note(NamedTuple):
    """Something that the honest display heard, or that anybody heard from a stranger."""

    at_s: float
    kind: str
    stranger: str
    """Who said it; empty when it was an honest node or the broker."""
    camera: str
    seq: int
    age_ms: float


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What the display heard of the honest cameras in a stretch of time."""

    frames_per_s: float
    frame_age_p95_ms: float
    result_age_p95_ms: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One attack, and the site before, during and after it."""

    attack: str
    tries: int
    heard_of: dict[str, int]
    """Who was heard besides the honest nodes, and how often."""
    twice: int
    """Frames and results that the display heard a second time."""
    refused: int
    """By the broker's counters."""
    phases: tuple[Phase, Phase, Phase]
    memory_mb: float
    """How much the broker's memory grew at most; NaN where the system does not say."""
    alive: bool


class AttackedSite:
    """A site that one attack after the other is tried on."""

    def __enter__(self) -> Self:
        """Start the broker and the honest nodes, and return when the first honest frame was recognized."""
        with ExitStack() as stack:
            self._processes = stack.enter_context(ProcessGroup())
            self._start()
            self._ended = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        self._ended.close()

    def attempt(self, name: str, attack: Attack, spans_s: tuple[float, float, float]) -> Outcome:
        """Give intruders new keys, let the site be for a while, attack it, and let it be again.

        Raises:
            RuntimeError: the attacker ended, which it does when it gained something.
        """
        self._give_keys()
        self._ask("notes")
        refused = self._refused()
        memory_mb = _memory_mb(self._broker.pid, peak=False)
        times_s = [time.monotonic()]
        time.sleep(spans_s[0])
        times_s.append(time.monotonic())
        self._attacker.answers.send((attack, spans_s[1]))
        tries = int(self._attacker.answer(spans_s[1] + PATIENCE_S))
        times_s.append(time.monotonic())
        time.sleep(spans_s[2])
        times_s.append(time.monotonic())
        alive = self._broker.poll() is None
        refused = self._refused() - refused if alive else 0
        notes = self._ask("notes")
        before, during, after = (_phase(notes, *pair) for pair in itertools.pairwise(times_s))
        return Outcome(
            attack=name,
            tries=tries,
            heard_of=_strangers(notes),
            twice=_repeated(notes),
            refused=refused,
            phases=(before, during, after),
            memory_mb=_memory_mb(self._broker.pid, peak=True) - memory_mb,
            alive=alive,
        )

    def _start(self) -> None:
        folder = self._processes.folder
        self._keys = KeyFolder(folder / "keys")
        self._keys.create()
        for who in (*HONEST, *INTRUDERS):
            self._keys.add(who)
        cameras = {camera: CameraSettings(source=0, max_fps=FPS) for camera in CAMERAS}
        site = a_site(folder, cameras, keys=KeysSettings(folder=str(self._keys.path)))
        self._broker = self._processes.program("broker.py", self._processes.write_site(site))
        self._honest = self._processes.spawn("honest", run_honest_nodes, site.broker, self._keys.path)
        self._honest.answer()
        self.place = Place(
            broker=site.broker,
            keys=self._keys,
            pid=self._broker.pid,
            camera=CAMERAS[0],
            frame=a_frame(CAMERAS[0], 1),
        )
        self._attacker = self._processes.spawn("attacker", run_attacker, self.place)

    def _give_keys(self) -> None:
        """Make the intruders' keys anew, as old ones may be cut off, and wait until the broker knows them."""
        for who in INTRUDERS:
            if self._keys.has(who):
                self._keys.revoke(who.name)
            self._keys.add(who)
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            bus = self.place.bus(INTRUDERS[-1].name)
            try:
                if bus.receive(0.7):
                    return
            finally:
                bus.close()
        raise RuntimeError(f"the broker took no new keys: {self._processes.logged()}")

    def _refused(self) -> int:
        """Return how much the broker has refused so far, as of a beat from now on."""
        counts: dict[str, int] = self._ask("counts")
        by_name = sum(count for name, count in counts.items() if name.startswith("refused_from_unknown"))
        whole = {name: count for name, count in counts.items() if name.startswith(("refused_", "repeated_"))}
        return by_name + sum(count for name, count in whole.items() if not name.startswith("refused_from_"))

    def _ask(self, what: str) -> Any:
        """Return what the honest nodes answer, see `Honest.answer`."""
        self._honest.answers.send(what)
        return self._honest.answer()


def run_attacker(channel: Channel, place: Place) -> None:
    """Attack as asked, for so many seconds, and answer how often it was tried.

    Least important of all, as an attacker brings a processor of its own.
    """
    os.nice(19)
    while not channel.stop.is_set():
        if channel.answers.poll(0.1):
            attack, span_s = channel.answers.recv()
            channel.answers.send(attack(place, time.monotonic() + span_s))


def run_honest_nodes(channel: Channel, broker: BrokerSettings, keys: Path) -> None:
    """Be the honest nodes until told to stop; answer what is asked, see `Honest.answer`."""
    folder = KeyFolder(keys)

    def bus(name: str, *topics: str) -> Bus:
        return Bus(broker, key=folder.node_key(folder.find(name)), topics=topics)

    honest = Honest(
        cameras={camera: bus(camera) for camera in CAMERAS},
        recognizer=bus("honest", "work.honest.honest-1.", "gallery."),
        display=bus("porter", "frame.", "result.", "access.", "guide.", "status."),
        others=[
            bus("scribe", "query.", "log.scribe.scribe-1."),
            bus("watcher", "status.", "access.", "entries.watcher-1."),
        ],
    )
    while not any(note.kind == "Result" for note in honest.notes) and not channel.stop.is_set():
        honest.step()
    channel.answers.send(None)
    while not channel.stop.is_set():
        honest.step()
        if channel.answers.poll():
            channel.answers.send(honest.answer(channel.answers.recv(), channel))


@dataclass(kw_only=True)
class Honest:
    """The honest nodes, and what they heard."""

    cameras: dict[str, Bus]
    recognizer: Bus
    display: Bus
    others: list[Bus]
    notes: list[Note] = field(default_factory=list)
    beats: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    """The broker's, and how many of its beats were heard."""
    seq: int = 0
    due_s: float = 0.0
    ready_at_s: float = 0.0

    def answer(self, what: str, channel: Channel) -> object:
        """Return the notes, and forget them, or the broker's counters as of its next beat."""
        if what == "notes":
            notes, self.notes = self.notes, []
            return notes
        heard = self.beats
        while self.beats == heard and not channel.stop.is_set():
            self.step()
        return self.counts

    def step(self) -> None:
        """Do what is due."""
        now_s = time.monotonic()
        if now_s >= self.due_s:
            self.due_s, self.seq = max(self.due_s + 1 / FPS, now_s - 1.0), self.seq + 1
            for camera, bus in self.cameras.items():
                bus.send(topic("frame", camera), a_frame(camera, self.seq))
            for bus in (*self.cameras.values(), *self.others):
                self._note_strangers(bus)
        worked = self._work()
        if worked or now_s - self.ready_at_s > READY_S:
            self.recognizer.send("ready.", Ready(name="honest", instance="honest-1", credits=2))
            self.ready_at_s = now_s
        for _, message in self.display.receive(0.002):
            self._note(message)

    def _work(self) -> bool:
        worked = False
        for _, message in self.recognizer.receive(0.0):
            if isinstance(message, Work):
                answer = a_result(message.token, name="honest", camera=message.camera, seq=message.seq)
                self.recognizer.send("result.", answer)
                worked = True
            self._note_stranger(message)
        return worked

    def _note(self, message: AnyMessage) -> None:
        if isinstance(message, Frame | Result) and not stranger_of(message):
            age_ms = (time.time_ns() - message.captured_ns) / 1e6
            kind = type(message).__name__
            self.notes.append(Note(time.monotonic(), kind, "", message.camera, message.seq, age_ms))
        elif isinstance(message, Beat) and message.node == "broker" and not stranger_of(message):
            self.beats, self.counts = self.beats + 1, message.counts
        self._note_stranger(message)

    def _note_strangers(self, bus: Bus) -> None:
        for _, message in bus.receive(0.0):
            self._note_stranger(message)

    def _note_stranger(self, message: AnyMessage) -> None:
        stranger = stranger_of(message)
        if stranger:
            camera, seq = str(getattr(message, "camera", "")), int(getattr(message, "seq", 0))
            kind = type(message).__name__
            self.notes.append(Note(time.monotonic(), kind, stranger, camera, seq, 0.0))


def stranger_of(message: AnyMessage) -> str:
    """Return who said a message, or what is wrong with it; empty when an honest node said it."""
    match message:
        case Frame() | Work():
            forged = f"a forged {type(message).__name__} of " if message.captured_ns == 1 else ""
            return f"{forged}{message.camera}" if forged or message.camera not in CAMERAS else ""
        case Result():
            speaker = message.camera if message.instance == "honest-1" else message.name
            return "" if speaker in CAMERAS else speaker
        case Beat():
            own = message.node == "broker" and not message.instance.endswith("-1")
            return "" if own or message.age_s else message.node
        case People():
            return "a forged gallery" if message.persons else ""
        case Taken():
            return ""  # the broker's alone, and nobody else's that reached it would be told apart
        case _:
            name = getattr(message, "asker", getattr(message, "recognizer", ""))
            return f"{type(message).__name__} of {name}"


def a_frame(camera: str, seq: int) -> Frame:
    """Return a frame that is taken now."""
    return Frame(
        camera=camera,
        instance=f"{camera}-a1b2c3d4",
        seq=seq,
        captured_ns=time.time_ns(),
        width_px=SIZE_PX[0],
        height_px=SIZE_PX[1],
        jpeg=_JPEG,
    )


def _strangers(notes: Sequence[Note]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for note in notes:
        if note.stranger:
            counts[note.stranger] = counts.get(note.stranger, 0) + 1
    return counts


def _repeated(notes: Sequence[Note]) -> int:
    said = [
        (note.kind, note.stranger, note.camera, note.seq)
        for note in notes
        if note.kind in {"Frame", "Result"}
    ]
    return len(said) - len(set(said))


def _phase(notes: Sequence[Note], from_s: float, to_s: float) -> Phase:
    within = [note for note in notes if from_s <= note.at_s < to_s and not note.stranger]
    frames_ms = [note.age_ms for note in within if note.kind == "Frame"]
    results_ms = [note.age_ms for note in within if note.kind == "Result"]
    return Phase(
        frames_per_s=len(frames_ms) / (to_s - from_s),
        frame_age_p95_ms=_p95(frames_ms),
        result_age_p95_ms=_p95(results_ms),
    )


def _p95(values: Sequence[float]) -> float:
    return float(np.percentile(values, 95)) if values else float("nan")


def _memory_mb(pid: int, *, peak: bool) -> float:
    """Return the memory of a process now, from where on its peak counts, or that peak."""
    try:
        if not peak:
            with suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")
        status = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return float("nan")
    (line,) = (line for line in status if line.startswith("VmHWM:" if peak else "VmRSS:"))
    return int(line.split()[1]) / 1024


_JPEG = a_jpeg(FRAME_BYTES)
