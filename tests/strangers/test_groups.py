"""Visits of unknown people: those of one face are one group."""

import numpy as np
import pytest

from turnstile.strangers.groups import SAME_FACE, FaceGroups

UNIT = "dlib-resnet-v1/mirror"


def near(seed: int, *, apart: float = 0.0, towards: int = 99) -> bytes:
    """Return an encoding of unit length, nearly so far from that of the seed, towards another seed's."""
    first, other = (np.random.default_rng(one).normal(size=128) for one in (seed, towards))
    first /= np.linalg.norm(first)
    other -= (other @ first) * first
    row = first + apart * other / np.linalg.norm(other)
    return (row / np.linalg.norm(row)).astype("<f4").tobytes()


def members(groups: FaceGroups) -> list[set[str]]:
    """Return the events of each group."""
    return [set(group.visits) for group in groups.groups]


def test_visits_of_one_face_are_one_group() -> None:
    """Others begin groups of their own."""
    groups = FaceGroups(UNIT)
    for event, encoding in (
        ("1", near(1)),
        ("2", near(2)),
        ("3", near(1, apart=0.2)),
        ("4", near(2, apart=0.1)),
    ):
        groups.add(event, encoding)
    assert members(groups) == [{"1", "3"}, {"2", "4"}]


@pytest.mark.parametrize(("apart", "count"), [(SAME_FACE * 0.9, 1), (SAME_FACE * 1.2, 2)])
def test_the_bound_decides_whether_two_visits_show_one_face(apart: float, count: int) -> None:
    """It is a distance between means."""
    groups = FaceGroups(UNIT)
    groups.add("1", near(1))
    groups.add("2", near(1, apart=apart))
    assert len(groups.groups) == count


def test_a_visit_is_compared_with_the_mean_of_a_group() -> None:
    """Not with its nearest visit, so that a row of look-alikes is not one person."""
    groups = FaceGroups(UNIT)
    for number in range(10):
        groups.add(f"{number}", near(1, apart=0.2 * number))
    assert len(groups.groups) > 1


def test_what_is_removed_counts_no_more() -> None:
    """A group without visits is gone; others keep theirs."""
    groups = FaceGroups(UNIT)
    for event in ("1", "2", "3"):
        groups.add(event, near(int(event)))
    groups.add("4", near(2, apart=0.1))
    groups.remove(["1", "2", "unheard of"])
    assert members(groups) == [{"4"}, {"3"}]
    groups.add("5", near(2))
    assert members(groups) == [{"4", "5"}, {"3"}]
    assert [set(group.visits) for group in groups.of(["5", "1"])] == [{"4", "5"}]


def test_many_strangers_make_as_many_groups() -> None:
    """There is room for all."""
    groups = FaceGroups(UNIT)
    for seed in range(300):
        groups.add(f"{seed}", near(seed, towards=1000 + seed))
    assert len(groups.groups) == 300
