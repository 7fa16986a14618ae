"""A site whose hosts are network namespaces, each started by `turnstile up` from its own bundle.

``gate`` has the broker, the logger, the keys and the faces; ``hall`` two cameras and a display; ``cellar``
the recognizers; ``attic`` is no host of the site: it gets a bundle while everything runs.
"""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import yaml

from tests.support.hosts.network import Network
from tests.support.waiting import PATIENCE_S
from turnstile.commands.cli import main as turnstile
from turnstile.commands.demo import samples
from turnstile.io.bus.keys import KeyFolder
from turnstile.io.bus.nodes import Bus
from turnstile.io.runner.processes import PROGRAMS
from turnstile.io.site.file import load
from turnstile.protocol.messages import Access, Beat, Frame, Result
from turnstile.protocol.roles import Identity

HOSTS = ("gate", "hall", "cellar")
NEWCOMER = "attic"
CAMERAS = ("front", "back")
SCREEN, METER, OPERATOR = "screen", "meter", "operator"
POOL, LAB = "pool", "lab"


class Shown(NamedTuple):
    """A frame or a result that came past the meter, which is on the broker's host."""

    at_s: float
    """Monotonic."""
    age_s: float
    """Since it was captured; all hosts share a clock here."""
    camera: str
    by: str
    """The recognizer's name; empty for a frame."""


