"""The capture node as a process: frames out, the newest first, and an end at once in every state."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
import zmq

from tests.support.builders import a_beat
from tests.support.feeds import a_clip
from tests.support.mjpeg_server import MjpegServer
from tests.support.processes import Process, Programs, stop
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.io.bus.broker import BrokerSockets
from turnstile.io.bus.nodes import Bus
from turnstile.protocol.jpeg import check_jpeg
from turnstile.protocol.messages import Beat, Frame, decode, encode
from turnstile.protocol.state import in_words
from turnstile.site.settings import BrokerSettings

pytestmark = pytest.mark.system

END_S = 10.0
"""A node ends within a second; a busy machine of tests gets ten."""


class FakeBroker:
    """A broker of the test's own: it beats, and keeps what the camera says."""

    def __init__(self, addresses: BrokerSettings) -> None:
        self.frames: list[Frame] = []
        self.beats: list[Beat] = []
        self._sockets = BrokerSockets(addresses)

    def __enter__(self) -> "FakeBroker":  # noqa: PYI034 - not meant to be inherited
        return self

    def __exit__(self, *_: object) -> None:
        self._sockets.close()

    def hear_until(self, condition: Callable[[], bool]) -> None:
        """Take in messages until a condition holds."""
        wait_until(condition, lambda: f"{len(self.frames)} frames, {self.beats[-1:]}", between=self._turn)

    def _turn(self) -> None:
        self._sockets.publish("status.broker.", encode(a_beat(node="broker")))
        self._sockets.wait(0.1)
        while (said := self._sockets.receive()) is not None:
            self._keep(said.topic, said.body)

    def hear_state(self, words: str) -> None:
        """Take in messages until the camera's newest beat says so."""
        self.hear_until(lambda: words in self.state)

    def hear_silence(self) -> None:
        """Take in messages until the camera beats twice and gives no frame in between."""
        self.hear_until(
            lambda: len(self.beats) > 1 and len({beat.counts["frames_in"] for beat in self.beats[-2:]}) == 1
        )

    @property
    def state(self) -> str:
        """Return what the newest beat says."""
        return in_words(self.beats[-1].state, self.beats[-1].detail) if self.beats else ""

    def _keep(self, topic: str, body: bytes) -> None:
        message = decode(body)
        if isinstance(message, Frame):
            assert topic == f"frame.{message.camera}."
            self.frames.append(message)
        elif isinstance(message, Beat):
            assert topic == f"status.{message.node}."
            self.beats.append(message)


class Door:
    """A site of one camera in a folder of its own."""

    def __init__(self, folder: Path, programs: Programs) -> None:
        self.folder = folder
        self.addresses = BrokerSettings(ingress=f"ipc://{folder}/in", egress=f"ipc://{folder}/out")
        self._programs = programs

    def start(self, program: str) -> Process:
        """Start another program of the site."""
        return self._programs.start(program, "--config", str(self.folder / "site.yaml"))

    def capture(self, **camera: Any) -> Process:
        """Start a capture node for a camera with these settings."""
        file = self.folder / "site.yaml"
        broker = {"ingress": self.addresses.ingress, "egress": self.addresses.egress}
        file.write_text(yaml.safe_dump({"site": "test", "broker": broker, "cameras": {"front_door": camera}}))
        return self.start("capture_node.py")


@pytest.fixture
def door(folder: Path) -> Iterator[Door]:
    """Give a site, and end what was started there."""
    with Programs() as programs:
        yield Door(folder, programs)


@pytest.fixture
def broker(door: Door) -> Iterator[FakeBroker]:
    """Give a broker at the site's addresses."""
    with FakeBroker(door.addresses) as broker:
        yield broker


@pytest.fixture
def camera() -> Iterator[MjpegServer]:
    """Give a network camera of frames that weigh about 100 kB."""
    with MjpegServer(width_px=400, height_px=300, fps=50) as camera:
        yield camera


def end(process: Process, by: signal.Signals) -> tuple[int, str]:
    """End a node by a signal; it must be gone soon."""
    asked_s = time.monotonic()
    code, said = stop(process, by=by)
    assert time.monotonic() - asked_s < END_S
    return code, said


