"""A broker whose authenticator is killed lets nobody in, and does not go on without."""

import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.builders import a_frame
from tests.support.processes import Process, Programs
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.io.bus.keys import KeyFolder
from turnstile.io.bus.nodes import Bus
from turnstile.io.site.file import load
from turnstile.protocol.messages import Frame
from turnstile.protocol.roles import Identity
from turnstile.site.settings import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

CAMERA, LATE, PORTER = (
    Identity("capture", "door"),
    Identity("capture", "gate"),
    Identity("display", "porter"),
)


@dataclass(kw_only=True)
class Place:
    """A running broker, and its keys."""

    site: Site
    keys: KeyFolder
    broker: Process

    def bus(self, who: Identity, *topics: str) -> Bus:
        """Return somebody's side of the bus."""
        return Bus(self.site.broker, key=self.keys.node_key(who), topics=topics)


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    """Start a broker on ipc, with keys."""
    keys = KeyFolder(folder / "keys")
    keys.create()
    for who in (CAMERA, LATE, PORTER):
        keys.add(who)
    file = folder / "site.yaml"
    document = {
        "site": "test",
        "broker": {"ingress": f"ipc://{folder}/in", "egress": f"ipc://{folder}/out", "journal": "journal.db"},
        "gallery": {"faces": "faces", "cache": "cache"},
        "keys": {"folder": "keys"},
        "cameras": {"door": {"source": 0}, "gate": {"source": 1}},
    }
    file.write_text(yaml.safe_dump(document))
    with Programs() as programs:
        broker = programs.start("-m", "tests.support.broker_losing_its_authenticator", "--config", str(file))
        yield Place(site=load(file), keys=keys, broker=broker)


def test_nobody_new_gets_in_while_the_authenticator_does_not_answer(place: Place) -> None:
    """Those who are in stay in; the ports do not fall open."""
    with closing(place.bus(CAMERA)) as camera, closing(place.bus(PORTER, "frame.")) as porter:
        heard = _heard_by(porter)
        frame = a_frame(camera="door")
        wait_until(lambda: camera.send("frame.door.", frame) and heard() == {"door"}, "the camera's frame")
        place.broker.send_signal(signal.SIGUSR1)
        with closing(place.bus(LATE)) as late:
            while late.reconnects < 2:
                assert not late.send("frame.gate.", a_frame(camera="gate"))
                assert late.receive(0.05) == []
                camera.send("frame.door.", a_frame(camera="door", seq=2))
                assert heard() <= {"door"}
        assert place.broker.poll() is None
        frame = a_frame(camera="door", seq=3)
        wait_until(lambda: camera.send("frame.door.", frame) and heard() == {"door"}, "the camera's frame")


def test_the_broker_stops_when_its_authenticator_is_gone(place: Place) -> None:
    """Its supervisor starts it again, whole."""
    with closing(place.bus(CAMERA)) as camera:
        wait_until(lambda: camera.send("frame.door.", a_frame(camera="door")), "the broker")
        place.broker.send_signal(signal.SIGUSR2)
        _, said = place.broker.communicate(timeout=PATIENCE_S)
        assert place.broker.returncode == 1
        assert "the authenticator is gone" in said
        assert "Traceback" not in said


def _heard_by(display: Bus) -> Callable[[], set[str]]:
    """Return what tells the cameras whose frames a display has heard since it was last asked."""
    return lambda: {message.camera for _, message in display.receive(0.05) if isinstance(message, Frame)}
