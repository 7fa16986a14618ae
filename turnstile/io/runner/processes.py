"""Node programs as child processes, their output kept in files."""

import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parents[3]
"""The folder of the five programs: the top of the repository."""

STOP_WITHIN_S = 3.0


@dataclass(kw_only=True)
class Processes:
    """The nodes of one site on this machine, by name, in the order started."""

    site_file: Path
    output: Path
    """Folder for one ``<node>.log`` each."""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, program: str, name: str, *arguments: str) -> None:
        """Start ``<program>.py`` as the node `name`."""
        self.start_command(name, str(PROGRAMS / f"{program}.py"), arguments=arguments)

    def start_command(self, name: str, *command: str, arguments: Iterable[str] = ()) -> None:
        """Start what Python runs by this command as the node `name`."""
        words = [sys.executable, "-W", "ignore", *command, "--config", str(self.site_file), "--name", name]
        with (self.output / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*words, *arguments],
                cwd=PROGRAMS,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a node."""
        self.running[name].send_signal(number)

    def exit_code(self, name: str) -> int | None:
        """Return a node's exit code, or none while it runs; negative is the signal that killed it."""
        return self.running[name].poll()

    def stop(self, name: str) -> int:
        """Ask a node to stop, kill it if it does not within 3 s, and return its exit code."""
        process = self.running.pop(name)
        process.terminate()
        try:
            return process.wait(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def kill_all(self) -> None:
        """End whatever still runs, stopped processes too."""
        for process in self.running.values():
            process.kill()
        for process in self.running.values():
            process.wait()
        self.running.clear()

    def last_words(self, name: str, lines: int = 5) -> str:
        """Return the end of a node's output."""
        return "\n".join((self.output / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
