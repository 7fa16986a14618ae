"""Videos that play in real time, and snapshots."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from turnstile.errors import DisplayError
from turnstile.io.screen.recorder import Moments, Recorder, check_picture_path, save_picture
from turnstile.vision.arrays import PictureBgr

SIZE_PX = (320, 240)


def a_canvas(brightness: int = 100) -> PictureBgr:
    """Return a canvas of one grey."""
    return np.full((SIZE_PX[1], SIZE_PX[0], 3), brightness, np.uint8)


def brightness_by_frame(path: Path) -> list[float]:
    """Return how bright each frame of a video is."""
    video = cv2.VideoCapture(str(path))
    found = []
    while (frame := video.read())[0]:
        found.append(float(frame[1].mean()))
    video.release()
    return found


def read(path: Path) -> PictureBgr:
    """Return the pixels of a picture file."""
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def test_a_recording_lasts_as_long_as_what_it_shows(tmp_path: Path) -> None:
    """Canvases come at an uneven pace; each is on screen in the video as long as it was on the display."""
    recorder = Recorder(tmp_path / "a.mp4", size_px=SIZE_PX, now_s=100.0, fps=10)
    for now_s, brightness in ((100.0, 50), (100.05, 50), (100.31, 50), (100.4, 200), (101.0, 200)):
        recorder.keep(a_canvas(brightness), now_s=now_s)
    recorder.close()
    assert [round(one, -1) for one in brightness_by_frame(tmp_path / "a.mp4")] == [50] * 4 + [200] * 7


def test_a_display_that_was_held_up_leaves_a_cut(tmp_path: Path) -> None:
    """An hour of the same picture is not written out, and the time after it is right again."""
    recorder = Recorder(tmp_path / "a.mp4", size_px=SIZE_PX, now_s=0.0, fps=10)
    recorder.keep(a_canvas(), now_s=0.0)
    recorder.keep(a_canvas(), now_s=3600.0)
    recorder.keep(a_canvas(), now_s=3600.55)
    recorder.close()
    assert len(brightness_by_frame(tmp_path / "a.mp4")) == 7


@pytest.mark.parametrize("name", ["missing/a.mp4", "a.txt", "folder.mp4"])
def test_a_recording_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path, name: str) -> None:
    """Not after an hour."""
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(DisplayError, match=name):
        Recorder(tmp_path / name, size_px=SIZE_PX, now_s=0.0)


def test_a_snapshot_is_the_canvas(tmp_path: Path) -> None:
    """Pixel by pixel, and no other file is left."""
    canvas = np.random.default_rng(1).integers(0, 255, (24, 32, 3), np.uint8)
    save_picture(tmp_path / "a.png", canvas)
    assert np.array_equal(read(tmp_path / "a.png"), canvas)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a.jpg", "missing/a.png", "folder.png"])
def test_a_snapshot_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path, name: str) -> None:
    """It is written at the end, which may be far away."""
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DisplayError, match=name):
        check_picture_path(tmp_path / name)


def test_a_snapshot_whose_folder_went_away_is_an_error(tmp_path: Path) -> None:
    """A person who asked for it wants to know."""
    with pytest.raises(DisplayError, match="No such file"):
        save_picture(tmp_path / "gone" / "a.png", a_canvas())


def test_moments_keep_the_newest_of_each_kind(tmp_path: Path) -> None:
    """A display that runs for years fills no disk."""
    moments = Moments(tmp_path / "new" / "folder")
    for brightness in (10, 20):
        moments.save("door", "granted", a_canvas(brightness))
    moments.save("door", "denied", a_canvas(30))
    found = {path.name: int(read(path).mean()) for path in moments.folder.iterdir()}
    assert found == {"door-granted.png": 20, "door-denied.png": 30}


def test_moments_need_a_folder(tmp_path: Path) -> None:
    """Not a file of that name."""
    (tmp_path / "file").touch()
    with pytest.raises(DisplayError, match="cannot be made"):
        Moments(tmp_path / "file")


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_what_is_recorded_is_its_owners_only(tmp_path: Path, umask: int) -> None:
    """Whatever the umask is: faces are in it."""
    before = os.umask(umask)
    try:
        recorder = Recorder(tmp_path / "a.mp4", size_px=SIZE_PX, now_s=0.0)
        recorder.close()
        Moments(tmp_path / "moments").save("front_door", "granted", np.zeros((90, 160, 3), np.uint8))
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.*")} == {0o600}
    assert (tmp_path / "moments").stat().st_mode & 0o777 == 0o700


def test_somebody_elses_file_is_not_overwritten(tmp_path: Path) -> None:
    """A recording replaces videos only, and a snapshot PNGs."""
    for name in ("diary.mp4", "diary.png"):
        (tmp_path / name).write_bytes(b"Dear diary")
    with pytest.raises(DisplayError, match="it holds something that is no video; name another file"):
        Recorder(tmp_path / "diary.mp4", size_px=SIZE_PX, now_s=0.0)
    for refused in (check_picture_path, lambda path: save_picture(path, np.zeros((9, 9, 3), np.uint8))):
        with pytest.raises(DisplayError, match="it holds something that is no PNG; name another file"):
            refused(tmp_path / "diary.png")
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"Dear diary"}


def test_a_recording_replaces_an_older_one(tmp_path: Path) -> None:
    """And a snapshot a snapshot."""
    for _ in range(2):
        recorder = Recorder(tmp_path / "a.mp4", size_px=SIZE_PX, now_s=0.0)
        recorder.keep(np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8), now_s=0.0)
        recorder.close()
        save_picture(tmp_path / "a.png", np.zeros((9, 9, 3), np.uint8))
