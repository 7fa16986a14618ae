"""The processes of a measurement, in a temporary folder; whatever happens, none and nothing is left.

Programs of the repository are started as people start them. Everything else is a function in a fresh
interpreter (`multiprocessing`, spawned), which is told to stop by an event and answers once, at its end.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Concatenate, ParamSpec, Self

import msgspec
import yaml

from tests.support.addresses import free_addresses
from tests.support.processes import ROOT
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.messages import Beat
from turnstile.site.settings import BrokerSettings, CameraSettings, GallerySettings, Site
from turnstile.site.web import UnknownsSettings

STOP_S = 3.0
START_S = 30.0

P = ParamSpec("P")
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What a spawned is given: when to stop, and where to answer."""

    stop: Event
    answers: "Connection[Any, Any]"


@dataclass(frozen=True, kw_only=True)
class SpawnedFunction:
    """A function that runs in a process of its own."""

    name: str
    process: BaseProcess
    stop: Event
    answers: "Connection[Any, Any]"

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self.process.pid or 0

    def answer(self, timeout_s: float = START_S) -> Any:
        """Return the next thing the spawned sent.

        Raises:
            RuntimeError: it ended or stayed silent instead.
        """
        try:
            if self.answers.poll(timeout_s):
                return self.answers.recv()
        except EOFError as error:
            raise RuntimeError(f"{self.name} ended without an answer") from error
        raise RuntimeError(f"{self.name} did not answer within {timeout_s:g} s")


class ProcessGroup:
    """A temporary folder and the processes that belong to one measurement."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="turnstile-bench-"))
        self._programs: list[subprocess.Popen[bytes]] = []
        self._functions: list[SpawnedFunction] = []

    def __enter__(self) -> Self:
        """Let SIGTERM, too, end the measurement in order."""
        signal.signal(signal.SIGTERM, _leave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every process, by force if it must be, and remove the folder."""
        for spawned in self._functions:
            spawned.stop.set()
        for program in reversed(self._programs):
            program.terminate()
        deadline = time.monotonic() + STOP_S
        for spawned in self._functions:
            spawned.process.terminate()
            spawned.process.join(max(0.0, deadline - time.monotonic()))
            if spawned.process.is_alive():
                spawned.process.kill()
                spawned.process.join()
            spawned.answers.close()
        for program in self._programs:
            try:
                program.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_site(self, site: Site) -> Path:
        """Write a site file into the folder."""
        path = self.folder / "site.yaml"
        path.write_text(yaml.safe_dump(msgspec.to_builtins(site)), "utf-8")
        return path

    def program(self, name: str, site_path: Path, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start one of the five programs; what it logs is kept in the folder."""
        command = [sys.executable, str(ROOT / name), "--config", str(site_path), "--log-level", "warning"]
        with (self.folder / f"{name}.log").open("ab") as log:
            started = subprocess.Popen([*command, *arguments], cwd=ROOT, stderr=log, stdout=log)
        self._programs.append(started)
        return started

    def broker(self, site: Site, site_path: Path) -> int:
        """Start the broker, wait until it is heard, and return its process id."""
        program = self.program("broker.py", site_path)
        self.await_broker(site, lambda: program.poll() is None)
        return program.pid

    def await_broker(self, site: Site, is_alive: Callable[[], bool]) -> None:
        """Wait until a broker says that it has read the faces folder.

        Raises:
            RuntimeError: it ended, or is not heard within `START_S`; the text holds what it logged.
        """
        deadline = time.monotonic() + START_S
        with contextlib.closing(Bus(site.broker)) as bus:
            while is_alive() and time.monotonic() < deadline:
                if any(isinstance(message, Beat) for _, message in bus.receive(0.1)):
                    return
        raise RuntimeError(f"the broker did not start: {self.logged()}")

    def spawn(
        self, name: str, function: Callable[Concatenate[Channel, P], None], *args: P.args, **kwargs: P.kwargs
    ) -> SpawnedFunction:
        """Start `function` in a process of its own, with a `Channel` as its first argument."""
        stop = _spawn.Event()
        ours, theirs = _spawn.Pipe()
        channel = Channel(stop=stop, answers=theirs)
        process = _spawn.Process(
            target=_perform, args=(channel, function, args, kwargs), name=name, daemon=True
        )
        process.start()
        theirs.close()
        spawned = SpawnedFunction(name=name, process=process, stop=stop, answers=ours)
        self._functions.append(spawned)
        return spawned

    def end(self, functions: Sequence[SpawnedFunction]) -> list[Any]:
        """Tell functions to stop and return what each of them answers."""
        for spawned in functions:
            spawned.stop.set()
        return [spawned.answer() for spawned in functions]

    def logged(self) -> str:
        """Return the end of what the programs logged."""
        return " ".join(path.read_text("utf-8", "replace")[-500:] for path in self.folder.glob("*.log"))


def a_site(folder: Path, cameras: dict[str, CameraSettings], **sections: Any) -> Site:
    """Return a site on free loopback addresses, its files in `folder`."""
    ingress, egress = free_addresses(2)
    (folder / "faces").mkdir(exist_ok=True)
    return Site(
        site="benchmark",
        cameras=cameras,
        broker=BrokerSettings(ingress=ingress, egress=egress, journal=str(folder / "journal.db")),
        gallery=GallerySettings(faces=str(folder / "faces"), cache=str(folder / "encodings")),
        unknowns=UnknownsSettings(file=str(folder / "unknowns.db")),
        **sections,
    )


def thread_cpu_s(pid: int) -> dict[int, float]:
    """Return the processor seconds of each thread of a process; empty where the system does not say."""
    used: dict[int, float] = {}
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text("utf-8").rpartition(")")[2].split()
            used[int(path.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def machine_cpu_s() -> float:
    """Return the processor seconds that all programs have used; NaN where the system does not say."""
    try:
        fields = [int(one) for one in Path("/proc/stat").read_text("utf-8").split("\n", 1)[0].split()[1:9]]
    except OSError:
        return float("nan")
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _perform(
    channel: Channel, function: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Run a spawned; an interrupt from the keyboard is for the parent, which stops the spawned."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    function(channel, *args, **kwargs)
