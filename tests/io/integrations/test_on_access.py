"""A door's command runs once for each event, with the event on its input, in time or not at all."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.builders import a_beat, a_site, an_access, write_site
from tests.support.waiting import wait_until
from turnstile.commands.cli import command_line, main
from turnstile.io.bus.broker import BrokerSockets
from turnstile.io.bus.nodes import Bus
from turnstile.io.integrations.on_access import RUNS_FOR, OnAccess, is_expired
from turnstile.io.runner.heart import Heart
from turnstile.protocol.messages import Access, encode
from turnstile.protocol.topics import topic
from turnstile.site.settings import Site

BEGAN_S = 1000.0
"""Uptime of the broker that a test plays, when this machine's monotonic clock began."""


class Place:
    """A broker's two ports, and a door beside them whose command is a line of Python."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.folder = folder
        self.broker = BrokerSockets(site.broker)
        self.door = OnAccess(
            camera="front_door",
            verdicts=RUNS_FOR["all"],
            command=(),
            timeout_s=10.0,
            bus=Bus(site.broker, topics=[topic("access", "front_door")]),
            heart=Heart(node="door", instance="door-1", role="observer"),
        )

    def run(self, code: str, *, timeout_s: float = 10.0) -> None:
        """Make this the door's command, and wait until the door listens."""
        self.door.command = (sys.executable, "-c", code, str(self.folder))
        self.door.timeout_s = timeout_s
        self._until(lambda: self.broker.subscription() == ("access.front_door.", True))
        self.beat()

    def beat(self, *, late_s: float = 0.0) -> None:
        """Publish a beat that was made so long ago."""
        beat = a_beat(node="broker", instance="broker-1", uptime_s=BEGAN_S + time.monotonic() - late_s)
        self.broker.publish("status.broker.", encode(msgspec.structs.replace(beat, role="broker")))

    def tell(self, event: Access, *, beating: bool = True) -> None:
        """Publish an event, as a rule just after a beat."""
        if beating:
            self.beat()
        self.broker.publish(topic("access", event.camera), encode(event))

    def until(self, name: str, count: int) -> None:
        """Let the door work until it has counted so many."""
        self._until(lambda: self.door.heart.counts[name] >= count and self.door.running is None)

    def _until(self, done: Callable[[], bool]) -> None:
        wait_until(done, lambda: dict(self.door.heart.counts), between=lambda: self.door.step(0.01))


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    """Give a door and the broker's end of its bus."""
    made = Place(a_site(folder), folder)
    yield made
    made.door.close()
    made.broker.close()


def a_grant(seq: int = 1, *, valid_s: float = 30.0) -> Access:
    """Return a grant that is good from now on."""
    now_ns = time.time_ns()
    return msgspec.structs.replace(
        an_access(seq, decided_ns=now_ns), valid_s=valid_s, expires_ns=now_ns + round(valid_s * 1e9)
    )


KEEP_INPUT = "import sys, pathlib; open(sys.argv[1] + '/got', 'a').write(sys.stdin.read())"


def test_the_command_gets_each_event_as_json(place: Place) -> None:
    """Grants and denials, one line each, in order."""
    place.run(KEEP_INPUT)
    place.tell(a_grant(1))
    place.tell(an_access(2, verdict="denied", person=None))
    place.until("commands", 2)
    got = [json.loads(line) for line in (place.folder / "got").read_text().splitlines()]
    assert [(event["verdict"], event["person"], event["seq"]) for event in got] == [
        ("granted", "Barack Obama", 1),
        ("denied", None, 2),
    ]


@pytest.mark.parametrize(("option", "runs_for"), [("granted", 1), ("denied", 2)])
def test_the_command_runs_for_the_wanted_verdict_only(place: Place, option: str, runs_for: int) -> None:
    """A command that opens a door need not read who is denied."""
    place.run(KEEP_INPUT)
    place.door.verdicts = RUNS_FOR[option]
    place.tell(a_grant(1))
    place.tell(an_access(2, verdict="denied", person=None))
    place.until("events_in", 2)
    got = [json.loads(line)["seq"] for line in (place.folder / "got").read_text().splitlines()]
    assert got == [runs_for]
    assert place.door.heart.counts["granted_ignored"] + place.door.heart.counts["denied_ignored"] == 1


@pytest.mark.parametrize(
    ("options", "runs_for"), [([], "granted"), (["--granted"], "granted"), (["--all"], "all")]
)
def test_grants_alone_run_the_command_unless_more_is_asked_for(options: list[str], runs_for: str) -> None:
    """The safe thing is the default."""
    words = ["on-access", "--config", "site.yaml", "--camera", "door", *options, "--", "true"]
    assert command_line(words).parse_args(words).runs_for == runs_for


def test_an_expired_grant_opens_nothing(place: Place) -> None:
    """The command is not run for it, and is for the next."""
    place.run(KEEP_INPUT)
    place.tell(a_grant(1, valid_s=1e-6))
    place.tell(a_grant(2))
    place.until("commands", 1)
    assert place.door.heart.counts["expired_grants"] == 1
    assert json.loads((place.folder / "got").read_text())["seq"] == 2


def test_a_command_that_hangs_is_killed_and_the_next_event_is_served(place: Place) -> None:
    """Also one that does not read its input."""
    place.run("import time; time.sleep(600)", timeout_s=0.2)
    place.tell(an_access(1, verdict="denied"))
    place.tell(an_access(2, verdict="denied"))
    place.until("failed_commands", 2)
    assert place.door.heart.counts["commands"] == 2


def test_a_command_that_does_not_exist_is_counted(place: Place) -> None:
    """The door lives on."""
    place.run("")
    place.door.command = ("/nowhere/to/be/found",)
    place.tell(a_grant())
    place.until("failed_commands", 1)


def test_a_grant_expires_by_its_age() -> None:
    """A denial never does."""
    grant = a_grant(valid_s=5.0)
    assert not is_expired(grant, age_s=4.9)
    assert is_expired(grant, age_s=5.1)
    assert not is_expired(an_access(verdict="denied"), age_s=1e6)


@pytest.mark.parametrize("years", [-10, 10])
def test_the_dates_of_broker_and_door_need_not_agree(place: Place, years: int) -> None:
    """A grant counts from when it came."""
    place.run(KEEP_INPUT)
    by_ns = years * 365 * 86_400 * 10**9
    grant = a_grant()
    elsewhere = {"decided_ns": grant.decided_ns + by_ns, "expires_ns": grant.expires_ns + by_ns}
    place.tell(msgspec.structs.replace(grant, **elsewhere))
    place.until("commands", 1)


def test_a_grant_that_comes_with_an_old_beat_opens_nothing(place: Place) -> None:
    """Both lay on the way while the network stood still."""
    place.run(KEEP_INPUT)
    place.beat(late_s=60)
    place.tell(a_grant(1), beating=False)
    place.until("expired_grants", 1)
    place.tell(a_grant(2))
    place.until("commands", 1)
    assert json.loads((place.folder / "got").read_text())["seq"] == 2


@pytest.mark.parametrize("kind", ["missing", "not executable"])
def test_a_program_that_cannot_run_is_told_at_the_start(
    folder: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not when somebody stands at the door."""
    program = folder / "open-door.sh"
    if kind != "missing":
        program.touch(mode=0o600)
    config = str(write_site(folder))
    assert main(["on-access", "--config", config, "--camera", "front_door", "--", str(program)]) == 78
    assert f"{program} is not there, or this user may not execute it" in capfd.readouterr().err