def test_a_clip_becomes_frames_and_the_node_ends_with_it(door: Door, broker: FakeBroker) -> None:
    """Each is numbered higher and later than the one before; a last beat says that the clip has ended."""
    clip = a_clip(door.folder / "clip.avi", fps=10, grey_levels=range(50, 250, 10))
    node = door.capture(source=clip)
    broker.hear_state("ended")
    _, said = node.communicate(timeout=PATIENCE_S)
    assert node.returncode == 0, said
    counts = broker.beats[-1].counts
    assert counts["frames_in"] == 20
    assert counts["frames_out"] == len(broker.frames)
    seqs = [frame.seq for frame in broker.frames]
    assert seqs == sorted(set(seqs))
    times = [frame.captured_ns for frame in broker.frames]
    assert times == sorted(times)
    for frame in broker.frames:
        size = check_jpeg(frame.jpeg, max_bytes=100_000, max_px=160 * 120)
        assert size == (frame.width_px, frame.height_px) == (160, 120)


def test_numbers_go_on_when_a_clip_starts_again(door: Door, broker: FakeBroker) -> None:
    """Whoever compares frames of a camera never sees them go back."""
    clip = a_clip(door.folder / "clip.avi", fps=30, grey_levels=range(50, 100, 10))
    node = door.capture(source=clip, loop=True, max_fps=30)
    broker.hear_until(lambda: len(broker.frames) >= 20)
    assert [frame.seq for frame in broker.frames] == sorted({frame.seq for frame in broker.frames})
    assert end(node, signal.SIGTERM)[0] == 0


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_the_node_ends_at_once_while_a_read_hangs(
    door: Door, broker: FakeBroker, camera: MjpegServer, by: signal.Signals
) -> None:
    """The read never returns; the node exits 0 and leaves nobody behind who holds the camera."""
    node = door.capture(source=camera.address, read_timeout_s=60)
    broker.hear_state("live")
    camera.hanging = True
    broker.hear_silence()
    code, said = end(node, by)
    assert code == 0
    assert "Traceback" not in said
    camera.wait_until_alone()


def test_the_node_ends_at_once_while_opening_hangs(door: Door, broker: FakeBroker) -> None:
    """A named pipe that nobody writes to is opened for ever."""
    os.mkfifo(door.folder / "pipe")
    node = door.capture(source=str(door.folder / "pipe"))
    broker.hear_state("starting")
    assert end(node, signal.SIGTERM)[0] == 0


def test_the_node_ends_at_once_without_camera_and_broker(door: Door) -> None:
    """It lives on without either, says once what is missing, and stops when asked."""
    node = door.capture(source=97)
    assert node.stderr is not None
    said = iter(node.stderr.readline, "")
    line = next(line for line in said if "cannot open webcam 97: " in line)
    assert "it is tried again every 0.5 to 30 s" in line
    assert node.poll() is None
    assert end(node, signal.SIGTERM)[0] == 0


def test_the_reader_does_not_outlive_a_killed_node(
    door: Door, broker: FakeBroker, camera: MjpegServer
) -> None:
    """SIGKILL gives the node no chance to clean up, and still the camera is let go while a read hangs."""
    node = door.capture(source=camera.address, read_timeout_s=60)
    broker.hear_state("live")
    camera.hanging = True
    broker.hear_silence()
    node.kill()
    camera.wait_until_alone()


def test_a_lost_camera_is_said_in_beats_and_comes_back(
    door: Door, broker: FakeBroker, camera: MjpegServer
) -> None:
    """Displays show it in words; frames go on with the next number."""
    node = door.capture(source=camera.address, read_timeout_s=1.5)
    broker.hear_state("live")
    camera.hanging = True
    broker.hear_state("lost: read timed out after 1.5 s")
    before = broker.frames[-1]
    camera.hanging = False
    broker.hear_state("live")
    broker.hear_until(lambda: broker.frames[-1].seq > before.seq)
    _, said = end(node, signal.SIGTERM)
    assert (said.count("camera lost"), said.count("camera back")) == (1, 1)


