"""What a service manager hears of a work loop, on a real datagram socket."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from turnstile.io.runner.watchdog import Pulse

WATCHDOG_US = "1000000"

Make = Callable[[dict[str, str]], Pulse]


@pytest.fixture
def manager(folder: Path) -> Iterator[socket.socket]:
    """Give the socket that systemd would listen on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"{folder}/notify")
        listener.setblocking(False)
        yield listener


def environ(manager: socket.socket, **more: str) -> dict[str, str]:
    """Return what systemd puts into the environment of a service."""
    return {"NOTIFY_SOCKET": manager.getsockname(), **more}


@pytest.fixture
def start() -> Iterator[Make]:
    """Give what makes pulses, and closes them."""
    with ExitStack() as made:
        yield lambda around: made.enter_context(closing(Pulse(around)))


def heard(manager: socket.socket) -> list[list[str]]:
    """Return the lines of each datagram that waits."""
    datagrams = []
    while True:
        try:
            datagrams.append(manager.recv(4096).decode().splitlines())
        except BlockingIOError:
            return datagrams


def test_a_node_says_that_it_is_ready_and_in_which_state(manager: socket.socket, start: Make) -> None:
    """The first words; without a watchdog it is not fed."""
    start(environ(manager)).ready("broker lost")
    assert heard(manager) == [["READY=1", "STATUS=broker lost"]]


def test_a_loop_that_turns_feeds_the_watchdog_but_not_at_each_turn(
    manager: socket.socket, start: Make
) -> None:
    """Four times in its period, however often the loop turns."""
    pulse = start(environ(manager, WATCHDOG_USEC=WATCHDOG_US, WATCHDOG_PID=str(os.getpid())))
    pulse.ready("live")
    for _ in range(1000):
        pulse.turned("live")
    assert heard(manager) == [["READY=1", "STATUS=live"], ["WATCHDOG=1"]]


def test_a_new_state_is_said_with_the_next_feed(manager: socket.socket, start: Make) -> None:
    """In one line that steers no terminal, and not again while it lasts."""
    pulse = start(environ(manager, WATCHDOG_USEC="4"))
    pulse.ready("live")
    heard(manager)
    pulse.turned("lost:\nno\x1b[31m picture")
    pulse.turned("lost:\nno\x1b[31m picture")
    lost = "STATUS=lost:\N{REPLACEMENT CHARACTER}no\N{REPLACEMENT CHARACTER}[31m picture"
    assert heard(manager) == [["WATCHDOG=1", lost], ["WATCHDOG=1"]]


def test_a_watchdog_of_another_process_is_not_fed(manager: socket.socket, start: Make) -> None:
    """As sd_watchdog_enabled(3) has it."""
    pulse = start(environ(manager, WATCHDOG_USEC="4", WATCHDOG_PID="1"))
    pulse.turned("")
    pulse.stopping()
    assert heard(manager) == [["STOPPING=1"]]


def test_child_processes_do_not_inherit_whom_to_tell(manager: socket.socket, start: Make) -> None:
    """A command that a node runs could not speak for it."""
    around = environ(manager, WATCHDOG_USEC="4", WATCHDOG_PID=str(os.getpid()), TURNSTILE_PULSE_FILE="x")
    start(around).close()
    assert around == {}


def test_a_manager_that_is_away_or_full_holds_up_nobody(
    manager: socket.socket, folder: Path, start: Make
) -> None:
    """Nothing waits and nothing is raised."""
    pulse = start(environ(manager, WATCHDOG_USEC="4"))
    for _ in range(10_000):
        pulse.turned("")
    assert len(heard(manager)) < 10_000
    manager.close()
    (folder / "notify").unlink()
    pulse.turned("live")
    pulse.close()
    pulse.turned("lost")


def test_an_abstract_address_is_one(start: Make) -> None:
    """Older managers use them: ``@`` stands for a zero byte."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0turnstile-pulse-" + os.urandom(8).hex())
        name = listener.getsockname().decode().replace("\0", "@")
        start({"NOTIFY_SOCKET": name}).ready("live")
        assert listener.recv(4096) == b"READY=1\nSTATUS=live"


def test_a_file_is_touched_where_there_is_no_manager(folder: Path, start: Make) -> None:
    """A container's health check looks at its time; one that cannot be written stops nothing."""
    file = folder / "pulse"
    pulse = start({"TURNSTILE_PULSE_FILE": str(file)})
    pulse.ready("live")
    assert file.exists()
    assert 0 <= pulse.age_s < 60
    start({"TURNSTILE_PULSE_FILE": f"{folder}/nowhere/pulse"}).ready("live")
