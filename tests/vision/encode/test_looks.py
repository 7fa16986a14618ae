"""What pictures of faces look like in numbers, on real faces made worse."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from turnstile.commands.demo import samples
from turnstile.people.quality import in_words, weaknesses
from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.encode.landmarks import pose_of
from turnstile.vision.engines.accelerated import AcceleratedEngine
from turnstile.vision.pictures import decode_enrolment


@pytest.fixture(scope="module")
def engine() -> AcceleratedEngine:
    """Return the default engine."""
    return AcceleratedEngine(RecognitionSettings())


def darkened(picture: PictureRgb) -> PictureRgb:
    """Return a picture taken with hardly any light."""
    return np.asarray(picture * 0.15, np.uint8)


def overexposed(picture: PictureRgb) -> PictureRgb:
    """Return a picture with too much light."""
    return np.asarray(np.clip(picture * 1.6 + 110, 0, 255), np.uint8)


def blurred(picture: PictureRgb) -> PictureRgb:
    """Return a picture out of focus."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 14), np.uint8)


@pytest.mark.parametrize("degrees", [0, 30, -90])
@pytest.mark.parametrize(("beside", "below"), [(0.0, 0.7), (0.3, 0.6), (-0.3, 0.6)])
def test_a_pose_is_measured_in_distances_of_the_eyes(beside: float, below: float, degrees: float) -> None:
    """However big the face is, and however the head leans; to the left is as far as to the right."""
    straight = np.array([(-60, 0), (-40, 0), (60, 0), (40, 0), (100 * beside, 100 * below)], np.float64)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    assert pose_of(straight @ np.array([[c, s], [-s, c]]) + 200) == pytest.approx((abs(beside), below))


@pytest.mark.parametrize("name", ["obama.jpg", "obama2.jpg", "biden.jpg"])
def test_nothing_is_wrong_with_the_sample_pictures(engine: AcceleratedEngine, name: str) -> None:
    """They are portraits, frontal and in good light."""
    looks = engine.enrol(decode_enrolment(Path(samples.folder() / name).read_bytes())).looks
    assert in_words(weaknesses(looks)) == ""


@pytest.mark.parametrize(
    ("worse", "words"),
    [(darkened, "it is dark"), (overexposed, "it is overexposed"), (blurred, "it is blurred")],
)
def test_what_was_made_worse_is_named(
    engine: AcceleratedEngine, worse: Callable[[PictureRgb], PictureRgb], words: str
) -> None:
    """On one and the same face."""
    picture = decode_enrolment(Path(samples.folder() / "obama.jpg").read_bytes())
    assert words in in_words(weaknesses(engine.enrol(worse(picture)).looks))
