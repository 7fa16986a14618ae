"""The accelerated engine on real faces."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from turnstile.access.linking import TURNED
from turnstile.errors import PictureError
from turnstile.protocol.fields import Box, Hint, overlap_of
from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect.blazeface import BlazeFaceDetector
from turnstile.vision.detect.hog import HogDetector
from turnstile.vision.detect.search import Detection
from turnstile.vision.encode.crowd import MAX_ENCODED
from turnstile.vision.engines.accelerated import AcceleratedEngine
from turnstile.vision.engines.reference import ReferenceEngine
from turnstile.vision.engines.selection import make_engine
from turnstile.vision.pictures import decode_enrolment

Encode = Callable[[PictureRgb], bytes]

LOOKS_FOR_A_TURN = 120
"""The second face comes first in a quarter of all frames, so nobody waits for so many."""


@pytest.fixture(scope="module", params=["blazeface", "hog", "cnn"])
def engine(request: pytest.FixtureRequest) -> AcceleratedEngine:
    """Return the engine with each detector."""
    return AcceleratedEngine(
        RecognitionSettings(
            engine="accelerated", detector=request.param, min_face_px=80, encode_budget_ms=10_000
        )
    )


def test_it_sees_the_faces_that_the_reference_engine_sees(
    reference: ReferenceEngine, engine: AcceleratedEngine, two_people: PictureRgb, as_jpeg: Encode
) -> None:
    """The same number, in nearly the same places, biggest first, with pixels for thumbnails."""
    jpeg = as_jpeg(two_people)
    theirs, ours = reference.analyse(jpeg), engine.analyse(jpeg)
    assert len(ours.boxes_px) == len(theirs.boxes_px) == 2
    for mine in ours.boxes_px:
        assert max(overlap_of(mine, other) for other in theirs.boxes_px) > 0.4
    assert ours.encodings.shape == (2, 128)
    assert len(ours.sharpness) == 2
    assert ours.turns == pytest.approx(theirs.turns, abs=0.1)
    assert max(ours.turns) < TURNED
    assert ours.full_scan
    assert ours.picture_rgb is not None
    assert ours.picture_rgb.shape == two_people.shape


def test_raw_encodings_of_both_engines_may_be_compared(
    reference: ReferenceEngine, two_people: PictureRgb, as_jpeg: Encode
) -> None:
    """They bear the same name and lie next to each other, so both kinds of recognizers serve one site."""
    raw = AcceleratedEngine(RecognitionSettings(engine="accelerated", policy="raw", encode_budget_ms=10_000))
    assert raw.description.encoding == reference.description.encoding == "dlib-resnet-v1/raw"
    ours, theirs = raw.analyse(as_jpeg(two_people)), reference.analyse(as_jpeg(two_people))
    distances = np.linalg.norm(ours.encodings[:, None] - theirs.encodings[None], axis=2)
    assert (distances.min(axis=1) < 0.2).all()


def test_the_same_person_is_nearer_than_another(engine: AcceleratedEngine, faces: Path) -> None:
    """Enrolled pictures of one person lie together."""
    first, second, other = (
        engine.enrol(decode_enrolment((faces / name).read_bytes())).encoding
        for name in ("obama.jpg", "obama2.jpg", "biden.jpg")
    )
    assert first.shape == (1, 128)
    assert np.linalg.norm(first - second) < 0.35
    assert np.linalg.norm(first - other) > 0.5


def test_a_hint_spares_the_full_scan_and_finds_the_same_faces(
    engine: AcceleratedEngine, two_people: PictureRgb, as_jpeg: Encode
) -> None:
    """And when a face has gone from its place, everything is searched."""
    jpeg = as_jpeg(two_people)
    full = engine.analyse(jpeg)
    hint = Hint(boxes_px=full.boxes_px, age_s=0.07, frames_since_full_scan=0)
    near = engine.analyse(jpeg, hint=hint)
    assert not near.full_scan
    assert len(near.boxes_px) == 2
    for mine, other in zip(near.boxes_px, full.boxes_px, strict=True):
        assert overlap_of(mine, other) > 0.5
    elsewhere = np.zeros_like(two_people)
    elsewhere[:, :750] = two_people[:, 250:]
    gone = engine.analyse(as_jpeg(elsewhere), hint=hint)
    assert gone.full_scan
    assert len(gone.boxes_px) >= 1


def test_a_face_that_the_broker_knows_is_found_and_not_encoded(
    reference: ReferenceEngine, engine: AcceleratedEngine, two_people: PictureRgb, as_jpeg: Encode
) -> None:
    """The other one is encoded as ever, also after a search of the whole picture."""
    jpeg = as_jpeg(two_people)
    full = engine.analyse(jpeg)
    hint = Hint(boxes_px=full.boxes_px, age_s=0.07, frames_since_full_scan=0, find_only=(0,))
    for analysis in (
        engine.analyse(jpeg, hint=hint),
        engine.analyse(jpeg, hint=replace(hint, frames_since_full_scan=1000)),
        reference.analyse(jpeg, hint=replace(hint, boxes_px=reference.analyse(jpeg).boxes_px)),
    ):
        assert len(analysis.boxes_px) == 2
        assert analysis.encoded == (1,)
        assert analysis.left_out == 0
        assert [sharp > 0 for sharp in analysis.sharpness] == [False, True]
    assert np.linalg.norm(engine.analyse(jpeg, hint=hint).encodings[0] - full.encodings[1]) < 0.1


@pytest.mark.parametrize("detector", ["blazeface", "hog"])
def test_large_frames_are_decoded_no_larger_than_the_smallest_face_needs(
    two_people: PictureRgb, as_jpeg: Encode, detector: Literal["blazeface", "hog"]
) -> None:
    """Faces are found where they are all the same, and an empty frame is never decoded in full."""
    engine = AcceleratedEngine(RecognitionSettings(min_face_px=240, detector=detector))
    large = np.repeat(np.repeat(two_people, 3, axis=0), 3, axis=1)[:-1, :-2]
    jpeg = as_jpeg(large)
    assert HogDetector(min_face_px=240, second_look=OneFace()).reduction == 4
    assert BlazeFaceDetector(min_face_px=240, second_look=OneFace()).reduction == 8
    analysis = engine.analyse(jpeg)
    full = [found.box_px for found in engine.detector.scan(large)]
    assert len(analysis.boxes_px) == len(full) == 2
    for mine in analysis.boxes_px:
        assert max(overlap_of(mine, other) for other in full) > 0.7
        assert 0 <= mine.left < mine.right <= large.shape[1]
        assert 0 <= mine.top < mine.bottom <= large.shape[0]
    assert analysis.full_scan
    assert analysis.picture_rgb is not None
    empty = engine.analyse(as_jpeg(np.full_like(large, 90)))
    assert (empty.boxes_px, empty.encodings.shape, empty.full_scan) == ((), (0, 128), True)
    assert empty.picture_rgb is None


def test_a_frame_without_faces_gives_none(engine: AcceleratedEngine, as_jpeg: Encode) -> None:
    """No boxes and a matrix of no rows, at any size."""
    for size in ((240, 320), (1, 1), (16, 16), (3, 400)):
        analysis = engine.analyse(as_jpeg(np.full((*size, 3), 90, np.uint8)))
        assert analysis.boxes_px == ()
        assert analysis.encodings.shape == (0, 128)


def test_a_hint_from_anywhere_does_no_harm(engine: AcceleratedEngine, as_jpeg: Encode) -> None:
    """Cameras change their size between two frames."""
    wild = (
        Box(left=-500, top=-500, right=-400, bottom=-400),
        Box(left=5000, top=5000, right=5001, bottom=5001),
        Box(left=0, top=0, right=0, bottom=0),
        Box(left=-60000, top=-60000, right=60000, bottom=60000),
    )
    hint = Hint(boxes_px=wild, age_s=0, frames_since_full_scan=0)
    analysis = engine.analyse(as_jpeg(np.full((240, 320, 3), 90, np.uint8)), hint=hint)
    assert analysis.boxes_px == ()
    assert analysis.full_scan


def test_a_frame_that_cannot_be_decoded_is_an_error(engine: AcceleratedEngine) -> None:
    """The node counts it; the engine lives on."""
    with pytest.raises(PictureError):
        engine.analyse(b"\xff\xd8 broken \xff\xd9")


def test_pictures_that_cannot_be_enrolled_are_told_why(
    engine: AcceleratedEngine, two_people: PictureRgb
) -> None:
    """No face, and two faces."""
    with pytest.raises(PictureError, match="no face found"):
        engine.enrol(np.full((300, 300, 3), 128, np.uint8))
    with pytest.raises(PictureError, match="2 faces found"):
        engine.enrol(two_people)


@pytest.mark.parametrize("face_px", [27, 38, 45])
def test_a_face_that_is_too_small_is_not_called_no_face(
    engine: AcceleratedEngine, obama: PictureRgb, face_px: int
) -> None:
    """The sentence says how wide it is and what is needed."""
    small = cv2.resize(obama, None, fx=face_px / 272, fy=face_px / 272, interpolation=cv2.INTER_AREA)
    with pytest.raises(PictureError, match=r"^the face is too small: \d+ px wide, at least 60 are needed$"):
        engine.enrol(np.asarray(small, np.uint8))


def test_a_small_face_in_a_large_picture_is_told_of_the_scaling(
    engine: AcceleratedEngine, obama: PictureRgb
) -> None:
    """The width is not the one that the person measures in the file."""
    page = np.full((1600, 1200, 3), 200, np.uint8)
    small = cv2.resize(obama, None, fx=0.15, fy=0.15, interpolation=cv2.INTER_AREA)
    page[700 : 700 + small.shape[0], 500 : 500 + small.shape[1]] = small
    with pytest.raises(
        PictureError, match=r"needed; the picture was scaled to 1600 px: crop it to the face$"
    ):
        engine.enrol(page)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_that_is_not_upright_is_told_so(obama: PictureRgb, quarters: int) -> None:
    """Scanners and editors lose the note of how to turn a picture."""
    engine = AcceleratedEngine(RecognitionSettings(detector="hog"))
    with pytest.raises(PictureError, match=r"^the face is not upright; turn the picture and save it$"):
        engine.enrol(np.ascontiguousarray(np.rot90(obama, quarters)))


def test_enrolment_is_in_float32_whatever_frames_are_encoded_in(obama: PictureRgb, as_jpeg: Encode) -> None:
    """An encoding that stays for years is the exact one; those of frames stay close to it."""
    exact, fast = (
        AcceleratedEngine(RecognitionSettings(precision=name, enrol_policy="mirror"))
        for name in ("float32", "int8")
    )
    template = exact.enrol(obama).encoding
    assert np.array_equal(fast.enrol(obama).encoding, template)
    moved = np.linalg.norm(fast.analyse(as_jpeg(obama)).encodings - template)
    assert 0.001 < moved < 0.15
    assert "(int8), as recognition.precision says" in fast.description.runtime


def test_the_description_says_what_runs(engine: AcceleratedEngine) -> None:
    """Detector, runtime, precision, weights and policies."""
    description = engine.description
    assert description.encoding == "dlib-resnet-v1/mirror+paddings"
    assert description.detector.partition(",")[0] in {"blazeface", "hog", "cnn"}
    assert "openvino" in description.runtime
    assert any(name in description.runtime for name in ("(float32)", "(bfloat16)", "(int8)"))


def test_the_site_file_chooses_the_engine() -> None:
    """`make_engine` is what nodes call."""
    assert isinstance(make_engine(RecognitionSettings(engine="accelerated")), AcceleratedEngine)


@dataclass
class OneFace:
    """A second look that sees a face wherever it is asked."""

    asked: list[Box] = field(default_factory=list)

    @property
    def description(self) -> str:
        """Return a word."""
        return "sees faces everywhere"

    def scan(self, picture_rgb: PictureRgb) -> list[Detection]:
        """Refuse: HOG does this."""
        raise AssertionError(picture_rgb.shape)

    def search(self, picture_rgb: PictureRgb, around: Box) -> list[Detection]:
        """Return the place itself."""
        assert picture_rgb.ndim == 3
        self.asked.append(around)
        return [Detection(box_px=around, score=0.5)]


def test_a_sure_face_needs_no_second_look(obama: PictureRgb) -> None:
    """Only what the coarse scan doubts is looked at again."""
    second = OneFace()
    found = HogDetector(min_face_px=100, second_look=second).scan(obama)
    sure = [face for face in found if face.score > 0.5]
    assert len(sure) == 1
    assert all(overlap_of(sure[0].box_px, asked) < 0.3 for asked in second.asked)


def test_a_face_that_is_doubted_gets_a_second_look(obama: PictureRgb) -> None:
    """As it gets smaller, there is a size at which it is no longer sure but not dropped either."""
    face = HogDetector(min_face_px=100, second_look=OneFace()).scan(obama)[0].box_px
    outcomes = []
    for scale in np.linspace(0.10, 0.30, 11):
        size = round(obama.shape[1] * scale), round(obama.shape[0] * scale)
        small = np.asarray(Image.fromarray(obama).resize(size))
        place = Box(
            left=round(face.left * scale),
            top=round(face.top * scale),
            right=round(face.right * scale),
            bottom=round(face.bottom * scale),
        )
        second = OneFace()
        HogDetector(min_face_px=57, second_look=second).scan(small)
        outcomes.append(any(overlap_of(asked, place) > 0.3 for asked in second.asked))
    assert any(outcomes)
    assert not outcomes[-1]


def test_a_poster_costs_no_more_than_a_few_faces(
    engine: AcceleratedEngine, two_people: PictureRgb, as_jpeg: Encode
) -> None:
    """All its faces are found; eight are encoded, so that the next door need not wait."""
    poster = as_jpeg(np.tile(two_people, (2, 4, 1)))
    seen = engine.analyse(poster)
    assert len(seen.boxes_px) > MAX_ENCODED
    assert seen.encoded is not None
    assert len(seen.encodings) == len(seen.encoded) == MAX_ENCODED
    assert seen.left_out == len(seen.boxes_px) - MAX_ENCODED
    assert len({engine.analyse(poster).encoded for _ in range(6)}) > 1


def test_a_slow_machine_encodes_one_face_of_a_frame_and_finds_them_all(
    two_people: PictureRgb, as_jpeg: Encode
) -> None:
    """The time for encoding is over after the first; the other has its turn in another frame."""
    engine = AcceleratedEngine(RecognitionSettings(min_face_px=80, encode_budget_ms=1))
    encoded: set[tuple[int, ...] | None] = set()
    for _ in range(LOOKS_FOR_A_TURN):
        seen = engine.analyse(as_jpeg(two_people))
        assert (len(seen.boxes_px), len(seen.encodings), seen.left_out) == (2, 1, 1)
        encoded.add(seen.encoded)
        if len(encoded) > 1:
            break
    assert encoded == {(0,), (1,)}
