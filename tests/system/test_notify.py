"""What systemd hears of a real node, on a real datagram socket."""

import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders import write_site
from tests.support.processes import Programs, stop
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.system

WATCHDOG_S = 0.8


class Manager:
    """Listens as systemd does."""

    def __init__(self, at: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(at))
        self.waiting: list[str] = []

    def wait_for(self, line: str) -> None:
        """Return when a line that begins so is said; what is said before it is forgotten."""
        self.socket.settimeout(PATIENCE_S)
        while True:
            while self.waiting:
                if self.waiting.pop(0).startswith(line):
                    return
            self.waiting = self.socket.recv(4096).decode().splitlines()

    def is_quiet_for(self, seconds: float) -> bool:
        """Forget what was said, and tell whether nothing more is for so long."""
        self.waiting.clear()
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            return not select.select([self.socket], [], [], seconds)[0]


@pytest.fixture
def manager(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """Give a service manager that processes started here report to."""
    manager = Manager(folder / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
    monkeypatch.setenv("WATCHDOG_USEC", str(round(WATCHDOG_S * 1e6)))
    yield manager
    manager.socket.close()


def test_a_node_is_ready_feeds_the_watchdog_and_says_that_it_stops(folder: Path, manager: Manager) -> None:
    """In this order."""
    with Programs() as programs:
        broker = programs.start("broker.py", "--config", str(write_site(folder)))
        manager.wait_for("READY=1")
        manager.wait_for("STATUS=live")
        manager.wait_for("WATCHDOG=1")
        manager.wait_for("WATCHDOG=1")
        broker.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert broker.wait(PATIENCE_S) == 0


HANGING = """
import sys
import threading
from turnstile.io.runner import node
from turnstile.io.runner.heart import Heart

class Hanging:
    def __init__(self, start):
        self.heart = Heart(node="front_door", instance="front_door-1", role="capture")
        self.turns = 0

    def step(self, timeout_s):
        self.turns += 1
        if self.turns == 3:
            print("hangs", flush=True)
            threading.Event().wait()

    def close(self):
        pass

sys.exit(node.run("capture", Hanging, doc=""))
"""


def test_a_loop_that_hangs_feeds_no_watchdog_and_says_where_when_it_is_ended(
    folder: Path, manager: Manager
) -> None:
    """SIGABRT is what systemd ends it with; standard error is what the journal keeps."""
    with Programs() as programs:
        node = programs.start("-c", HANGING, "--config", str(write_site(folder)))
        assert node.stdout is not None
        manager.wait_for("READY=1")
        assert node.stdout.readline() == "hangs\n"
        assert manager.is_quiet_for(2 * WATCHDOG_S)
        code, said = stop(node, by=signal.SIGABRT)
    assert code == -signal.SIGABRT
    assert "in step" in said
