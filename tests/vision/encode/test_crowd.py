"""The faces of a frame that are encoded: a bounded number, for a bounded time, and everybody in turn."""

import itertools

import numpy as np
import pytest

from tests.support.builders import a_box, some_encodings
from turnstile.people.encodings import Encodings
from turnstile.protocol.fields import Box
from turnstile.vision.encode.crowd import MAX_ENCODED, NEAREST, encode_in_time, to_encode

POSTER = [a_box(left=7 * at, size=200 - at) for at in range(84)]


def chosen(boxes: list[Box], *, turn: int = 0) -> list[int]:
    """Return which are encoded of a picture of 800x600."""
    return to_encode(boxes, width_px=800, height_px=600, turn=turn)


@pytest.mark.parametrize("count", [0, 1, MAX_ENCODED])
def test_all_of_a_few_are_encoded(count: int) -> None:
    """In every frame."""
    assert all(sorted(chosen(POSTER[:count], turn=turn)) == list(range(count)) for turn in range(9))


@pytest.mark.parametrize("count", [MAX_ENCODED + 1, 13, 84])
def test_a_crowd_costs_no_more_than_a_few_and_everybody_has_a_turn(count: int) -> None:
    """The nearest in every frame; no face twice in one."""
    turns = [chosen(POSTER[:count], turn=turn) for turn in range(16 * count)]
    nearest = set(turns[0][:NEAREST])
    assert {len(turn) for turn in turns} == {len(set(turn)) for turn in turns} == {MAX_ENCODED}
    assert all(nearest <= set(turn) for turn in turns)
    assert set().union(*turns) == set(range(count))


def test_big_faces_and_those_in_the_middle_come_first() -> None:
    """Whoever stands at the door, before a poster beside it."""
    corner, middle, near = a_box(left=0, size=100), a_box(left=360, top=260, size=80), a_box(size=300)
    assert chosen([corner, middle, near]) == [2, 1, 0]


@pytest.mark.parametrize("count", [2, 5, 20])
def test_everybody_is_first_at_times(count: int) -> None:
    """Where the time is enough for one face, nobody is left out for ever."""
    assert {chosen(POSTER[:count], turn=turn)[0] for turn in range(1000)} == set(range(count))


@pytest.mark.parametrize(("budget_s", "encoded"), [(0.0, 1), (1.0, 1), (1.5, 2), (100.0, 4)])
def test_no_face_is_begun_when_the_time_is_over(budget_s: float, encoded: int) -> None:
    """One is encoded however long it takes; each takes a second here."""
    clock = itertools.count()
    faces, rows = encode_in_time(
        [3, 1, 2, 0], some_encodings_of, budget_s=budget_s, clock=lambda: float(next(clock))
    )
    assert faces == tuple(sorted((3, 1, 2, 0)[:encoded]))
    assert np.array_equal(rows, np.concatenate([some_encodings_of(at) for at in faces]))


def test_no_face_costs_no_time() -> None:
    """There is nothing to encode in an empty place."""
    faces, rows = encode_in_time([], some_encodings_of, budget_s=1.0, clock=lambda: 0.0)
    assert (faces, rows.shape) == ((), (0, 128))


def some_encodings_of(at: int) -> Encodings:
    """Return the encoding of a face."""
    return some_encodings(5)[at : at + 1]
