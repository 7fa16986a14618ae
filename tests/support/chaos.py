"""Kill and stop processes at random while people come and go, and count lost and doubled visits.

Real processes and real faces: two cameras before which people appear and leave, two recognizers, a broker and
a logger. Faults hit one process after the other: SIGKILL, after which the process is started again like a
supervisor would, or SIGSTOP for a while. A visit counts as complete and seen when the broker that ran at its
end had answered for enough frames with the face, and enough observed absence followed; people stay for as
long as that takes. Each such visit must be in the log once, with the right verdict, and the log must verify,
also against the heads that the logger noted meanwhile.
"""

import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import yaml

from tests.support.processes import ROOT
from turnstile.commands.demo import clip, samples
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.processes import Processes
from turnstile.io.site.file import load
from turnstile.log.lines import Entry, is_remark, parse_entry
from turnstile.protocol.messages import Beat, Result

CAMERAS = ("front_door", "back_door")
PROGRAM_OF = {
    "broker": "broker",
    "log": "logger_node",
    "recognizer-1": "recognizer_node",
    "recognizer-2": "recognizer_node",
    **dict.fromkeys(CAMERAS, "capture_node"),
}
FRAMES_SEEN = 14
"""Results with the face, of one broker, that make a visit complete: 8 decide, and some may be late."""

ABSENCE_S = 3.0
"""Observed absence between visits; 2 s end one."""

MAX_STEP_S = 0.5
PAUSES_S = (0.5, 1.5, 3.0, 6.0)
SETTLE_S = 30.0


@dataclass(kw_only=True)
class Visit:
    """Somebody before a camera."""

    person: str | None
    from_s: float
    """Wall clock."""
    until_s: float = 0.0


@dataclass(kw_only=True)
class Hall:
    """What one camera looks at, and how far the present visit or absence has come."""

    camera: str
    picture: Path
    views: dict[str | None, bytes]
    nobody: bytes
    dice: random.Random
    visits: list[Visit] = field(default_factory=list)
    occupied: bool = False
    seen: int = 0
    absent_s: float = 0.0
    last_ns: int = 0

    def receive(self, result: Result) -> None:
        """Take in what the recognizers saw."""
        step_s = min(MAX_STEP_S, max(0.0, (result.captured_ns - self.last_ns) / 1e9)) if self.last_ns else 0.0
        since_ns = (self.visits[-1].from_s if self.occupied else self._left_s()) * 1e9
        self.last_ns = max(self.last_ns, result.captured_ns)
        if result.captured_ns < since_ns:
            return
        if self.occupied and result.faces:
            self.seen += 1
        elif not self.occupied and not result.faces:
            self.absent_s += step_s

    def forget(self) -> None:
        """A new broker has seen nothing of what is going on."""
        self.seen, self.absent_s = 0, 0.0

    def move(self, *, closing: bool) -> bool:
        """Let people come and go when it is time; return whether the hall is empty for good."""
        if self.occupied and self.seen >= FRAMES_SEEN:
            self.visits[-1].until_s = time.time()
            self._show(self.nobody)
            self.occupied = False
            self.forget()
        elif not self.occupied and self.absent_s >= ABSENCE_S:
            if closing:
                return True
            person = self.dice.choice(list(self.views))
            self._show(self.views[person])
            self.visits.append(Visit(person=person, from_s=time.time()))
            self.occupied = True
            self.forget()
        return False

    def _left_s(self) -> float:
        return self.visits[-1].until_s if self.visits else 0.0

    def _show(self, picture: bytes) -> None:
        fresh = self.picture.with_suffix(".new")
        fresh.write_bytes(picture)
        fresh.replace(self.picture)


@dataclass(kw_only=True)
class Fault:
    """One thing done to one process."""

    kind: str
    victim: str
    over_at: float
    """When the process was back, monotonic."""
    recovered_s: float | None = None


