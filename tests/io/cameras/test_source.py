"""What a source in the site file names, what is refused, and what is never shown."""

import os
from pathlib import Path

import pytest

from turnstile.errors import ConfigError
from turnstile.io.cameras.pipe import Order
from turnstile.io.cameras.source import describe, order_for, webcam_trouble, without_secrets
from turnstile.site.settings import CameraSettings

Source = int | str | tuple[str, ...]


def an_order(source: Source) -> Order:
    """Return the order for a camera named `front`."""
    return order_for(CameraSettings(source=source), name="front", max_px=1_000_000)


def a_file(path: Path) -> str:
    """Make a file whose contents do not matter."""
    path.write_bytes(b"x")
    return str(path)


@pytest.mark.parametrize("source", [0, 3, "/dev/video0", "/dev/v4l/by-id/usb-camera"])
def test_a_number_or_device_is_a_webcam_although_it_is_not_plugged_in(source: Source) -> None:
    """Cameras come and go, so their absence is no mistake in the site file."""
    order = an_order(source)
    assert (order.kind, order.places, order.is_live) == ("webcam", (source,), True)


@pytest.mark.parametrize("address", ["rtsp://camera/1", "http://camera/video", "RTSPS://camera:322/live"])
def test_an_address_is_a_stream(address: str) -> None:
    """What is behind it shows when it is opened."""
    assert (an_order(address).kind, an_order(address).is_live) == ("stream", True)


def test_a_named_pipe_is_a_stream(tmp_path: Path) -> None:
    """Whatever writes into it decides the pace."""
    os.mkfifo(tmp_path / "pipe")
    assert an_order(str(tmp_path / "pipe")).kind == "stream"


def test_a_file_is_a_clip_or_by_its_ending_a_picture(tmp_path: Path) -> None:
    """Neither is live: nothing is lost by taking every frame."""
    clip, picture = a_file(tmp_path / "visit.mp4"), a_file(tmp_path / "face.JPG")
    assert (an_order(clip).kind, an_order(picture).kind) == ("clip", "pictures")
    assert not an_order(clip).is_live


def test_a_folder_is_its_pictures_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Other files in it are no pictures."""
    names = ["b.png", "a.jpg", "c.jpeg", "notes.txt"]
    paths = [a_file(tmp_path / name) for name in names]
    assert an_order(str(tmp_path)).places == (paths[1], paths[0], paths[2])


def test_a_list_keeps_its_order(tmp_path: Path) -> None:
    """A list is played as it is written."""
    paths = tuple(a_file(tmp_path / name) for name in ("b.jpg", "a.jpg", "b.jpg"))
    assert an_order(paths).places == paths


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{}/nowhere.mp4", "nowhere.mp4 does not exist"),
        ("{}/0", "a webcam's number is written without quotes: 0"),
        ("{}/empty", "empty holds no pictures; they end in .jpg, .jpeg, .png"),
        (("{}/nowhere.jpg",), "nowhere.jpg does not exist"),
        ((), "an empty list"),
        (-1, "-1; webcams are numbered from 0"),
        ("gopher://camera/1", "gopher://; valid are: rtsp, rtsps"),
        ("rtsp://[camera/1", "not an address"),
    ],
)
def test_what_cannot_be_a_source_is_refused_by_its_path(
    source: Source, complaint: str, tmp_path: Path
) -> None:
    """The message begins with the key in the site file and says what would be valid."""
    (tmp_path / "empty").mkdir()
    if isinstance(source, str):
        source = source.format(tmp_path)
    elif isinstance(source, tuple):
        source = tuple(one.format(tmp_path) for one in source)
    with pytest.raises(ConfigError) as refusal:
        an_order(source)
    assert str(refusal.value).startswith("cameras.front.source: ")
    assert complaint in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:s3cret@10.0.0.7:554/live", "rtsp://10.0.0.7:554/…"),
        ("http://10.0.0.7/video.cgi?user=admin&pwd=s3cret", "http://10.0.0.7/…"),
        ("http://admin:p@ss@10.0.0.7/video", "http://10.0.0.7/…"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
    ],
)
def test_passwords_are_not_shown(address: str, shown: str) -> None:
    """Logs, beats and displays name the camera without what opens it."""
    assert describe(an_order(address)) == shown


def test_passwords_are_taken_out_of_what_libraries_say() -> None:
    """FFmpeg may repeat the address, or only a part of it."""
    order = an_order("rtsp://admin:s3cret@camera/live?token=abc")
    said = "rtsp://admin:s3cret@camera/live?token=abc: refused admin:s3cret@ for token=abc at camera"
    assert without_secrets(said, order) == "rtsp://camera/…: refused …@ for …=… at camera"


def test_other_sources_are_named_in_words(tmp_path: Path) -> None:
    """So that an operator knows which one is meant."""
    pictures = tuple(a_file(tmp_path / f"{index}.jpg") for index in range(2))
    assert describe(an_order(0)) == "webcam 0"
    assert describe(an_order(pictures)) == f"2 pictures from {pictures[0]}"
    assert describe(an_order(pictures[0])) == pictures[0]


def test_a_webcam_that_is_not_there_is_said_to_be_missing() -> None:
    """The message lists the devices there are, and what to do."""
    trouble = webcam_trouble("/dev/video-not-there")
    assert "there is no /dev/video-not-there" in trouble or "no such camera" in trouble


def test_a_device_that_may_not_be_opened_is_told_from_one_without_pictures() -> None:
    """A device file of another kind exists and gives no pictures."""
    trouble = webcam_trouble("/dev/null")
    assert "another program uses it" in trouble


@pytest.mark.parametrize("several", [False, True])
def test_a_clip_that_cannot_be_looked_at_is_a_mistake_in_the_site_file(
    tmp_path: Path, *, several: bool
) -> None:
    """No traceback, and no word that it does not exist."""
    clip = str(tmp_path / ("x" * 300 + ".jpg"))
    with pytest.raises(ConfigError, match=r"x\.jpg cannot be looked at: File name too long"):
        an_order((clip,) if several else clip)


def test_a_camera_is_scaled_to_what_the_smallest_face_needs_unless_its_size_is_given() -> None:
    """A camera of 4K must not cost four times as much as one of 1080 lines by default."""
    for size_px, wanted_px in ((None, 1920 * 1080), ((3840, 2160), 9_000_000)):
        camera = CameraSettings(source=0, size_px=size_px)
        order = order_for(camera, name="front", max_px=9_000_000, min_face_px=40)
        assert order.max_px == wanted_px
