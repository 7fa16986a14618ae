"""Kill and stop processes at random while people come and go, and count lost and doubled visits.

Real processes and real faces: two cameras before which people appear and leave, two recognizers, a broker and
a logger. Faults hit one process after the other: SIGKILL, after which the process is started again like a
supervisor would, SIGSTOP for a while, or another time on its clock (`set_clock`), as if it had a machine of
its own. A visit counts as complete and seen when the broker that ran at its end had answered for enough
frames with the face, and enough observed absence followed; people stay for as long as that takes. Each such
visit must be in the log once, with the right verdict, and the log must verify, also against the heads that
the logger noted meanwhile.

Older copies of the journal, of the log and of the webhook's state are put back, each in place of what its
process had when it was killed; the journal is removed under the running broker; its disk and the log's are
filled. The journal's turn comes when nobody is in the halls: who is denied for want of a record is no fault.
What the log had and has no more must be noted as missing. The webhook must have posted every visit.
"""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import yaml

from tests.support.copies import Copies
from tests.support.processes import ROOT
from tests.support.receiver import Receiver
from turnstile.commands.demo import clip, samples
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.processes import Processes
from turnstile.io.site.file import load
from turnstile.log.lines import Entry, Event
from turnstile.protocol.messages import Beat, Result
from turnstile.protocol.reasons import Reason

