"""Live cameras: the newest frame wins; one that hangs, goes or stands still is noticed and brought back."""

import functools
import http.server
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.feeds import a_clip, a_feed, a_picture, play, take_until
from tests.support.mjpeg_server import MjpegServer
from turnstile.io.cameras import Feed
from turnstile.protocol.state import State
from turnstile.site.settings import CameraSettings

READ_TIMEOUT_S = 1.5


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    """Give a network camera of the test's own."""
    with MjpegServer() as server:
        yield server


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    """Give the address of a web server of the test's folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(autouse=True)
def diary(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Give what an operator would read."""
    caplog.set_level(logging.INFO, "turnstile")
    return caplog


def until_live(feed: Feed) -> None:
    """Take frames until the camera is live."""
    take_until(feed, lambda: feed.state is State.LIVE)


def until_lost(feed: Feed) -> None:
    """Take frames until the camera is lost."""
    take_until(feed, lambda: feed.lost)


def entries(diary: pytest.LogCaptureFixture, word: str) -> int:
    """Return how many lines of the diary hold a word."""
    return sum(word in record.getMessage() for record in diary.records)


def test_a_stream_gives_moving_pictures(server: MjpegServer) -> None:
    """They are stamped by this machine's clock as they come."""
    before_ns = time.time_ns()
    with a_feed(CameraSettings(source=server.address, max_fps=100)) as feed:
        shots = take_until(feed, lambda: feed.counts["frames_in"] >= 10)
    times = [before_ns, *(shot.captured_ns for shot in shots), time.time_ns()]
    assert times == sorted(set(times))
    assert len({shot.jpeg for shot in shots}) == len(shots)


def test_the_newest_frame_wins(server: MjpegServer) -> None:
    """Frames that are not taken in time are replaced and counted, and the one taken then is a fresh one."""
    with a_feed(CameraSettings(source=server.address, max_fps=100)) as feed:
        until_live(feed)
        from_now_ns = time.time_ns()
        server.wait_for_pictures(20)
        shot = feed.next_shot(5)
    assert shot is not None
    assert shot.captured_ns > from_now_ns
    assert feed.counts["dropped_superseded"] >= 10


def test_a_camera_that_hangs_is_lost_and_comes_back(
    server: MjpegServer, diary: pytest.LogCaptureFixture
) -> None:
    """The read never returns; that is noticed from outside, said once, and so is the camera's return."""
    with a_feed(
        CameraSettings(source=server.address, read_timeout_s=READ_TIMEOUT_S), open_timeout_s=3
    ) as feed:
        until_live(feed)
        server.hanging = True
        until_lost(feed)
        assert feed.state is State.LOST
        assert feed.detail.startswith("read timed out after 1.5 s (cameras.front.read_timeout_s: raise it")
        take_until(feed, lambda: feed.counts["camera_opened"] >= 3)
        server.hanging = False
        until_live(feed)
    assert (entries(diary, "camera lost"), entries(diary, "camera back")) == (1, 1)
    assert feed.counts["camera_lost"] == 1


def test_a_camera_that_hangs_up_is_lost_and_comes_back(
    server: MjpegServer, diary: pytest.LogCaptureFixture
) -> None:
    """While it refuses connections, attempts are made and not written down."""
    with a_feed(CameraSettings(source=server.address, read_timeout_s=60)) as feed:
        until_live(feed)
        server.refusing = 503
        server.drop()
        until_lost(feed)
        assert feed.detail.startswith("it stopped delivering")
        take_until(feed, lambda: "503" in feed.detail)
        take_until(feed, lambda: feed.counts["camera_opened"] >= 3)
        server.refusing = 0
        until_live(feed)
    assert (entries(diary, "camera lost"), entries(diary, "camera back")) == (1, 1)


def test_a_picture_that_stands_still_is_not_taken_for_a_live_one(
    server: MjpegServer, diary: pytest.LogCaptureFixture
) -> None:
    """A camera that repeats its last picture is lost, also after it was opened again, until it moves."""
    with a_feed(CameraSettings(source=server.address, read_timeout_s=READ_TIMEOUT_S)) as feed:
        until_live(feed)
        server.frozen = True
        until_lost(feed)
        assert feed.detail == "the picture has not changed for 1.5 s"
        assert take_until(feed, lambda: feed.counts["camera_opened"] >= 2) == []
        dropped = feed.counts["dropped_frozen"]
        assert take_until(feed, lambda: feed.counts["dropped_frozen"] >= dropped + 10) == []
        server.frozen = False
        until_live(feed)
    assert (entries(diary, "camera lost"), entries(diary, "camera back")) == (1, 1)


