"""A camera whose faces lie on their side is named, and only such a one."""

import cv2
import pytest

from tests.vision.conftest import Encode
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.engines.reference import ReferenceEngine
from turnstile.vision.engines.sideways import LOOK_EVERY, TURNS, UPRIGHT_FRAMES, SidewaysWatch
from turnstile.vision.turning import turned

PATIENCE = LOOK_EVERY * len(TURNS) + 1


@pytest.fixture
def watch(reference: ReferenceEngine) -> SidewaysWatch:
    """Return a watch that looks with the reference engine."""
    return SidewaysWatch(count_faces=lambda jpeg: len(reference.analyse(jpeg).boxes_px))


@pytest.fixture
def small(obama: PictureRgb) -> PictureRgb:
    """Return a portrait that is searched quickly."""
    return cv2.resize(obama, (320, 320 * obama.shape[0] // obama.shape[1])).astype(obama.dtype)


@pytest.mark.parametrize("lying", [90, 180, 270])
def test_a_camera_whose_faces_lie_is_named_once_with_what_to_set(
    watch: SidewaysWatch, small: PictureRgb, as_jpeg: Encode, lying: int
) -> None:
    """The turn that makes them upright is found."""
    jpeg = as_jpeg(turned(small, lying))
    said = list(filter(None, (watch.note("door", jpeg, faces=0) for _ in range(2 * PATIENCE))))
    assert len(said) == 1
    assert f"add {360 - lying} to cameras.door.rotate" in said[0]
    assert watch.hints == {"door": said[0]}
    for _ in range(UPRIGHT_FRAMES):
        watch.note("door", jpeg, faces=1)
    assert not watch.hints


def test_a_camera_that_sees_upright_faces_is_not_looked_at_again(small: PictureRgb, as_jpeg: Encode) -> None:
    """Somebody lay down there."""
    looks: list[bytes] = []

    def count_faces(jpeg: bytes) -> int:
        looks.append(jpeg)
        return 1

    watch = SidewaysWatch(count_faces=count_faces)
    for _ in range(UPRIGHT_FRAMES):
        watch.note("door", as_jpeg(small), faces=1)
    assert not any(watch.note("door", as_jpeg(small), faces=0) for _ in range(PATIENCE))
    assert not looks


def test_what_looks_like_a_face_once_is_not_said(small: PictureRgb, as_jpeg: Encode) -> None:
    """Every other look finds one, as a detector's error may."""
    answers = iter([1, 0] * PATIENCE)
    watch = SidewaysWatch(count_faces=lambda _: next(answers))
    assert not any(watch.note("door", as_jpeg(small), faces=0) for _ in range(PATIENCE))
