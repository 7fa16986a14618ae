"""The display as a process, beside a broker that says what the test wants it to hear."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import cv2
import msgspec
import numpy as np
import pytest

from tests.support.builders import FRAME_NS, START_NS, a_face, a_frame, a_result, an_access, write_site
from tests.support.processes import Process, Programs, stop
from tests.support.screens import Screenshot, close_window, need_xdotool, share_of, wait_until_seen
from tests.support.views import OBAMA, SIZE_PX, a_view
from tests.support.waiting import PATIENCE_S
from turnstile.drawing.draw import AMBER, GREEN, MINT, MUTED
from turnstile.io.bus.broker import BrokerSockets
from turnstile.io.site.file import load
from turnstile.protocol.envelope import Message
from turnstile.protocol.messages import Access, Beat, Frame, decode, encode
from turnstile.site.settings import BrokerSettings

pytestmark = pytest.mark.system

FRAMES_PER_S = 15.0
BROKER_BEAT = Beat(
    node="broker", instance="broker-1", role="broker", host="here", pid=1, version="0", uptime_s=1.0
)


FACE = a_face("Jürgen Wałęsa", left=105, top=65, size=110)


def a_shown_frame(seq: int) -> Frame:
    """Return a frame of a person, timed by the camera's own clock, which is years behind ours."""
    width, height = SIZE_PX
    return a_frame(camera="door", seq=seq, jpeg=a_view(OBAMA), width_px=width, height_px=height)


class Stage:
    """A camera, a recognizer that can be paused, and the broker between them and a display."""

    def __init__(self, addresses: BrokerSettings) -> None:
        self.recognizing = True
        self.at_once = 1
        """Frames that come together, as after a hold-up."""
        self.frames = 0
        self.beat: Beat | None = None
        self._grants = 0
        self._sockets = BrokerSockets(addresses)
        self._news = threading.Condition()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self._sockets.close()

    def grant(self) -> None:
        """Grant access with the next frame."""
        self._grants += 1

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when something that was said or heard made a condition true."""
        with self._news:
            assert self._news.wait_for(condition, PATIENCE_S), f"{self.beat}"

    def wait_for_count(self, name: str, least: int) -> None:
        """Return when the display says that it counted so many."""
        self.wait_for(lambda: self.count(name) >= least)

    def count(self, name: str) -> int:
        """Return a total of the display's last beat."""
        return self.beat.counts.get(name, 0) if self.beat is not None else 0

    def _play(self) -> None:
        while not self._ends.wait(1 / FRAMES_PER_S):
            with self._news:
                self._say("status.broker.", BROKER_BEAT)
                for _ in range(self.at_once):
                    self.frames += 1
                    self._say("frame.door.", a_shown_frame(self.frames))
                if self.recognizing:
                    self._say("result.door.", a_result(FACE, camera="door", seq=self.frames))
                if self._grants:
                    self._say("access.door.", self._access())
                self._listen()
                self._news.notify_all()

    def _access(self) -> Access:
        self._grants -= 1
        access = an_access(self.frames, camera="door")
        return msgspec.structs.replace(access, captured_ns=START_NS + self.frames * FRAME_NS)

    def _say(self, topic: str, message: Message) -> None:
        self._sockets.publish(topic, encode(message))

    def _listen(self) -> None:
        while self._sockets.subscription() is not None:
            pass
        while (said := self._sockets.receive()) is not None:
            message = decode(said.body)
            assert isinstance(message, Beat)
            self.beat = message


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Give what starts processes."""
    with Programs() as programs:
        yield programs


@pytest.fixture
def config(folder: Path) -> Path:
    """Give the file of a site with one camera and one display."""
    return write_site(folder, "displays: {hall: {size_px: [640, 480]}}", cameras=["door"])


@pytest.fixture
def stage(config: Path) -> Iterator[Stage]:
    """Give what is shown."""
    with Stage(load(config).broker) as stage:
        yield stage


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the screen away from the processes that a test starts."""
    monkeypatch.delenv("DISPLAY", raising=False)


def start(programs: Programs, config: Path, *options: str) -> Process:
    """Start a display."""
    return programs.start("display_node.py", "--config", str(config), *options)


def read(picture: Path) -> Screenshot:
    """Return the pixels of a snapshot, red first."""
    pixels = cv2.imread(str(picture))
    assert pixels is not None
    return np.ascontiguousarray(pixels[:, :, ::-1], np.uint8)


@pytest.mark.parametrize(
    ("display", "code", "words"), [("", 69, "$DISPLAY is not set"), (":4242", 75, "no display at :4242 yet")]
)
def test_without_a_screen_it_says_what_else_there_is(
    programs: Programs, config: Path, monkeypatch: pytest.MonkeyPatch, display: str, code: int, words: str
) -> None:
    """Instead of the abort of a toolkit. A server that may come has an exit code of its own."""
    monkeypatch.setenv("DISPLAY", display)
    process = start(programs, config)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert f"no screen: {words}" in said
    assert all(option in said for option in ("--record", "--snapshot", "--snapshots"))
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--no-window"], "--record"),
        (["--snapshot", "a.jpg"], "something.png"),
        (["--record", "/nowhere/a.mp4"], "there is no folder /nowhere"),
    ],
)
@pytest.mark.usefixtures("no_screen")
def test_what_cannot_be_done_is_said_at_the_start(
    programs: Programs, config: Path, options: list[str], says: str
) -> None:
    """Not when the recording of an hour is to be finished."""
    process = start(programs, config, *options)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 69
    assert says in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("no_screen")
