"""Kill and stop processes at random while people come and go, and count lost and doubled visits.

Real processes and real faces: two cameras before which people appear and leave, two recognizers, a broker and
a logger. Faults hit one process after the other: SIGKILL, SIGSTOP for a while, or another time on its clock
(`set_clock`), as if it had a machine of its own. What was killed is started again as a supervisor would. Each
visit that was complete and seen (`halls`) must be in the log once, with the right verdict. The log must
verify, also against the heads that the logger noted meanwhile.

Older copies of the journal, of the log and of the webhook's state are put back. Each takes the place of what
its process had when it was killed. The journal is removed under the running broker. Its disk and the log's
are filled. The journal's turn comes when nobody is in the halls: who is denied for want of a record is no
fault. What the log had and has no more must be noted as missing. The webhook must have posted every visit.

A PostgreSQL server that keeps the log is killed and stopped, and one that lacks its last commits takes over.
"""

import contextlib
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.chaos_site import CAMERAS, HAS_DISKS, PROGRAM_OF, ClockedProcesses, unmount, write_site
from tests.support.copies import Copies
from tests.support.halls import CLOCKS_S, empty_hall
from tests.support.postgresql import Server
from tests.support.processes import ROOT
from tests.support.receiver import Receiver
from turnstile.io.bus.nodes import Bus
from turnstile.io.site.file import load
from turnstile.protocol.messages import Beat, Result

CLOCK_SHARE, KILL_SHARE = 0.25, 0.7
"""Up to which throw of the dice a fault is a clock that is set, and up to which it is SIGKILL."""

OTHER_HARM = 0.5
"""The share of faults that are not done to a process but to files or to the store's server."""

