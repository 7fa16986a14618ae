"""The convolutional detector and its pyramid, against dlib itself."""

from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest

from turnstile.protocol.fields import Box, overlap_of
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect import pyramid
from turnstile.vision.detect.cnn import CnnDetector
from turnstile.vision.models import cache
from turnstile.vision.pictures import decode_enrolment


@pytest.fixture(scope="module")
def detector() -> CnnDetector:
    """Return the detector at the picture's own scale."""
    return CnnDetector(cache.detector(), cache.detector_windows(), min_face_px=80, min_score=0.0)


@pytest.fixture(scope="module")
def dlibs_own() -> dlib.cnn_face_detection_model_v1:
    """Return dlib's detector."""
    return dlib.cnn_face_detection_model_v1(str(cache.model_file(cache.DETECTOR_FILE)))


def test_boxes_in_all_sample_pictures_equal_dlibs(
    detector: CnnDetector, dlibs_own: dlib.cnn_face_detection_model_v1, faces: Path
) -> None:
    """Each side is within a pixel, and the score within a hundredth; half faces included."""
    for file in sorted(faces.glob("*.jpg")):
        picture = decode_enrolment(file.read_bytes())
        height, width = (round(side * 0.4) for side in picture.shape[:2])
        small = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        ours = detector.windows(small)
        theirs = dlibs_own(small, 0)
        assert len(ours) == len(theirs) == 1
        for mine, other in zip(ours, theirs, strict=True):
            rect = other.rect
            sides = (rect.left(), rect.top(), rect.right(), rect.bottom())
            assert np.abs(np.subtract(mine[1:], sides)).max() <= 1
            assert mine.score == pytest.approx(other.confidence, abs=0.01)


def test_int8_moves_scores_by_little(detector: CnnDetector, two_people: PictureRgb) -> None:
    """It finds the same faces. A neighbouring window that scored nearly the same may win."""
    fast = CnnDetector(
        cache.detector(precision="int8"), cache.detector_windows(), min_face_px=80, min_score=0.0
    )
    ours, theirs = fast.scan(two_people), detector.scan(two_people)
    assert len(ours) == len(theirs) == 2
    for one, other in zip(ours, theirs, strict=True):
        assert overlap_of(one.box_px, other.box_px) > 0.6
        assert 0 < abs(one.score - other.score) < 0.03


def test_two_people_are_found_and_boxes_clipped(detector: CnnDetector, two_people: PictureRgb) -> None:
    """Boxes come in pixels of the picture and stay within it."""
    boxes = [found.box_px for found in detector.scan(two_people)]
    assert len(boxes) == 2
    assert overlap_of(*boxes) == 0
    for box in boxes:
        assert 0 <= box.left < box.right <= two_people.shape[1]


def test_a_face_is_found_near_a_hint(detector: CnnDetector, two_people: PictureRgb) -> None:
    """Only the face that was asked for is looked at."""
    first = detector.scan(two_people)[0].box_px
    (near,) = detector.search(two_people, first)
    assert overlap_of(near.box_px, first) > 0.5


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (30, 400), (400, 3)])
def test_a_tiny_picture_has_no_faces(detector: CnnDetector, size: tuple[int, int]) -> None:
    """No size makes the pyramid or the network stumble."""
    assert detector.scan(np.zeros((*size, 3), np.uint8)) == []
    assert detector.search(np.zeros((*size, 3), np.uint8), Box(left=-9, top=500, right=20, bottom=600)) == []


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (853, 480), (81, 33), (1920, 1080), (30, 900)])
def test_no_two_copies_of_a_pyramid_overlap(size: tuple[int, int]) -> None:
    """Each lies on the canvas, ten pixels from the next, and is 5/6 of the one before."""
    layout = pyramid.lay_out(*size)
    covered = np.zeros((layout.height, layout.width), np.uint8)
    for tile in layout.tiles:
        assert 11 <= tile.left <= layout.width - 11 - tile.width
        assert 11 <= tile.top <= layout.height - 11 - tile.height
        covered[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] += 1
    assert covered.max() == 1
    assert (layout.tiles[0].width, layout.tiles[0].height) == size


def test_a_point_of_a_copy_is_mapped_back_to_the_picture() -> None:
    """Within a pixel at every level."""
    layout = pyramid.lay_out(640, 480)
    for level, tile in enumerate(layout.tiles[:6]):
        x, y = tile.left + 0.5 * tile.width, tile.top + 0.25 * tile.height
        assert layout.nearest(x, y) == level
        back = layout.to_picture(x, y, tile=level)
        assert back == pytest.approx((320, 120), abs=2 + level)