@dataclass(kw_only=True)
class RemoteSite:
    """The hosts' folders and supervisors, and a meter that hears everything."""

    folder: Path
    network: Network
    source: str | Sequence[str]
    """What both cameras play, again and again."""
    display: str
    """The X server for the window."""
    pool: int = 2
    fps: float = 8.0
    sections: Mapping[str, object] = field(default_factory=dict)
    frames: list[Shown] = field(default_factory=list)
    results: list[Shown] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    beats: dict[str, Beat] = field(default_factory=dict)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Write the site file, make keys, and unpack each host's bundle on it."""
        home = self.folder / "gate"
        (home / "faces").mkdir(parents=True)
        (self.folder / "run").mkdir(mode=0o700)
        (home / "faces" / "barack_obama.jpg").write_bytes((samples.folder() / "obama.jpg").read_bytes())
        (home / "site.yaml").write_text(yaml.safe_dump(self._document(), sort_keys=False))
        self._keys("init")
        self.add_key(METER, "display")
        for host in ("hall", "cellar"):
            self.pack(host, "--host", host)
        site, keys = load(home / "site.yaml"), KeyFolder(home / "keys")
        topics = [f"{kind}.{camera}." for kind in ("frame", "result", "access") for camera in CAMERAS]
        with self.network.inside("gate"):
            self._ears = (
                Bus(site.broker, key=keys.node_key(Identity("display", METER)), topics=topics),
                Bus(site.broker, key=keys.node_key(Identity("observer", OPERATOR)), topics=["status."]),
            )
        return self

    def __exit__(self, *_: object) -> None:
        for ear in self._ears:
            ear.close()
        for process in self.running.values():
            process.send_signal(signal.SIGINT)
        for process in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()

    def pack(self, host: str, *what: str) -> None:
        """Make a bundle on the gate, and unpack it on another host."""
        bundle = self.folder / f"{host}.bundle"
        self._keys("bundle", *what, "--to", str(bundle))
        with contextlib.redirect_stdout(io.StringIO()):
            turnstile(["keys", "unpack", str(bundle), "--into", str(self.folder / host)])
        bundle.unlink()

    def add_key(self, name: str, role: str = "recognizer") -> None:
        """Make a key, while everything runs or before."""
        self._keys("add", name, "--role", role)

    def up(self, host: str, *options: str) -> None:
        """Start what a host runs."""
        command = [sys.executable, "-m", "turnstile", "up", str(self.folder / host / "site.yaml"), *options]
        environment = {"XDG_RUNTIME_DIR": str(self.folder / "run"), "DISPLAY": self.display}
        with (self.folder / f"{host}.log").open("ab") as output:
            self.running[host] = subprocess.Popen(
                self.network.on(host, *command),
                cwd=PROGRAMS,
                env=os.environ | environment,
                stdout=output,
                stderr=output,
            )

    def down(self, host: str) -> int:
        """Stop what a host runs, as Ctrl-C does, and return the exit code."""
        process = self.running.pop(host)
        process.send_signal(signal.SIGINT)
        return process.wait(PATIENCE_S)

    def said(self, host: str) -> str:
        """Return all that a host's nodes have said."""
        file = self.folder / f"{host}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def screen_state(self, camera: str) -> str:
        """Return what the display last said about a camera: ``live``, ``no recent result``."""
        lines = [line for line in self.said("hall").splitlines() if line.startswith(f"{SCREEN} ")]
        states = [line.partition(f" {camera}: ")[2] for line in lines if f" {camera}: " in line]
        return states[-1] if states else ""

    def listen(self, seconds: float) -> None:
        """Take in what is said for so long."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self._hear()

    def wait_for(self, condition: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> float:
        """Listen until a condition holds, and return after how many seconds it did.

        Raises:
            TimeoutError: it did not within `patience_s`; the text is what the hosts said.
        """
        began_s = time.monotonic()
        while not condition():
            self._hear()
            if time.monotonic() - began_s > patience_s:
                said = "\n".join(f"== {host}\n{self.said(host)[-6000:]}" for host in self.running)
                raise TimeoutError(f"not within {patience_s:.0f} s\n{said}")
        return time.monotonic() - began_s

    def answered_since(self, since_s: float, *, by: str = "", camera: str = "") -> bool:
        """Tell whether a frame captured after a moment was answered; by one with this key, if named."""
        return any(
            one.at_s - one.age_s > since_s and one.by.startswith(by) and one.camera.startswith(camera)
            for one in reversed(self.results)
            if one.at_s > since_s
        )

    def count(self, node: str, name: str) -> int:
        """Return a total of a node's newest beat."""
        return self.beats[node].counts.get(name, 0) if node in self.beats else 0

    def _hear(self) -> None:
        for ear in self._ears:
            for _, message in ear.receive(0.02):
                now_s, now_ns = time.monotonic(), time.time_ns()
                match message:
                    case Frame():
                        age_s = (now_ns - message.captured_ns) / 1e9
                        self.frames.append(Shown(now_s, age_s, message.camera, ""))
                    case Result():
                        age_s = (now_ns - message.captured_ns) / 1e9
                        self.results.append(Shown(now_s, age_s, message.camera, message.name))
                    case Access():
                        self.accesses.append(message)
                    case Beat(age_s=0.0):
                        self.beats[message.node] = message
                    case _:
                        pass

    def _keys(self, action: str, *arguments: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            code = turnstile(
                ["keys", action, *arguments, "--config", str(self.folder / "gate" / "site.yaml")]
            )
        if code != 0:
            raise RuntimeError(f"turnstile keys {action} {' '.join(arguments)} ended with {code}")

    def _document(self) -> dict[str, object]:
        return {
            "site": "far",
            "hosts": {host: {"address": self.network.address(host)} for host in HOSTS},
            "broker": {"host": "gate", "journal": "journal.db"},
            "keys": {"folder": "keys"},
            "gallery": {"faces": "faces", "cache": "cache"},
            "cameras": {
                name: {"source": self._source(), "max_fps": self.fps, "loop": True, "host": "hall"}
                for name in CAMERAS
            },
            "recognizers": {POOL: {"host": "cellar", "count": self.pool}},
            "loggers": {"log": {"file": "access_log.txt", "host": "gate"}},
            "displays": {SCREEN: {"size_px": [640, 240], "host": "hall"}},
            **self.sections,
        }

    def _source(self) -> object:
        """Return a list of its own each time, or YAML would write the second as an alias of the first."""
        return self.source if isinstance(self.source, str) else list(self.source)
