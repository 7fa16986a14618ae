"""The faces folder while the site runs, overloaded by two cameras at 30 pictures a second."""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.builders import a_jpeg
from tests.support.sites import GRANTED, RealSite
from tests.support.views import OBAMA, put
from turnstile.commands.demo import samples

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

RECOGNIZERS = ("recognizer-1", "recognizer-2")
EFFECT_S = 2.0
"""What is promised, measured on 2 cores."""
BUSY_S = 40.0
"""What is required here, where other tests use those cores."""

LIES_ON_ITS_LEFT_SIDE = 6
"""EXIF: the picture is upright when it is turned by 90 degrees."""


@pytest.fixture
def site(folder: Path) -> Iterator[RealSite]:
    """Give an overloaded site at which nobody is enrolled and somebody stands at one door."""
    cameras = ("door", "gate")
    with RealSite(folder, cameras=cameras, recognizers=RECOGNIZERS, fps=30, engine="reference") as site:
        site.show(OBAMA)
        site.start_all()
        site.wait_for(lambda: all(None in site.named_by(name) for name in RECOGNIZERS))
        site.wait_for(lambda: site.count("broker", "dropped_newer_came") > 100)
        yield site


def test_a_face_added_replaced_and_deleted_takes_effect_under_load(
    site: RealSite, record_property: Callable[[str, object], None]
) -> None:
    """On every recognizer, soon, and without a restart."""
    added_s = seconds_until_named(site, "Barack Obama", lambda: site.enrol("barack_obama.jpg"))
    replaced_s = seconds_until_named(site, None, lambda: site.enrol("barack_obama.jpg", "biden.jpg"))
    again_s = seconds_until_named(site, "Barack Obama", lambda: site.enrol("barack_obama.jpg"))
    deleted_s = seconds_until_named(site, None, (site.faces / "barack_obama.jpg").unlink)
    record_property("effect_s", [added_s, replaced_s, again_s, deleted_s])
    assert max(added_s, replaced_s, again_s, deleted_s) < BUSY_S


def test_pictures_that_cannot_be_used_are_said_once_and_stop_nothing(site: RealSite) -> None:
    """Each with its reason; the good ones beside them are enrolled, one that lies on its side among them."""
    put(site.faces / "no_face.jpg", a_jpeg(320, 240))
    put(site.faces / "two_faces.jpg", beside_each_other("obama.jpg", "biden.jpg"))
    put(site.faces / "some_text.jpg", b"Dear all, please find enclosed my picture.\n")
    put(site.faces / "cut_off.jpg", (samples.folder() / "biden.jpg").read_bytes()[:-2000])
    put(site.faces / "barack_obama.jpg", lying_on_its_side("obama.jpg"))
    site.wait_for(lambda: site.gauge("broker", "pictures_refused") == 4)
    site.wait_until_left()
    site.wait_for_visit(OBAMA, GRANTED)
    site.enrol("joe_biden.jpg", "biden.jpg")
    site.wait_until_enrolled(2)
    said = site.words("broker")
    for file, reason in (
        ("no_face.jpg", "no face"),
        ("two_faces.jpg", "2 faces"),
        ("some_text.jpg", "not a"),
        ("cut_off.jpg", "cut off"),
    ):
        lines = [line for line in said.splitlines() if f"faces/{file}" in line]
        assert len(lines) == 1, said
        assert reason in lines[0]
    assert "changes detected" not in said
    assert all(site.nodes.exit_code(name) is None for name in site.names)


def seconds_until_named(site: RealSite, person: str | None, act: Callable[[], None]) -> float:
    """Change the folder, and return after how long every recognizer takes who stands at the door for this."""
    heard = len(site.results)
    began_s = time.monotonic()
    act()
    site.wait_for(lambda: all(site.named_by(name, since=heard)[-1:] == [person] for name in RECOGNIZERS))
    return round(time.monotonic() - began_s, 2)


def beside_each_other(*files: str) -> bytes:
    """Return one picture of several sample pictures."""
    pictures = [Image.open(samples.folder() / file).convert("RGB").resize((600, 900)) for file in files]
    both = Image.new("RGB", (600 * len(pictures), 900))
    for at, picture in enumerate(pictures):
        both.paste(picture, (600 * at, 0))
    return as_jpeg(both)


def lying_on_its_side(file: str) -> bytes:
    """Return a sample picture as a telephone stores it: turned, with a note of how to turn it back."""
    exif = Image.Exif()
    exif[0x0112] = LIES_ON_ITS_LEFT_SIDE
    picture = Image.open(samples.folder() / file).convert("RGB")
    return as_jpeg(picture.transpose(Image.Transpose.ROTATE_90), exif=exif)


def as_jpeg(picture: Image.Image, *, exif: Image.Exif | None = None) -> bytes:
    """Return a picture as JPEG."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, exif=exif or Image.Exif())
    return file.getvalue()
