"""Which faces need no encoding: those that the broker knows, where it knows them."""

import pytest

from tests.support.builders import a_box
from turnstile.protocol.fields import Box, Hint
from turnstile.vision.encode.known import unknown_faces


def a_hint(*boxes_px: Box, find_only: tuple[int, ...] = (0,)) -> Hint:
    """Return a hint in which the first face is known."""
    return Hint(boxes_px=boxes_px or (a_box(),), age_s=0.1, frames_since_full_scan=0, find_only=find_only)


def test_a_known_face_in_its_place_is_not_encoded() -> None:
    """Detectors place it a little differently each time."""
    assert unknown_faces([a_box()], a_hint()) == []
    assert unknown_faces([a_box(left=104, top=77, size=64)], a_hint()) == []


@pytest.mark.parametrize("hint", [None, a_hint(find_only=())])
def test_without_a_word_of_the_broker_all_are_encoded(hint: Hint | None) -> None:
    """As by a broker that decides nothing yet."""
    assert unknown_faces([a_box(), a_box(left=300)], hint) == [0, 1]


@pytest.mark.parametrize("box", [a_box(left=125), a_box(top=105), a_box(left=85, top=65, size=90)])
def test_a_known_face_that_moved_is_encoded_at_once(box: Box) -> None:
    """Aside, down, or near: it may be another's by now."""
    assert unknown_faces([box], a_hint()) == [0]


@pytest.mark.parametrize(("left", "encoded"), [(185, [0, 1]), (300, [1])])
def test_a_known_face_that_another_comes_near_is_encoded_at_once(left: int, encoded: list[int]) -> None:
    """A newcomer is encoded anyway."""
    assert unknown_faces([a_box(), a_box(left=left)], a_hint()) == encoded


def test_an_index_of_no_box_is_passed_over() -> None:
    """A hint that contradicts itself spares nothing."""
    assert unknown_faces([a_box()], a_hint(find_only=(7,))) == [0]
