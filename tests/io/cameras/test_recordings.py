"""Clips and pictures become frames at their own pace, and what is broken among them is left out."""

import logging
import os
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from tests.support.feeds import a_clip, a_feed, a_picture, assert_shown, grey_level, play, take_until
from turnstile.errors import CameraError
from turnstile.io.cameras import Shot
from turnstile.protocol.jpeg import check_jpeg
from turnstile.site.settings import CameraSettings


def test_a_clip_is_played_to_its_end(tmp_path: Path) -> None:
    """All its frames come in order, at its own pace, and then it has ended."""
    clip = a_clip(tmp_path / "clip.avi", fps=10, grey_levels=range(50, 250, 20))
    with a_feed(CameraSettings(source=clip)) as feed:
        shots = play(feed)
        assert feed.next_shot(0) is None
    assert_shown(shots, range(50, 250, 20))
    assert feed.counts["frames_in"] == 10
    assert shots[-1].captured_ns - shots[0].captured_ns > 0.5e9


def test_a_clip_is_thinned_to_the_rate_asked_for(tmp_path: Path) -> None:
    """Every third frame of 30 a second makes 10."""
    clip = a_clip(tmp_path / "clip.avi", fps=30, grey_levels=range(30, 210, 6))
    with a_feed(CameraSettings(source=clip, max_fps=10)) as feed:
        shots = play(feed)
    assert_shown(shots, range(30, 210, 18))
    assert feed.counts["frames_in"] == 10


def test_a_looping_clip_starts_again_and_its_capture_times_go_on(tmp_path: Path) -> None:
    """The clip's own time stamps go back at its end; the frames' do not."""
    clip = a_clip(tmp_path / "clip.avi", fps=30, grey_levels=range(50, 100, 10))
    with a_feed(CameraSettings(source=clip, loop=True, max_fps=60)) as feed:
        shots = take_until(feed, lambda: feed.counts["frames_in"] >= 12)
    levels, times = [grey_level(shot) for shot in shots], [shot.captured_ns for shot in shots]
    assert levels != sorted(levels)
    assert times == sorted(times)


def test_a_file_that_is_no_video_is_an_error(tmp_path: Path) -> None:
    """Trying again would not help, so the node must not pretend to wait for a camera."""
    (tmp_path / "clip.mp4").write_text("not a video")
    with (
        a_feed(CameraSettings(source=str(tmp_path / "clip.mp4"))) as feed,
        pytest.raises(CameraError, match=r"front: cannot open .*clip.mp4 as video"),
    ):
        play(feed)


def test_pictures_come_at_the_rate_asked_for(tmp_path: Path) -> None:
    """A folder is played in the order of its names."""
    for index, level in enumerate((60, 120, 180)):
        a_picture(tmp_path / f"{index}.png", grey_level=level)
    with a_feed(CameraSettings(source=str(tmp_path), max_fps=5)) as feed:
        shots = play(feed)
    assert_shown(shots, (60, 120, 180))
    assert feed.counts["frames_in"] == 3


def test_a_frame_tells_what_changed_in_it_and_in_those_that_nobody_took(tmp_path: Path) -> None:
    """Somebody shows in one picture of many. A frame taken too late to show it tells of it."""
    plain = a_picture(tmp_path / "plain.png")
    half = np.full((120, 160, 3), 128, np.uint8)
    half[60:, 40:80] = 250
    cv2.imwrite(str(tmp_path / "somebody.png"), half)
    pictures = (*[plain] * 15, str(tmp_path / "somebody.png"), *[plain] * 5)
    with a_feed(CameraSettings(source=pictures, max_fps=60)) as feed:
        shots = play(feed)
    assert shots[0].change is None
    assert max(shot.change or 0 for shot in shots) > 0.05
    assert shots[-1].change is not None


def test_of_two_frames_the_later_one_tells_of_both() -> None:
    """What is not known stays so: it may have been anything."""
    still, moved, unknown = (
        Shot(captured_ns=1, width_px=64, height_px=48, jpeg=b"", change=change) for change in (0.0, 0.2, None)
    )
    assert still.after(moved).change == moved.after(still).change == 0.2
    assert still.after(unknown).change is unknown.after(still).change is None


def test_a_rate_slower_than_the_read_time_out_is_no_loss(tmp_path: Path) -> None:
    """Waiting for the next picture is not a hanging read."""
    pictures = tuple(a_picture(tmp_path / f"{index}.jpg") for index in range(2))
    with a_feed(CameraSettings(source=pictures, max_fps=0.5, read_timeout_s=1.5)) as feed:
        assert len(play(feed)) == 2
    assert feed.counts["camera_lost"] == 0


