"""Pictures judged by numbers: what is wrong with each, and which are better left out."""

import pytest

from tests.people.test_building import ENGINE, of
from tests.support.builders import some_looks
from turnstile.people.building import GalleryBuilder
from turnstile.people.quality import in_words, spoils, weaknesses


def test_nothing_is_wrong_with_a_good_picture() -> None:
    """Nor with one whose looks are not known."""
    assert weaknesses(some_looks()) == weaknesses(None) == []


@pytest.mark.parametrize(
    ("looks", "words", "left_out"),
    [
        ({"width_px": 59}, "the face is small: 59 px wide", False),
        ({"sharpness": 19}, "it is blurred", False),
        ({"sharpness": 5}, "it is blurred", True),
        ({"sharpness": 5, "contrast": 8}, "it has little contrast", False),
        ({"brightness": 30}, "it is dark", False),
        ({"brightness": 230}, "it is overexposed", True),
        ({"side_light": 0.8}, "the light comes from one side", False),
        ({"turn": 0.4}, "the head is turned to one side", False),
        ({"nod": 0.4}, "the head is tilted up", False),
        ({"nod": 1.2}, "the head is tilted down", False),
        ({"spread": 0.13}, "part of the face may be covered or cut off", True),
    ],
)
def test_each_weakness_is_named(looks: dict[str, float], words: str, *, left_out: bool) -> None:
    """And whether the person's other pictures are better without it."""
    assert in_words(weaknesses(some_looks(**looks))) == words
    assert spoils(some_looks(**looks)) is left_out


def test_a_spoiling_picture_is_used_only_while_its_person_has_no_better() -> None:
    """A weak one is used beside others."""
    looks = {"Ann/1": some_looks(spread=0.2), "Ann/2": some_looks(turn=0.4), "Bob/1": some_looks(spread=0.2)}
    made = GalleryBuilder(ENGINE).make(of(*looks)._replace(looks=looks))
    assert [one.file for one in made.pictures] == ["Ann/2", "Bob/1"]
    assert made.spoiling == {"Ann/1": "part of the face may be covered or cut off"}
    assert list(made.left_out_pictures) == ["Ann/1"]
