"""Where faces are looked for: near hinted ones, and everywhere often enough."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from turnstile.errors import PictureError
from turnstile.protocol.fields import Box, Hint, overlap_of
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect.search import Detection, distinct, find, part_around, the_one_face

PICTURE: PictureRgb = np.zeros((480, 640, 3), np.uint8)


def a_box(left: int = 100, top: int = 100, side: int = 80) -> Box:
    """Return a square box."""
    return Box(left=left, top=top, right=left + side, bottom=top + side)


def a_hint(*boxes: Box, age_s: float = 0.1, frames_since_full_scan: int = 0) -> Hint:
    """Return a hint at boxes."""
    return Hint(boxes_px=boxes, age_s=age_s, frames_since_full_scan=frames_since_full_scan)


@dataclass
class FakeDetector:
    """Finds the faces that it was told are there."""

    faces: list[Detection]
    scans: int = 0
    searched: list[Box] = field(default_factory=list)

    @property
    def description(self) -> str:
        """Return a word."""
        return "fake"

    def scan(self, picture_rgb: PictureRgb) -> list[Detection]:
        """Return all faces."""
        assert picture_rgb is PICTURE
        self.scans += 1
        return self.faces

    def search(self, picture_rgb: PictureRgb, around: Box) -> list[Detection]:
        """Return the faces that touch a box."""
        assert picture_rgb is PICTURE
        self.searched.append(around)
        return [face for face in self.faces if overlap_of(face.box_px, around) > 0]


def test_without_a_hint_the_whole_picture_is_searched() -> None:
    """The first frame of a camera has none."""
    detector = FakeDetector([Detection(box_px=a_box(), score=1.0)])
    sighting = find(detector, PICTURE, None, full_scan_every=15)
    assert sighting.boxes_px == (a_box(),)
    assert sighting.full_scan
    assert detector.searched == []


def test_a_hinted_face_that_is_still_there_spares_the_full_scan() -> None:
    """Its new box is returned, not the hinted one."""
    moved = a_box(left=110)
    detector = FakeDetector([Detection(box_px=moved, score=1.0)])
    sighting = find(detector, PICTURE, a_hint(a_box()), full_scan_every=15)
    assert sighting.boxes_px == (moved,)
    assert not sighting.full_scan
    assert detector.scans == 0


def test_a_hinted_face_that_is_gone_leads_to_a_full_scan() -> None:
    """It may have jumped, and others may have come."""
    stays, jumped = a_box(left=10), a_box(left=400)
    detector = FakeDetector([Detection(box_px=stays, score=1.0), Detection(box_px=jumped, score=1.0)])
    sighting = find(detector, PICTURE, a_hint(stays, a_box(left=250)), full_scan_every=15)
    assert set(sighting.boxes_px) == {stays, jumped}
    assert sighting.full_scan


def test_a_hint_at_nobody_leads_to_a_full_scan() -> None:
    """So a person who enters an empty scene is seen in the first frame."""
    detector = FakeDetector([Detection(box_px=a_box(), score=1.0)])
    assert find(detector, PICTURE, a_hint(), full_scan_every=15).full_scan


def test_a_crowd_leads_to_a_full_scan() -> None:
    """Following each of many faces would cost more."""
    crowd = [a_box(left=90 * index) for index in range(7)]
    detector = FakeDetector([Detection(box_px=box, score=1.0) for box in crowd])
    assert find(detector, PICTURE, a_hint(*crowd), full_scan_every=15).full_scan
    assert detector.searched == []


def test_an_old_hint_leads_to_a_full_scan() -> None:
    """After a second people are somewhere else."""
    detector = FakeDetector([Detection(box_px=a_box(), score=1.0)])
    assert find(detector, PICTURE, a_hint(a_box(), age_s=1.5), full_scan_every=15).full_scan


def test_a_newcomer_is_seen_within_the_stated_number_of_frames() -> None:
    """Of `full_scan_every` frames in a row, one is searched in full."""
    detector = FakeDetector([Detection(box_px=a_box(), score=1.0)])
    since, full = 0, []
    for _ in range(12):
        hint = a_hint(a_box(), frames_since_full_scan=since)
        sighting = find(detector, PICTURE, hint, full_scan_every=4)
        since = 0 if sighting.full_scan else since + 1
        full.append(sighting.full_scan)
    assert full == [False, False, False, True] * 3


def test_every_frame_is_searched_in_full_if_the_site_says_so() -> None:
    """`full_scan_every: 1` switches hints off."""
    detector = FakeDetector([Detection(box_px=a_box(), score=1.0)])
    assert find(detector, PICTURE, a_hint(a_box()), full_scan_every=1).full_scan


def test_two_hints_at_one_face_give_it_once() -> None:
    """Hinted boxes may overlap after a crossing."""
    detector = FakeDetector([Detection(box_px=a_box(), score=1.0)])
    sighting = find(detector, PICTURE, a_hint(a_box(left=95), a_box(left=105)), full_scan_every=15)
    assert sighting.boxes_px == (a_box(),)


def test_faces_come_biggest_first() -> None:
    """Whatever order the detector has."""
    small, big = a_box(side=40), a_box(left=300, side=120)
    detector = FakeDetector([Detection(box_px=small, score=2.0), Detection(box_px=big, score=1.0)])
    assert find(detector, PICTURE, None, full_scan_every=15).boxes_px == (big, small)


def test_of_overlapping_boxes_the_surest_stays() -> None:
    """Boxes that share more than 30 % of their union are one face."""
    sure, doubtful = Detection(box_px=a_box(), score=1.0), Detection(box_px=a_box(left=110), score=0.2)
    apart = Detection(box_px=a_box(left=170), score=0.1)
    assert distinct([doubtful, apart, sure]) == [sure, apart]
    assert distinct([]) == []


def test_overlap_is_intersection_over_union() -> None:
    """0 for boxes that only touch, 1 for equal ones."""
    assert overlap_of(a_box(), a_box()) == 1
    assert overlap_of(a_box(left=0, side=10), a_box(left=10, side=10)) == 0
    assert (
        overlap_of(Box(left=0, top=0, right=10, bottom=10), Box(left=5, top=0, right=15, bottom=10)) == 1 / 3
    )


@pytest.mark.parametrize("left", [-60, 0, 300, 600, 2000])
def test_the_surroundings_of_a_box_stay_within_the_picture(left: int) -> None:
    """A hint may name any place; what is cut out is never turned inside out."""
    part = part_around(a_box(left=left), within=PICTURE, face_px=110)
    assert 0 <= part.left <= 640
    assert 0 <= part.right <= 640
    assert PICTURE[part.top : part.bottom, part.left : part.right].shape[1] <= 144


def test_a_box_of_a_scaled_part_is_mapped_back_and_clipped() -> None:
    """Half the scale, moved by the part's corner, cut off at the picture's edge."""
    part = part_around(a_box(left=560), within=PICTURE, face_px=40)
    assert (part.left, part.scale) == (536, 0.5)
    assert part.box(10, 20, 50, 60, within=PICTURE.shape) == Box(left=556, top=116, right=636, bottom=196)
    assert part.box(10, 20, 90, 60, within=PICTURE.shape) == Box(left=556, top=116, right=640, bottom=196)
    assert part.box(90, 20, 99, 60, within=PICTURE.shape) is None


def test_an_enrolment_picture_must_show_one_face_of_some_size() -> None:
    """Each sentence says what is wrong."""
    assert the_one_face([a_box()], PICTURE, min_face_px=60) == a_box()
    with pytest.raises(PictureError, match="no face found"):
        the_one_face([], PICTURE, min_face_px=60)
    with pytest.raises(PictureError, match="2 faces found"):
        the_one_face([a_box(), a_box(left=300)], PICTURE, min_face_px=60)
    with pytest.raises(PictureError, match="too small: 80 px wide, at least 100 are needed"):
        the_one_face([a_box()], PICTURE, min_face_px=100)
