"""The detector that a display falls back on."""

import cv2
import numpy as np
import pytest

from turnstile.commands.demo import clip, samples
from turnstile.vision.arrays import PictureBgr, PictureRgb
from turnstile.vision.detect.haar import HaarDetector


@pytest.fixture(scope="module")
def detector() -> HaarDetector:
    """Return the detector."""
    return HaarDetector()


def in_a_scene(portrait: PictureRgb, *, height: int = 720, share: float = 0.95) -> PictureBgr:
    """Return a camera's picture with a portrait in the middle, taking this share of the height."""
    scene = np.full((height, height * 16 // 9, 3), 110, np.uint8)
    high = round(height * share)
    wide = round(high * portrait.shape[1] / portrait.shape[0])
    left = (scene.shape[1] - wide) // 2
    person = cv2.resize(cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR), (wide, high), interpolation=cv2.INTER_AREA)
    scene[height - high :, left : left + wide] = person
    return scene


@pytest.mark.parametrize("height", [480, 720, 1080])
def test_faces_of_the_samples_are_found_where_they_are(
    detector: HaarDetector, obama: PictureRgb, biden: PictureRgb, height: int
) -> None:
    """In the picture's own pixels, whatever its size."""
    for portrait in (obama, biden):
        (face, *others) = detector.find(in_a_scene(portrait, height=height))
        assert not others
        across = (face.left + face.right) / 2 / (height * 16 / 9)
        down = (face.top + face.bottom) / 2 / height
        assert 0.45 < across < 0.55
        assert 0.1 < down < 0.35
        assert 0.05 < face.height / height < 0.35


def test_the_biggest_face_comes_first(detector: HaarDetector, two_people: PictureRgb) -> None:
    """Two people side by side, one nearer; a cascade may see more faces than there are."""
    faces = detector.find(np.ascontiguousarray(two_people[:, :, ::-1]))
    assert [face.height for face in faces] == sorted((face.height for face in faces), reverse=True)
    assert faces[0].left < 500 < faces[1].left


@pytest.mark.parametrize("scale", [0.64, 0.72, 0.8, 0.92, 0.96])
def test_a_tie_gets_no_box(detector: HaarDetector, scale: float) -> None:
    """OpenCV's default cascade took the collar of this man in the demo for a second face."""
    view = clip.view(clip.APPEARANCES[2], stills=samples.folder())
    smaller = cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert len(detector.find(np.asarray(smaller, np.uint8))) == 1


@pytest.mark.parametrize(("opacity", "found"), [(0.44, 1), (1.0, 2)])
def test_only_a_faint_face_below_another_is_a_shirt(
    detector: HaarDetector, obama: PictureRgb, opacity: float, found: int
) -> None:
    """A print on a shirt gets no box; a child in front of a parent does."""
    scene = cv2.cvtColor(cv2.resize(obama, (384, 480), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    (face,) = detector.find(np.asarray(scene, np.uint8))
    top, left = face.bottom + 40, face.left - 10
    lower = scene[top : top + face.height + 20, left : left + face.width + 20]
    upper = scene[face.top - 10 : face.bottom + 10, left : left + face.width + 20]
    lower[:] = cv2.addWeighted(lower, 1 - opacity, upper[: lower.shape[0]], opacity, 0)
    assert len(detector.find(np.asarray(scene, np.uint8))) == found


@pytest.mark.parametrize("shape", [(1, 1, 3), (48, 64, 3), (720, 1280, 3), (10, 3000, 3)])
def test_a_picture_without_faces_has_none(detector: HaarDetector, shape: tuple[int, int, int]) -> None:
    """Of any size."""
    assert detector.find(np.full(shape, 127, np.uint8)) == ()
