"""Real processes in tests: started with this Python, ended with the test."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.waiting import PATIENCE_S

Process = subprocess.Popen[str]

ROOT = Path(__file__).resolve().parents[2]
SET_CLOCK = ROOT / "tests" / "support" / "set_clock"


class Programs:
    """Starts programs of this repository, and kills those that still run at the end of a ``with``."""

    def __init__(self) -> None:
        self._running = ExitStack()

    def __enter__(self) -> "Programs":  # noqa: PYI034 - not meant to be inherited
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self, *arguments: str, clock: Path | None = None) -> Process:
        """Start Python with these arguments, in the root of the repository; see `set_clock` for the clock."""
        path = f"{SET_CLOCK}{os.pathsep}{ROOT}"
        environment = {} if clock is None else {"PYTHONPATH": path, "SET_CLOCK": str(clock)}
        process = Process(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.enter_context(_killed_at_the_end(process))
        return process


def stop(process: Process, *, by: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """End a process by a signal and return its exit code and what it said on standard error."""
    process.send_signal(by)
    _, said = process.communicate(timeout=PATIENCE_S)
    return process.returncode, said


@contextmanager
def _killed_at_the_end(process: Process) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
