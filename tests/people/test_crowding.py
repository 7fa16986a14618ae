"""What crowded regions of faces add to distances."""

import numpy as np
import pytest

from tests.support.builders import some_encodings
from turnstile.people.crowding import CENTRES, FARTHEST, SHARE, USUAL, crowding
from turnstile.people.gallery import build_gallery

AVERAGED = "dlib-resnet-v1/mirror+paddings"


def test_a_face_in_a_crowd_is_farther_from_everybody() -> None:
    """A centre is as crowded as can be."""
    assert crowding(CENTRES) == pytest.approx([SHARE * USUAL] * len(CENTRES), abs=1e-3)


def test_what_is_no_face_is_hardly_nearer_to_anybody() -> None:
    """However far it is from all centres: else noise would be brought near to people."""
    assert crowding(some_encodings(50)) == pytest.approx([SHARE * (USUAL - FARTHEST)] * 50, abs=1e-6)


def test_no_faces_have_no_crowding() -> None:
    """An empty frame."""
    assert crowding(some_encodings(0)).shape == (0,)


@pytest.mark.parametrize("faces", [1, 3, 9])
def test_the_nearest_person_is_the_one_nearest_with_crowds_counted(faces: int) -> None:
    """In batches of any size: one in a crowd loses to one who is a little farther and alone."""
    random = np.random.default_rng(5)
    around = CENTRES[random.integers(0, len(CENTRES), 60)] + random.normal(0, 0.03, (60, 128))
    rows = np.asarray(around / np.linalg.norm(around, axis=1, keepdims=True), np.float32)
    gallery = build_gallery(AVERAGED, [(f"P{at:02}", row.tobytes()) for at, row in enumerate(rows[faces:])])
    apart = np.linalg.norm(rows[:faces, None] - rows[None, faces:], axis=2)
    measured = apart + crowding(rows[:faces])[:, None] + crowding(rows[faces:])[None]
    for match, expected in zip(gallery.match(rows[:faces]), measured, strict=True):
        order = np.argsort(expected)
        assert match.person == gallery.persons[order[0]]
        assert match.distance == pytest.approx(expected[order[0]], abs=1e-4)
        assert match.second_distance == pytest.approx(expected[order[1]], abs=1e-4)


def test_the_same_picture_is_at_no_distance_less_than_none() -> None:
    """Messages take no negative distance."""
    alone = np.eye(1, 128, dtype=np.float32)
    assert build_gallery(AVERAGED, [("Ann", alone.tobytes())]).match(alone)[0].distance == 0.0