@dataclass(kw_only=True)
class Chaos:
    """A site whose processes are killed and stopped."""

    folder: Path
    seed: int
    faults_every_s: float
    faults: list[Fault] = field(default_factory=list)
    beats: dict[str, Beat] = field(default_factory=dict)

    def run(self, *, minutes: float) -> None:
        """Let people come and go for so long, with faults, then end in order."""
        dice = random.Random(self.seed)
        self.halls = {camera: self._hall(camera, dice) for camera in CAMERAS}
        site_file = self._write_site()
        self.nodes = Processes(site_file=site_file, output=self.folder)
        self.bus = Bus(load(site_file).broker, topics=["status.", "result."])
        try:
            for name in PROGRAM_OF:
                self._start(name)
            self._until_everybody_beats()
            ends_at = time.monotonic() + minutes * 60
            while time.monotonic() < ends_at:
                self._live(dice.uniform(0.5, 1.5) * self.faults_every_s)
                self._do_harm(dice)
            self._end()
        finally:
            self.nodes.kill_all()
            self.bus.close()

    def _hall(self, camera: str, dice: random.Random) -> Hall:
        stills = samples.folder()
        views: dict[str | None, bytes] = {}
        for appearance in clip.APPEARANCES:
            views[appearance.person] = _jpeg(clip.view(appearance, stills=stills))
        hall = Hall(
            camera=camera,
            picture=self.folder / f"{camera}.jpg",
            views=views,
            nobody=_jpeg(clip.view(None, stills=stills)),
            dice=dice,
        )
        hall.picture.write_bytes(hall.nobody)
        return hall

    def _write_site(self) -> Path:
        faces = self.folder / "faces"
        faces.mkdir()
        (faces / "barack_obama.jpg").write_bytes((samples.folder() / "obama.jpg").read_bytes())
        cameras = {camera: {"source": [f"{camera}.jpg"], "max_fps": 15, "loop": True} for camera in CAMERAS}
        document = {
            "site": "chaos",
            "broker": {
                "ingress": f"ipc://{self.folder}/in",
                "egress": f"ipc://{self.folder}/out",
                "journal": "journal.db",
            },
            "gallery": {"faces": "faces", "cache": "cache"},
            "decision": {"rules": "rules.yaml", "lockout": {"max_denials": 0}},
            "cameras": cameras,
            "loggers": {"log": {"file": "access_log.txt", "witness": "heads.txt"}},
        }
        path = self.folder / "site.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def _start(self, name: str) -> None:
        self.nodes.start(PROGRAM_OF[name], name)

    def _until_everybody_beats(self) -> None:
        until = time.monotonic() + 60.0
        while set(PROGRAM_OF) - set(self.beats) or self.beats["broker"].gauges.get("people", 0) < 1:
            self._live(0.2)
            if time.monotonic() > until:
                raise RuntimeError(f"not heard: {sorted(set(PROGRAM_OF) - set(self.beats))}")

    def _live(self, for_s: float, *, closing: bool = False) -> bool:
        """Let people come and go for a while; return whether all halls are empty for good."""
        until = time.monotonic() + for_s
        empty = False
        while (left_s := until - time.monotonic()) > 0 and not empty:
            for _, message in self.bus.receive(min(left_s, 0.05)):
                if isinstance(message, Result):
                    self.halls[message.camera].receive(message)
                    self._note_recovery(message)
                elif isinstance(message, Beat) and message.age_s == 0:
                    self.beats[message.node] = message
                    if message.node == "log":
                        self._note_log()
            moved = [hall.move(closing=closing) for hall in self.halls.values()]
            empty = all(moved)
        return empty

    def _do_harm(self, dice: random.Random) -> None:
        victim = dice.choice(list(PROGRAM_OF))
        if dice.random() < 0.6:
            kind = "SIGKILL"
            self.nodes.send(victim, signal.SIGKILL)
            self.nodes.running.pop(victim).wait()
            if victim == "broker":
                for hall in self.halls.values():
                    hall.forget()
            self._live(dice.uniform(0.1, 1.0))
            if victim == "broker":
                for hall in self.halls.values():
                    hall.forget()
            self._start(victim)
        else:
            pause_s = dice.choice(PAUSES_S)
            kind = f"SIGSTOP {pause_s:g} s"
            self.nodes.send(victim, signal.SIGSTOP)
            self._live(pause_s)
            self.nodes.send(victim, signal.SIGCONT)
        self.faults.append(Fault(kind=kind, victim=victim, over_at=time.monotonic()))

    def _note_recovery(self, result: Result) -> None:
        """Time from a process's return to the first result: of its own camera for a capture, else of any."""
        for fault in self.faults[-3:]:
            mine = fault.victim not in CAMERAS or fault.victim == result.camera
            if fault.recovered_s is None and fault.victim != "log" and mine:
                fault.recovered_s = time.monotonic() - fault.over_at

    def _note_log(self) -> None:
        for fault in self.faults[-3:]:
            if fault.recovered_s is None and fault.victim == "log":
                fault.recovered_s = time.monotonic() - fault.over_at

    def _end(self) -> None:
        """Let the last visits end, the log catch up, and stop everything in order."""
        until = time.monotonic() + SETTLE_S
        while not self._live(0.5, closing=True) and time.monotonic() < until:
            pass
        self._live(4.0, closing=True)
        for name in (*CAMERAS, "recognizer-1", "recognizer-2", "log", "broker"):
            self.nodes.stop(name)

    def verify(self) -> str:
        """Return what is wrong with the log's chain; empty when nothing is."""
        command = [sys.executable, "logger_node.py", "verify", "--config", str(self.folder / "site.yaml")]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return "" if run.returncode == 0 else run.stdout + run.stderr

    def entries(self) -> list[Entry]:
        """Return what the access log says."""
        lines = (self.folder / "access_log.txt").read_text().splitlines()
        return [parse_entry(line) for line in lines if not is_remark(line)]


def tally(halls: dict[str, Hall], entries: Sequence[Entry]) -> Counter[str]:
    """Return how many visits were complete, and how many of them were lost, doubled or decided wrongly."""
    counts: Counter[str] = Counter(visits=0, lost=0, doubled=0, wrong=0, spurious=0)
    by_visit: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        hall = halls[entry.camera]
        at_s = entry.at.timestamp()
        number = max((n for n, visit in enumerate(hall.visits) if visit.from_s <= at_s), default=-1)
        by_visit[entry.camera, number].append(entry)
    counts["spurious"] = sum(len(found) for (_, number), found in by_visit.items() if number < 0)
    for camera, hall in halls.items():
        for number, visit in enumerate(hall.visits):
            found = by_visit[camera, number]
            complete = visit.until_s > 0
            counts["visits"] += complete
            counts["lost"] += complete and not found
            counts["doubled"] += len(found) > 1
            right = ("granted", visit.person) if visit.person else ("denied", None)
            counts["wrong"] += sum((entry.verdict, entry.person) != right for entry in found)
    return counts


def _jpeg(picture: clip.Picture) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1])
