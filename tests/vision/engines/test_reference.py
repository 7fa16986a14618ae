"""The reference engine on real faces."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from turnstile.errors import PictureError
from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.engines.reference import ReferenceEngine
from turnstile.vision.engines.selection import make_engine
from turnstile.vision.pictures import decode_enrolment


def scaled(picture: PictureRgb, scale: float) -> PictureRgb:
    """Return a picture made smaller."""
    height, width = picture.shape[:2]
    return np.asarray(Image.fromarray(picture).resize((round(width * scale), round(height * scale))))


def test_the_same_person_is_nearer_than_another(reference: ReferenceEngine, faces: Path) -> None:
    """Two pictures of one person lie under 0.6, of two people above it: face_recognition's own rule."""
    first, second, other = (
        reference.enrol(decode_enrolment((faces / name).read_bytes())).encoding
        for name in ("obama.jpg", "obama2.jpg", "biden.jpg")
    )
    assert first.shape == (1, 128)
    assert first.dtype == np.float32
    assert np.linalg.norm(first - second) < 0.6
    assert np.linalg.norm(first - other) > 0.6


def test_a_frame_gives_its_faces_biggest_first(
    reference: ReferenceEngine, two_people: PictureRgb, as_jpeg: Callable[[PictureRgb], bytes]
) -> None:
    """Boxes, encodings and sharpness belong together, and boxes lie within the frame."""
    analysis = reference.analyse(as_jpeg(two_people))
    first, second = analysis.boxes_px
    assert first.width * first.height >= second.width * second.height
    assert analysis.encodings.shape == (2, 128)
    assert len(analysis.sharpness) == 2
    assert analysis.full_scan
    for box in analysis.boxes_px:
        assert 0 <= box.left < box.right <= two_people.shape[1]
        assert 0 <= box.top < box.bottom <= two_people.shape[0]


def test_a_frame_without_faces_gives_none(
    reference: ReferenceEngine, as_jpeg: Callable[[PictureRgb], bytes]
) -> None:
    """No boxes and a matrix of no rows."""
    analysis = reference.analyse(as_jpeg(np.full((240, 320, 3), 90, np.uint8)))
    assert analysis.boxes_px == ()
    assert analysis.sharpness == ()
    assert analysis.encodings.shape == (0, 128)


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (3, 400)])
def test_a_tiny_frame_does_no_harm(
    reference: ReferenceEngine, as_jpeg: Callable[[PictureRgb], bytes], size: tuple[int, int]
) -> None:
    """A camera may be set to anything."""
    assert reference.analyse(as_jpeg(np.zeros((*size, 3), np.uint8))).boxes_px == ()


def test_a_frame_that_cannot_be_decoded_is_an_error(reference: ReferenceEngine) -> None:
    """The node counts it; the engine lives on."""
    with pytest.raises(PictureError):
        reference.analyse(b"\xff\xd8 broken \xff\xd9")


def test_a_picture_without_a_face_cannot_be_enrolled(reference: ReferenceEngine) -> None:
    """The sentence tells the person what to change."""
    with pytest.raises(PictureError, match="no face found"):
        reference.enrol(np.full((300, 300, 3), 128, np.uint8))


def test_a_picture_of_two_people_cannot_be_enrolled(
    reference: ReferenceEngine, two_people: PictureRgb
) -> None:
    """Nobody can tell whose name the file bears."""
    with pytest.raises(PictureError, match="2 faces found"):
        reference.enrol(two_people)


def test_a_small_face_cannot_be_enrolled(obama: PictureRgb) -> None:
    """The sentence says how wide it is and what is needed."""
    strict = ReferenceEngine(RecognitionSettings(min_enrol_face_px=150))
    with pytest.raises(PictureError, match=r"too small: \d+ px wide, at least 150 are needed$"):
        strict.enrol(scaled(obama, 0.2))


@pytest.mark.parametrize("scale", [0.1, 0.14, 0.19])
def test_a_face_that_is_too_small_is_not_called_no_face(
    reference: ReferenceEngine, obama: PictureRgb, scale: float
) -> None:
    """27 to 52 px wide."""
    with pytest.raises(PictureError, match=r"too small: \d+ px wide, at least 60 are needed$"):
        reference.enrol(scaled(obama, scale))


def test_the_smallest_face_sets_how_often_a_frame_is_doubled() -> None:
    """HOG needs 80 pixels: 40 is one doubling, as face_recognition does by default."""
    assert "upsampled 1 time" in ReferenceEngine(RecognitionSettings(min_face_px=40)).description.detector
    assert "upsampled 0 times" in ReferenceEngine(RecognitionSettings(min_face_px=100)).description.detector
    assert "upsampled 2 times" in ReferenceEngine(RecognitionSettings(min_face_px=39)).description.detector


def test_the_site_file_names_the_engine() -> None:
    """`make_engine` is what nodes call."""
    engine = make_engine(RecognitionSettings(engine="reference"))
    assert engine.description.encoding == "dlib-resnet-v1/raw"