CAMERAS = ("front_door", "back_door")
PROGRAM_OF = {
    "broker": "broker",
    "hook": "",
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
CLOCK_SHARE, KILL_SHARE = 0.25, 0.7
"""Up to which throw of the dice a fault is a clock that is set, and up to which it is SIGKILL."""

DISK_BYTES = 24 * 2**20
OTHER_HARM = 0.5
"""The share of faults that are not done to a process but to its files."""
PAUSES_S = (0.5, 1.5, 3.0, 6.0)
SETTLE_S = 30.0
CLOCKS_S = (0.0, 1500.0, -1500.0, 3600.0, -3600.0, 3650 * 86_400.0, -3650 * 86_400.0)
"""By how much a machine's clock may be wrong: so far apart that a run of 20 minutes can tell them."""

SET_CLOCK = ROOT / "tests" / "support" / "set_clock"


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
    last_s: float = 0.0

    def receive(self, result: Result) -> None:
        """Take in what the recognizers saw."""
        captured_s = on_the_right_clock(result.captured_ns / 1e9, near_s=time.time())
        step_s = min(MAX_STEP_S, max(0.0, captured_s - self.last_s)) if self.last_s else 0.0
        self.last_s = max(self.last_s, captured_s)
        if captured_s < (self.visits[-1].from_s if self.occupied else self._left_s()):
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
    receiver: Receiver = field(default_factory=Receiver)

    def __post_init__(self) -> None:
        """Nothing has been copied yet."""
        self.copies = Copies(folder=self.folder)

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
            self.receiver.close()

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
        for part in ("var", "log"):
            (self.folder / part).mkdir()
            if os.geteuid() == 0:
                size = f"size={DISK_BYTES}"
                place = str(self.folder / part)
                subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", size, "chaos", place], check=True)
        secret = self.folder / "secret"
        secret.write_bytes(b"sixteen bytes or more")
        secret.chmod(0o600)
        hook = {"url": self.receiver.url, "secret_file": "secret", "state_file": "hook-state"}
        document = {
            "site": "chaos",
            "broker": {
                "ingress": f"ipc://{self.folder}/in",
                "egress": f"ipc://{self.folder}/out",
                "journal": "var/journal.db",
            },
            "gallery": {"faces": "faces", "cache": "cache"},
            "decision": {"rules": "rules.yaml", "lockout": {"max_denials": 0}},
            "cameras": cameras,
            "loggers": {
                "log": {"file": "log/access_log.txt", "witness": "log/heads.txt", "keep_entries_days": 30}
            },
            "webhooks": {"hook": hook},
        }
        path = self.folder / "site.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def _start(self, name: str) -> None:
        clock = self.folder / f"{name}.clock"
        clock.touch()
        paths = {"PYTHONPATH": f"{SET_CLOCK}{os.pathsep}{ROOT}", "SET_CLOCK": str(clock)}
        before = {key: os.environ.get(key) for key in paths}
        os.environ.update(paths)
        try:
            self._start_program(name)
        finally:
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.update({key: value})

    def _set_clock(self, name: str, set_by_s: float) -> None:
        fresh = self.folder / f"{name}.clock.new"
        fresh.write_text(f"{set_by_s}")
        fresh.replace(self.folder / f"{name}.clock")

    def _start_program(self, name: str) -> None:
        if PROGRAM_OF[name]:
            self.nodes.start(PROGRAM_OF[name], name)
            return
        command = [sys.executable, "-m", "turnstile", "webhook", "--config", str(self.folder / "site.yaml")]
        with (self.folder / f"{name}.log").open("ab") as output:
            self.nodes.running[name] = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )

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
        if dice.random() < OTHER_HARM:
            self._harm_files(dice)
            return
        victim = dice.choice(list(PROGRAM_OF))
        what = dice.random()
        if what < CLOCK_SHARE:
            set_by_s = dice.choice(CLOCKS_S)
            kind = f"clock {set_by_s:+g} s"
            self._set_clock(victim, set_by_s)
        elif what < KILL_SHARE:
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

    def _harm_files(self, dice: random.Random) -> None:
        """Put an older copy back, remove the journal, or fill a disk."""
        victim, kind = dice.choice(
            [("broker", "put back"), ("log", "put back"), ("hook", "put back"), ("broker", "journal removed")]
            + ([("broker", "disk full"), ("log", "disk full")] if os.geteuid() == 0 else [])
        )
        if victim == "broker":
            self._empty_the_halls()
        if kind == "put back":
            self.nodes.send(victim, signal.SIGKILL)
            self.nodes.running.pop(victim).wait()
            kind = "put back" if self.copies.swap(victim) else "killed for a copy"
            self._start(victim)
        elif kind == "journal removed":
            (self.folder / "var" / "journal.db").unlink()
        else:
            self._fill(self.folder / {"broker": "var", "log": "log"}[victim] / "ballast", dice)
        self.faults.append(Fault(kind=kind, victim=victim, over_at=time.monotonic()))
        if victim == "broker":
            for hall in self.halls.values():
                hall.forget()
            self._until_it_is_well(victim)

    def _fill(self, ballast: Path, dice: random.Random) -> None:
        """Leave no room on a disk for a while."""
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        self._live(dice.choice(PAUSES_S), closing=True)
        ballast.unlink()

    def _empty_the_halls(self) -> None:
        until = time.monotonic() + SETTLE_S
        while not self._live(0.5, closing=True) and time.monotonic() < until:
            pass

    def _until_it_is_well(self, victim: str) -> None:
        """Wait until a process beats again, and until grants are recorded again."""
        self.beats.pop(victim, None)
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            self._live(1.5, closing=True)
            beat = self.beats.get(victim)
            if beat is not None and "journal cannot be" not in beat.detail:
                return

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
        for name in (*CAMERAS, "recognizer-1", "recognizer-2", "log", "hook", "broker"):
            self.nodes.stop(name)

    def verify(self) -> str:
        """Return what is wrong with the log's chain; empty when nothing is."""
        command = [sys.executable, "logger_node.py", "verify", "--config", str(self.folder / "site.yaml")]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return "" if run.returncode == 0 else run.stdout + run.stderr

    def entries(self) -> list[Entry]:
        """Return what the access log says, and said before an older copy was put back."""
        return self.copies.entries()

    def unrecorded(self) -> list[Event]:
        """Return what the log had, has no more and does not note as missing."""
        return self.copies.unrecorded()

    def unposted(self) -> set[str]:
        """Return the visits of the log that the webhook never posted."""
        with closing(sqlite3.connect(self.folder / "log" / "access_log.db")) as connection:
            logged = {visit for (visit,) in connection.execute("SELECT visit FROM entries")}
        return logged - self.receiver.visits

    def clean_up(self) -> None:
        """Unmount the small disks."""
        if os.geteuid() == 0:
            for part in ("var", "log"):
                subprocess.run(["/bin/umount", "-l", self.folder / part], check=False)


def on_the_right_clock(at_s: float, *, near_s: float) -> float:
    """Return a time of a clock that may have been set, as the right clock had it, somewhere near a time."""
    return min((at_s - set_by_s for set_by_s in CLOCKS_S), key=lambda right_s: abs(right_s - near_s))


def tally(halls: dict[str, Hall], entries: Sequence[Entry]) -> Counter[str]:
    """Return how many visits were complete, and how many of them were lost, doubled or decided wrongly."""
    counts: Counter[str] = Counter(visits=0, lost=0, doubled=0, wrong=0, spurious=0)
    times_s = [visit.from_s for hall in halls.values() for visit in hall.visits]
    middle_s = (min(times_s, default=0.0) + max(times_s, default=0.0)) / 2
    by_visit: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        hall = halls[entry.camera]
        at_s = on_the_right_clock(entry.at.timestamp(), near_s=middle_s)
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
            refused = ("denied", visit.person, Reason.CLOCK_BEHIND)  # the broker's clock was set back
            counts["wrong"] += sum(
                (entry.verdict, entry.person) != right
                and (entry.verdict, entry.person, entry.reason) != refused
                for entry in found
            )
    return counts


def _jpeg(picture: clip.Picture) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1])
