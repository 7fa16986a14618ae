"""`turnstile status` against the real broker and a real logger."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.support.builders import write_site
from tests.support.processes import Process, Programs, stop
from tests.support.waiting import PATIENCE_S
from turnstile.health.roster import NodeStatus, Roster
from turnstile.io.bus.nodes import Bus
from turnstile.io.site.file import load
from turnstile.protocol.messages import Beat
from turnstile.site.settings import BrokerSettings

pytestmark = pytest.mark.system


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Give what starts processes."""
    with Programs() as programs:
        yield programs


@pytest.fixture
def config(folder: Path) -> Path:
    """Give the file of a site with one camera and one logger."""
    return write_site(folder, "loggers: {log: {file: access_log.txt}}")


def start_node(programs: Programs, program: str, config: Path) -> Process:
    """Start a node and return when the broker has its beat."""
    process = programs.start(program, "--config", str(config))
    with closing(Bus(load(config).broker, topics=["status."])) as bus:
        while not any(isinstance(beat, Beat) and beat.pid == process.pid for _, beat in bus.receive(1.0)):
            assert process.poll() is None
    return process


def status(programs: Programs, config: Path, *options: str) -> tuple[int, str, str]:
    """Return the exit code of the command, what it printed, and what it said on standard error."""
    process = programs.start("-m", "turnstile", "status", "--config", str(config), *options)
    printed, said = process.communicate(timeout=PATIENCE_S)
    return process.returncode, printed, said


def heard(programs: Programs, config: Path) -> dict[str, NodeStatus]:
    """Return the nodes in the command's JSON."""
    code, printed, _ = status(programs, config, "--json")
    assert code == 0
    return {node.node: node for node in msgspec.json.decode(printed, type=Roster).nodes}


def test_every_node_is_shown_and_a_missing_one_named(programs: Programs, config: Path) -> None:
    """One line a node, with its state; the camera of the site file was never started."""
    start_node(programs, "broker.py", config)
    start_node(programs, "logger_node.py", config)
    code, printed, said = status(programs, config)
    heading, broker, logger, notice, missing = printed.splitlines()
    assert (code, said) == (0, "")
    assert heading.split()[:4] == ["NODE", "ROLE", "HOST", "STATE"]
    assert broker.split()[:2] == ["broker", "broker"]
    assert logger.split()[:2] == ["log", "logger"]
    assert " live " in logger
    assert notice.startswith("broker: ")
    assert f"no rules: {config.parent.resolve()}/rules.yaml is not there" in notice
    assert missing == "not heard: cameras.front_door, which the site file names"


def test_a_node_that_died_is_marked_silent_until_it_is_back(programs: Programs, config: Path) -> None:
    """The broker remembers its last beat; the same node started again takes its place."""
    start_node(programs, "broker.py", config)
    logger = start_node(programs, "logger_node.py", config)
    assert not heard(programs, config)["log"].silent
    stop(logger, by=signal.SIGKILL)
    while not heard(programs, config)["log"].silent:
        pass
    assert "silent (was: live)" in status(programs, config)[1]
    again = start_node(programs, "logger_node.py", config)
    found = heard(programs, config)["log"]
    assert (found.silent, found.pid) == (False, again.pid)


def test_a_node_that_was_stopped_has_ended(programs: Programs, config: Path) -> None:
    """Its last beat says so; nobody needs to look for it."""
    start_node(programs, "broker.py", config)
    stop(start_node(programs, "logger_node.py", config))
    found = heard(programs, config)["log"]
    assert (found.silent, found.words) == (False, "ended")


def test_without_a_broker_one_sentence_says_so(programs: Programs, config: Path) -> None:
    """With the address that was tried; the exit code is 1."""
    code, printed, said = status(programs, config)
    address = load(config).broker.egress
    assert (code, printed) == (1, "")
    assert said.startswith(f"error: no broker answers at {address}: check that it is running")


def test_a_site_file_that_is_not_valid_gives_78(programs: Programs, config: Path) -> None:
    """The same as for every node."""
    config.write_text("site: test\n")
    code, _, said = status(programs, config)
    assert code == 78
    assert "cameras" in said


def test_a_hostile_state_cannot_steer_the_terminal(programs: Programs, config: Path) -> None:
    """What does not print, and what looks like markup, is shown as text."""
    start_node(programs, "broker.py", config)
    say_beat(load(config).broker, detail="\x1b[2J [red]live[/red]")
    assert "\N{REPLACEMENT CHARACTER}[2J [red]live[/red]" in status(programs, config)[1]


def say_beat(broker: BrokerSettings, *, detail: str) -> None:
    """Say a capture node's beat until the broker has published it."""
    beat = Beat(
        node="front_door",
        instance="front_door-1",
        role="capture",
        host="here",
        pid=1,
        version="0",
        uptime_s=1.0,
        detail=detail,
    )
    with closing(Bus(broker, topics=["status.front_door."])) as bus:
        while not any(isinstance(message, Beat) and message == beat for _, message in bus.receive(0.1)):
            bus.send("status.front_door.", beat)
