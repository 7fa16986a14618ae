"""The site that the chaos is done to: its file, its small disks, its processes with clocks of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from tests.support.processes import ROOT
from turnstile.commands.demo import samples
from turnstile.io.runner.processes import Processes

CAMERAS = ("front_door", "back_door")
DISKS = ("var", "log")
DISK_BYTES = 24 * 2**20
HAS_DISKS = os.geteuid() == 0
"""Who may mount has small disks, which can be filled."""

PROGRAM_OF = {
    "broker": "broker",
    "hook": "",
    "log": "logger_node",
    "recognizer-1": "recognizer_node",
    "recognizer-2": "recognizer_node",
    **dict.fromkeys(CAMERAS, "capture_node"),
}
_SET_CLOCK = ROOT / "tests" / "support" / "set_clock"


class ClockedProcesses:
    """The site's processes, each with the time of day that it is told.

    Attributes:
        clocks_s: by how much whose clock was set.
    """

    def __init__(self, site_file: Path) -> None:
        """Start nothing yet."""
        self.clocks_s: dict[str, float] = {}
        self._folder = site_file.parent
        self._site_file = site_file
        self._nodes = Processes(site_file=site_file, output=self._folder)

    def start(self, name: str) -> None:
        """Start a process, with the clock that it was told last."""
        clock = self._folder / f"{name}.clock"
        clock.touch()
        paths = {"PYTHONPATH": f"{_SET_CLOCK}{os.pathsep}{ROOT}", "SET_CLOCK": str(clock)}
        before = {key: os.environ.get(key) for key in paths}
        os.environ.update(paths)
        try:
            self._start(name)
        finally:
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.update({key: value})

    def set_clock(self, name: str, set_by_s: float) -> None:
        """Set a process's time of day, which it has at once."""
        self.clocks_s[name] = set_by_s
        fresh = self._folder / f"{name}.clock.new"
        fresh.write_text(f"{set_by_s}")
        fresh.replace(self._folder / f"{name}.clock")

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self._nodes.send(name, number)

    def kill(self, name: str) -> None:
        """Kill a process."""
        self._nodes.send(name, signal.SIGKILL)
        self._nodes.running.pop(name).wait()

    def stop_all(self) -> None:
        """Stop everything in order."""
        for name in (*CAMERAS, "recognizer-1", "recognizer-2", "log", "hook", "broker"):
            self._nodes.stop(name)

    def kill_all(self) -> None:
        """Kill what still runs."""
        self._nodes.kill_all()

    def _start(self, name: str) -> None:
        if PROGRAM_OF[name]:
            self._nodes.start(PROGRAM_OF[name], name)
            return
        command = [sys.executable, "-m", "turnstile", "webhook", "--config", str(self._site_file)]
        with (self._folder / f"{name}.log").open("ab") as output:
            self._nodes.running[name] = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )


def write_site(folder: Path, *, post_to: str, store: str) -> Path:
    """Write all that the site consists of, and return its file."""
    faces = folder / "faces"
    faces.mkdir()
    (faces / "barack_obama.jpg").write_bytes((samples.folder() / "obama.jpg").read_bytes())
    for disk in DISKS:
        (folder / disk).mkdir()
        if HAS_DISKS:
            size = f"size={DISK_BYTES}"
            command = ["/bin/mount", "-t", "tmpfs", "-o", size, "chaos", str(folder / disk)]
            subprocess.run(command, check=True)
    secret = folder / "secret"
    secret.write_bytes(b"sixteen bytes or more")
    secret.chmod(0o600)
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(_document(folder, post_to=post_to, store=store)))
    return path


def unmount(folder: Path) -> None:
    """Let go of the small disks."""
    if HAS_DISKS:
        for disk in DISKS:
            subprocess.run(["/bin/umount", "-l", folder / disk], check=False)


def _document(folder: Path, *, post_to: str, store: str) -> dict[str, object]:
    return {
        "site": "chaos",
        "broker": {
            "ingress": f"ipc://{folder}/in",
            "egress": f"ipc://{folder}/out",
            "journal": "var/journal.db",
        },
        "gallery": {"faces": "faces", "cache": "cache"},
        "decision": {"rules": "rules.yaml", "lockout": {"max_denials": 0}},
        "cameras": {name: {"source": [f"{name}.jpg"], "max_fps": 15, "loop": True} for name in CAMERAS},
        "loggers": {
            "log": {
                "file": "log/access_log.txt",
                "store": store,
                "witness": "log/heads.txt",
                "keep_entries_days": 30,
            }
        },
        "webhooks": {"hook": {"url": post_to, "secret_file": "secret", "state_file": "hook-state"}},
    }