FILE_HARM = (("broker", "put back"), ("log", "put back"), ("hook", "put back"), ("broker", "journal removed"))
DISK_HARM = (("broker", "disk full"), ("log", "disk full"))
STORE_HARM = (("store", "SIGKILL"), ("store", "SIGSTOP"), ("store", "fail-over"))
PAUSES_S = (0.5, 1.5, 3.0, 6.0)
SETTLE_S = 30.0
DRAIN_S = 0.05
"""So long are messages received that were sent before a fault."""


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
    postgresql: bool = False
    """Keep the log in a PostgreSQL server instead of a file."""
    faults: list[Fault] = field(default_factory=list)
    beats: dict[str, Beat] = field(default_factory=dict)
    receiver: Receiver = field(default_factory=Receiver)

    def __post_init__(self) -> None:
        """Nothing has been copied yet."""
        self.server = Server(fsync=False) if self.postgresql else None
        store = str(self.folder / "log" / "access_log.db")
        if self.server is not None:
            store = self.server.addresses.format("postgres")
        self.copies = Copies(folder=self.folder, store=store, server=self.server)
        self._unrecovered: dict[str, Fault] = {}

    def run(self, *, minutes: float) -> None:
        """Let people come and go for so long, with faults, then end in order."""
        dice = random.Random(self.seed)
        self.halls = {camera: empty_hall(camera, folder=self.folder, dice=dice) for camera in CAMERAS}
        site_file = write_site(self.folder, post_to=self.receiver.url, store=self.copies.store)
        self.processes = ClockedProcesses(site_file)
        self.bus = Bus(load(site_file).broker, topics=["status.", "result."])
        try:
            if self.server is not None:
                self.server.start()
            for name in PROGRAM_OF:
                self.processes.start(name)
            self._until_everybody_beats()
            ends_at = time.monotonic() + minutes * 60
            while time.monotonic() < ends_at:
                self._live(dice.uniform(0.5, 1.5) * self.faults_every_s)
                self._do_harm(dice)
            self._empty_the_halls()
            self._live(4.0, closing=True)
            self.processes.stop_all()
            self.copies.drop_lost_heads()
        finally:
            self.processes.kill_all()
            self.bus.close()
            self.receiver.close()

    def verify(self) -> str:
        """Return what is wrong with the log's chain; empty when nothing is."""
        command = [sys.executable, "logger_node.py", "verify", "--config", str(self.folder / "site.yaml")]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return "" if run.returncode == 0 else run.stdout + run.stderr

    def unposted(self) -> set[str]:
        """Return the visits of the log that the webhook never posted."""
        return self.copies.visits() - self.receiver.visits

    def clean_up(self) -> None:
        """Remove what does not go with the folder."""
        unmount(self.folder)
        if self.server is not None:
            self.server.remove()

    def _until_everybody_beats(self) -> None:
        until = time.monotonic() + 60.0
        while set(PROGRAM_OF) - set(self.beats) or self.beats["broker"].gauges.get("people", 0) < 1:
            self._live(0.2, closing=True)  # nobody is recognised before the gallery is there
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
                    self._note_recovery("broker", message.camera, message.name)
                elif isinstance(message, Beat) and message.age_s == 0:
                    self._take_beat(message)
            moved = [hall.move(closing=closing) for hall in self.halls.values()]
            empty = all(moved)
        return empty

    def _take_beat(self, beat: Beat) -> None:
        self.beats[beat.node] = beat
        if beat.node in {"log", "hook"}:
            self._note_recovery(beat.node)
        if beat.node == "log" and "cannot be" not in beat.detail:
            self._note_recovery("store")

    def _note_recovery(self, *names: str) -> None:
        """A process gives what it is for: results (of its own, but for the broker), else beats."""
        for name in names:
            fault = self._unrecovered.pop(name, None)
            if fault is not None:
                fault.recovered_s = time.monotonic() - fault.over_at

    def _note_fault(self, victim: str, kind: str) -> None:
        self._unrecovered[victim] = fault = Fault(kind=kind, victim=victim, over_at=time.monotonic())
        self.faults.append(fault)

    def _do_harm(self, dice: random.Random) -> None:
        if dice.random() < OTHER_HARM:
            disks, store = DISK_HARM if HAS_DISKS else (), STORE_HARM if self.server else ()
            victim, kind = dice.choice([*FILE_HARM, *disks, *store])
            if victim == "store":
                self._harm_store(kind, dice)
            else:
                self._harm_files(victim, kind, dice)
            return
        victim = dice.choice(list(PROGRAM_OF))
        what = dice.random()
        if what < CLOCK_SHARE:
            self._set_a_clock(victim, dice)
        elif what < KILL_SHARE:
            self._kill(victim, away_s=dice.uniform(0.1, 1.0))
        else:
            pause_s = dice.choice(PAUSES_S)
            self.processes.send(victim, signal.SIGSTOP)
            self._live(pause_s)
            self.processes.send(victim, signal.SIGCONT)
            self._note_fault(victim, f"SIGSTOP {pause_s:g} s")

    def _set_a_clock(self, victim: str, dice: random.Random) -> None:
        """Set a process's clock, but right first the broker's if it is behind, as nobody enters meanwhile."""
        clocks_s = self.processes.clocks_s
        if clocks_s.get("broker", 0.0) < 0:
            victim, set_by_s = "broker", 0.0
        else:
            set_by_s = dice.choice([one for one in CLOCKS_S if one != clocks_s.get(victim, 0.0)])
        self.processes.set_clock(victim, set_by_s)
        self._note_fault(victim, f"clock {set_by_s:+g} s")

    def _kill(self, victim: str, *, away_s: float) -> None:
        self.processes.kill(victim)
        self._forget_if(victim)
        self._live(away_s)
        self._forget_if(victim)
        self.processes.start(victim)
        self._note_fault(victim, "SIGKILL")

    def _forget_if(self, victim: str) -> None:
        """A new broker has seen nothing."""
        if victim == "broker":
            for hall in self.halls.values():
                hall.forget()

    def _harm_files(self, victim: str, kind: str, dice: random.Random) -> None:
        """Put an older copy back, remove the journal, or fill a disk; nothing while somebody is there."""
        if victim == "broker" and not self._empty_the_halls():
            return
        if kind == "put back":
            self.processes.kill(victim)
            kind = "put back" if self.copies.swap(victim) else "killed for a copy"
            self._live(DRAIN_S, closing=True)
            self.processes.start(victim)
        elif kind == "journal removed":
            (self.folder / "var" / "journal.db").unlink()
            self.copies.forget_logs()
        else:
            self._fill(self.folder / {"broker": "var", "log": "log"}[victim] / "ballast", dice)
        self._note_fault(victim, kind)
        self._forget_if(victim)
        if victim == "broker":
            self._until_it_is_well(victim)

    def _harm_store(self, kind: str, dice: random.Random) -> None:
        """Kill the store's server, let it stand still, or let one take over that lacks the last commits."""
        assert self.server is not None
        if kind == "SIGKILL":
            self.server.kill()
            self._live(dice.choice(PAUSES_S))
            self.server.start()
        elif kind == "SIGSTOP":
            self.server.send(signal.SIGSTOP)
            self._live(dice.choice(PAUSES_S))
            self.server.send(signal.SIGCONT)
        else:
            self.processes.send("log", signal.SIGSTOP)
            was_there = self.copies.fail_over()
            self._live(DRAIN_S)
            self.processes.send("log", signal.SIGCONT)
            kind = "fail-over" if was_there else "killed for a copy"
        self._note_fault("store", kind)

    def _fill(self, ballast: Path, dice: random.Random) -> None:
        """Leave no room on a disk for a while."""
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        self._live(dice.choice(PAUSES_S), closing=True)
        ballast.unlink()

    def _empty_the_halls(self) -> bool:
        """Tell whether the halls are empty: on a busy machine somebody may not be decided on in time."""
        until = time.monotonic() + SETTLE_S
        while not (empty := self._live(0.5, closing=True)) and time.monotonic() < until:
            pass
        return empty

    def _until_it_is_well(self, victim: str) -> None:
        """Wait until a process beats again, and until grants are recorded again."""
        self.beats.pop(victim, None)
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            self._live(1.5, closing=True)
            beat = self.beats.get(victim)
            if beat is not None and "journal cannot be" not in beat.detail:
                return