def test_it_records_without_a_screen_in_real_time(
    programs: Programs, config: Path, folder: Path, stage: Stage
) -> None:
    """The video is as long as the display ran, and ends with the snapshot."""
    began = time.monotonic()
    process = start(programs, config, "--record", f"{folder}/a.mp4", "--snapshot", f"{folder}/a.png")
    stage.wait_for_count("frames_shown", 1)
    shown = time.monotonic()
    stage.wait_for_count("frames_shown", 30)
    at_least_s = time.monotonic() - shown
    code, said = stop(process)
    at_most_s = time.monotonic() - began
    assert code == 0, said
    assert "no window is opened" in said
    video = cv2.VideoCapture(f"{folder}/a.mp4")
    lasts_s = video.get(cv2.CAP_PROP_FRAME_COUNT) / video.get(cv2.CAP_PROP_FPS)
    assert at_least_s - 0.2 <= lasts_s <= at_most_s
    picture = read(folder / "a.png")
    assert share_of(picture, MUTED, by=20) > 0.002
    assert share_of(picture[:30, 320:], MUTED, by=20) > 0.005


@pytest.mark.usefixtures("no_screen")
def test_a_display_at_the_door_shows_no_technical_words(
    programs: Programs, config: Path, folder: Path, stage: Stage
) -> None:
    """Where an operator reads rates and ages, there is nothing."""
    config.write_text(config.read_text().replace("size_px", "audience: door, size_px"))
    process = start(programs, config, "--snapshot", f"{folder}/a.png")
    stage.wait_for_count("frames_shown", 10)
    code, said = stop(process)
    assert code == 0, said
    assert share_of(read(folder / "a.png")[:30, 320:], MUTED, by=20) == 0


@pytest.mark.usefixtures("no_screen")
def test_local_detection_comes_and_goes_with_the_results(
    programs: Programs, config: Path, folder: Path, stage: Stage
) -> None:
    """Boxes of another colour and words instead of names, until the first fresh result."""
    last = folder / "last.png"
    process = start(programs, config, "--snapshots", str(folder), "--snapshot", str(last))
    stage.wait_for_count("results_in", 1)
    stage.grant()
    stage.wait_for_count("verdicts_in", 1)
    stage.recognizing = False
    stage.wait_for_count("local_detections", 2)
    stage.wait_for((folder / "door-stale.png").exists)
    stage.recognizing = True
    stage.wait_for_count("results_in", stage.count("results_in") + 5)
    code, said = stop(process)
    assert code == 0, said
    assert share_of(read(folder / "door-granted.png")[-60:], GREEN) > 0.5
    stale = read(folder / "door-stale.png")
    assert share_of(stale[-20:], AMBER) > 0.5
    assert share_of(stale[:-60], AMBER, by=20) > 0.001
    assert share_of(stale, MINT, by=20) < 0.0005
    assert share_of(stale, GREEN, by=20) < 0.0005
    assert share_of(read(last)[-20:], AMBER) < 0.01
    assert share_of(read(last), MUTED, by=20) > 0.002
    assert "INFO    door: no recent result" in said


@pytest.mark.usefixtures("no_screen")
def test_a_display_that_cannot_keep_up_shows_the_newest_frame(
    programs: Programs, config: Path, folder: Path, stage: Stage
) -> None:
    """It skips the others, and says how many."""
    process = start(programs, config, "--snapshot", f"{folder}/a.png")
    stage.wait_for_count("frames_shown", 5)
    stage.at_once = 300
    stage.wait_for_count("dropped_for_newer", 100)
    stage.at_once = 1
    stage.wait_for_count("frames_in", stage.count("frames_in") + 5)
    assert stage.count("frames_in") == stage.count("frames_shown") + stage.count("dropped_for_newer")
    assert stop(process)[0] == 0


@pytest.mark.usefixtures("no_screen")
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_while_there_is_no_broker(
    programs: Programs, config: Path, folder: Path, by: signal.Signals
) -> None:
    """Whatever it waits for."""
    process = start(programs, config, "--snapshot", f"{folder}/a.png")
    assert process.stderr is not None
    while "waiting for the broker" not in process.stderr.readline():
        assert process.poll() is None
    assert stop(process, by=by)[0] == 0
    assert (read(folder / "a.png") > 200).any()


@need_xdotool
def test_closing_the_window_ends_it(
    programs: Programs, config: Path, stage: Stage, virtual_screen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `q` does."""
    monkeypatch.setenv("DISPLAY", virtual_screen)
    process = start(programs, config)
    stage.wait_for_count("results_in", 1)
    stage.grant()
    wait_until_seen(virtual_screen, lambda shot: share_of(shot, GREEN) > 0.02)
    close_window(virtual_screen, "Turnstile: hall")
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