def test_frames_for_a_broker_that_is_away_are_dropped_and_counted(door: Door, camera: MjpegServer) -> None:
    """When it comes, it gets what the camera sees now, and learns how much was lost."""
    door.capture(source=camera.address, max_fps=60)
    camera.wait_for_pictures(100)
    came_ns = time.time_ns()
    with FakeBroker(door.addresses) as broker:
        broker.hear_until(lambda: bool(broker.frames and broker.beats))
    assert broker.frames[0].captured_ns > came_ns - 1e9
    assert broker.beats[0].counts["dropped_no_broker"] >= 50


def test_two_capture_nodes_of_one_name_are_both_told_and_one_is_refused(
    door: Door, camera: MjpegServer
) -> None:
    """As with a site file that was copied to a second machine: people there would never be logged."""
    first = door.capture(source=camera.address)
    assert door.start("broker.py").poll() is None
    with closing(Bus(door.addresses, topics=["status.front_door."])) as bus:
        said: dict[str, str] = {}

        def listen() -> None:
            for _, beat in bus.receive(0.1):
                if isinstance(beat, Beat) and beat.role == "capture":
                    said[beat.instance] = beat.detail

        wait_until(lambda: said, "the first node's beat", between=listen)
        second = door.capture(source=camera.address)
        wait_until(lambda: sum("too" in words for words in said.values()) == 2, said.items, between=listen)
    (served, refused) = said.values()
    assert served.startswith("another capture node is called front_door too (front_door-")
    assert served.endswith("and its frames are refused")
    assert "came first: the broker refuses the frames of this one" in refused
    assert first.poll() is None
    assert second.poll() is None


def test_a_slow_broker_makes_frames_old_by_a_few_and_memory_grow_by_nothing(
    door: Door, camera: MjpegServer
) -> None:
    """It beats and takes nothing; the node keeps two frames of 100 kB and drops hundreds."""
    with zmq.Context() as context, context.socket(zmq.PULL) as pull, context.socket(zmq.XPUB) as beats:
        pull.setsockopt(zmq.RCVHWM, 1)
        pull.setsockopt(zmq.RCVTIMEO, round(PATIENCE_S * 1000))
        beats.bind(door.addresses.egress)
        pull.bind(door.addresses.ingress)
        node = door.capture(source=camera.address, max_fps=60)
        assert isinstance(decode(pull.recv_multipart()[1]), Frame | Beat)
        before_kb = 0
        for _ in range(40):
            beats.send_multipart([b"status.broker.", encode(a_beat(node="broker"))])
            camera.wait_for_pictures(10)
            before_kb = before_kb or memory_kb(node)
        grown_kb = memory_kb(node) - before_kb
        asked_ns = time.time_ns()
        said = [decode(pull.recv_multipart()[1]) for _ in range(60)]
    old = [one for one in said if isinstance(one, Frame) and one.captured_ns < asked_ns]
    assert len(old) <= 8
    assert grown_kb < 10_000
    assert max(one.counts.get("dropped_queue_full", 0) for one in said if isinstance(one, Beat)) >= 200


def test_a_file_that_is_not_there_is_a_configuration_error(door: Door) -> None:
    """The node names the key in the site file and exits 78."""
    node = door.capture(source="nowhere.mp4")
    _, said = node.communicate(timeout=PATIENCE_S)
    assert node.returncode == 78
    assert f"cameras.front_door.source: {door.folder / 'nowhere.mp4'} does not exist" in said


def test_a_file_that_is_no_video_ends_the_node(door: Door) -> None:
    """It exits 1 and says so in one line."""
    (door.folder / "clip.mp4").write_text("not a video")
    node = door.capture(source="clip.mp4")
    _, said = node.communicate(timeout=PATIENCE_S)
    assert node.returncode == 1
    assert "clip.mp4 as video" in said
    assert "Traceback" not in said


def memory_kb(process: Process) -> int:
    """Return how much memory a process holds."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        pytest.skip("memory is read from /proc")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])