def test_a_camera_that_takes_the_connection_and_says_nothing_cannot_be_opened() -> None:
    """Opening has a time limit of its own, and other connections are tried."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/live"
        with a_feed(CameraSettings(source=address), open_timeout_s=3) as feed:
            until_lost(feed)
            assert feed.detail == "it could not be opened within 3 s"
            take_until(feed, lambda: feed.counts["camera_opened"] >= 2)


def test_a_pipe_that_nobody_writes_to_blocks_nothing(tmp_path: Path) -> None:
    """Opening it never returns, and the feed is closed all the same."""
    os.mkfifo(tmp_path / "pipe")
    with a_feed(CameraSettings(source=str(tmp_path / "pipe"))) as feed:
        assert feed.next_shot(0.5) is None
        assert feed.state is State.STARTING


def test_closing_lets_go_of_a_camera_that_hangs(server: MjpegServer) -> None:
    """The connection is closed although the read never returned."""
    with a_feed(CameraSettings(source=server.address)) as feed:
        until_live(feed)
        server.hanging = True
    server.wait_until_alone()


def test_a_refused_password_is_said_and_never_shown(
    server: MjpegServer, diary: pytest.LogCaptureFixture
) -> None:
    """What FFmpeg says of the reason is passed on without what opens the camera."""
    server.refusing = 401
    address = server.address.replace("http://", "http://admin:s3cret@") + "?token=t0ken"
    with a_feed(CameraSettings(source=address)) as feed:
        until_lost(feed)
    assert "401" in feed.detail
    assert "s3cret" not in feed.detail + diary.text
    assert "t0ken" not in feed.detail + diary.text


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://admin:Zqs3/cr#et@127.0.0.1:{}/live",
        "rtsp://127.0.0.1:{}/user=admin&password=Zqs3cret&channel=1",
        "rtsp://127.0.0.1:{}/Zqs3cret",
        "http://admin:Zqs3cret@127.0.0.1:{}/?pwd=Zqs3cret",
    ],
)
def test_the_password_of_a_camera_that_is_away_is_never_shown(
    diary: pytest.LogCaptureFixture, address: str
) -> None:
    """Wherever it stands; one that cannot be taken apart comes with advice."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with a_feed(CameraSettings(source=address.format(port))) as feed:
        until_lost(feed)
    assert "Zq" not in feed.detail + diary.text
    assert ("in a password write # as %23" in feed.detail) == ("#" in address)


def test_a_recording_on_a_server_is_played_at_its_own_pace(files: str, tmp_path: Path) -> None:
    """It comes as fast as the network, and is shown as fast as it was recorded."""
    a_clip(tmp_path / "clip.avi", fps=10, grey_levels=range(50, 250, 20))
    with a_feed(CameraSettings(source=f"{files}/clip.avi")) as feed:
        shots = play(feed)
    assert feed.counts["frames_in"] >= 8
    assert shots[-1].captured_ns - shots[0].captured_ns > 0.5e9


def test_the_address_of_a_single_picture_is_explained(files: str, tmp_path: Path) -> None:
    """Network cameras have both, and it is easily the wrong one that is copied."""
    a_picture(tmp_path / "snapshot.jpg")
    with a_feed(CameraSettings(source=f"{files}/snapshot.jpg")) as feed:
        until_lost(feed)
    assert "can be decoded; it must be a stream, not a single picture" in feed.detail


def test_a_webcam_that_is_not_there_is_tried_again(diary: pytest.LogCaptureFixture) -> None:
    """The operator reads once what is missing, and that it need not be started by hand."""
    with a_feed(CameraSettings(source=97)) as feed:
        take_until(feed, lambda: feed.counts["camera_opened"] >= 3)
    assert feed.detail.startswith("cannot open webcam 97: ")
    assert entries(diary, "it is tried again every 0.5 to 30 s") == 1