def test_broken_pictures_are_left_out_counted_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A text file, an empty one and one cut off do not stop the good ones."""
    a_picture(tmp_path / "good.jpg")
    whole = Path(a_picture(tmp_path / "whole.jpg", size_px=(320, 240))).read_bytes()
    (tmp_path / "whole.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").touch()
    with a_feed(CameraSettings(source=str(tmp_path), max_fps=100, loop=True)) as feed:
        shots = take_until(feed, lambda: feed.counts["pictures_broken"] >= 7)
    assert {(shot.width_px, shot.height_px) for shot in shots} == {(160, 120)}
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 3
    assert any(
        "text.jpg is left out: not a JPEG, PNG, WebP or HEIC picture" in warning for warning in warnings
    )
    assert any("whole.jpg is left out: the file is cut off" in warning for warning in warnings)


def test_a_picture_that_hangs_the_reader_is_passed_over(tmp_path: Path) -> None:
    """Reading a named pipe without a writer blocks for ever; the pictures after it are still shown."""
    a_picture(tmp_path / "0.jpg", grey_level=60)
    os.mkfifo(tmp_path / "1.jpg")
    a_picture(tmp_path / "2.jpg", grey_level=180)
    with a_feed(CameraSettings(source=str(tmp_path), max_fps=100, read_timeout_s=0.5)) as feed:
        shots = play(feed)
    assert_shown(shots, (60, 180))
    assert feed.counts["frames_in"] == 2
    assert feed.counts["pictures_broken"] == 1


def test_a_last_picture_that_hangs_ends_the_pictures(tmp_path: Path) -> None:
    """There is nothing after it to go on with."""
    a_picture(tmp_path / "0.jpg")
    os.mkfifo(tmp_path / "1.jpg")
    with a_feed(CameraSettings(source=str(tmp_path), max_fps=100, read_timeout_s=0.5)) as feed:
        assert len(play(feed)) == 1


def test_pictures_of_which_none_is_good_are_an_error(tmp_path: Path) -> None:
    """The folder is the wrong one, and waiting would not change that."""
    (tmp_path / "text.jpg").write_text("no picture")
    with (
        a_feed(CameraSettings(source=str(tmp_path), loop=True)) as feed,
        pytest.raises(CameraError, match="1 picture, and none can be used"),
    ):
        play(feed)


def test_frames_are_scaled_down_to_the_size_asked_for_and_never_up(tmp_path: Path) -> None:
    """Proportions stay; a frame smaller than asked stays as it is."""
    pictures = (
        a_picture(tmp_path / "wide.png", size_px=(800, 200)),
        a_picture(tmp_path / "tall.png", size_px=(200, 800)),
        a_picture(tmp_path / "small.png", size_px=(40, 30)),
    )
    with a_feed(CameraSettings(source=pictures, size_px=(400, 400), max_fps=3)) as feed:
        shots = play(feed)
    assert [(shot.width_px, shot.height_px) for shot in shots] == [(400, 100), (100, 400), (40, 30)]


def test_a_camera_mounted_sideways_is_turned_upright(tmp_path: Path) -> None:
    """Clockwise, after it was scaled to the size asked for."""
    wide = np.zeros((100, 200, 3), np.uint8)
    wide[:, :100] = 255  # white on the left
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    white: dict[int, tuple[tuple[int, int], bool, bool]] = {}
    for rotate in (0, 90, 180, 270):
        settings = msgspec.convert(
            {"source": str(tmp_path / "wide.png"), "rotate": rotate, "size_px": (100, 100)}, CameraSettings
        )
        with a_feed(settings) as feed:
            (shot,) = play(feed)
        picture = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        white[rotate] = (shot.width_px, shot.height_px), bool(picture[2, 2] > 128), bool(picture[2, -3] > 128)
    assert white == {
        0: ((100, 50), True, False),
        90: ((50, 100), True, True),
        180: ((100, 50), False, True),
        270: ((50, 100), False, False),
    }


def test_frames_are_scaled_down_to_what_the_broker_takes(tmp_path: Path) -> None:
    """A phone's picture is not sent only to be refused."""
    with a_feed(
        CameraSettings(source=a_picture(tmp_path / "big.png", size_px=(1000, 500))), max_px=20_000
    ) as feed:
        (shot,) = play(feed)
    assert (shot.width_px, shot.height_px) == (200, 100)


@pytest.mark.parametrize("quality", [10, 85, 100])
def test_frames_are_jpegs_that_the_broker_accepts(quality: int, tmp_path: Path) -> None:
    """Baseline, whole, of the size stated; more quality makes more bytes."""
    clip = a_clip(tmp_path / "clip.avi", fps=30, grey_levels=range(100, 103))
    with a_feed(CameraSettings(source=clip, jpeg_quality=quality, max_fps=60)) as feed:
        shots = play(feed)
    for shot in shots:
        assert check_jpeg(shot.jpeg, max_bytes=100_000, max_px=160 * 120) == (160, 120)


@pytest.mark.parametrize("size_px", [None, (3840, 2160)])
def test_a_camera_of_4k_is_scaled_and_that_is_said_unless_its_size_is_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size_px: tuple[int, int] | None
) -> None:
    """It would starve all other cameras."""
    caplog.set_level(logging.INFO, logger="turnstile")
    clip = a_clip(tmp_path / "clip.avi", fps=10, grey_levels=range(50, 80, 10), size_px=(3840, 2160))
    with a_feed(CameraSettings(source=clip, size_px=size_px), min_face_px=40) as feed:
        shots = play(feed)
    (said,) = (line for line in caplog.messages if "live" in line)
    if size_px is None:
        assert {(shot.width_px, shot.height_px) for shot in shots} == {(1920, 1080)}
        assert "front: live, 1920x1080 from" in said
        assert "scaled from 3840x2160" in said
        assert "cameras.front.size_px" in said
    else:
        assert {(shot.width_px, shot.height_px) for shot in shots} == {(3840, 2160)}
        assert said.endswith("clip.avi")
