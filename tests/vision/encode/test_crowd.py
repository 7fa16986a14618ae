"""The faces of a frame that are encoded: a bounded number, for a bounded time, and everybody in turn."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.support.builders import a_box, some_encodings
from turnstile.people.encodings import Encodings
from turnstile.protocol.fields import Box, Hint
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.encode.crowd import MAX_ENCODED, NEAREST, FaceReader, to_encode

POSTER = [a_box(left=7 * at, size=200 - at) for at in range(84)]
FRAME = np.zeros((600, 800, 3), np.uint8)


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


@dataclass(kw_only=True)
class SlowEncoder:
    """An encoder, and the clock that it moves on by `face_s` a face."""

    face_s: float
    now_s: float = 0.0
    batches: list[int] = field(default_factory=list)
    """How many faces were encoded together each time."""

    def encode(self, _frame: PictureRgb, boxes: Sequence[Box]) -> tuple[Encodings, tuple[float, ...]]:
        """Return a row and a turn a face, which its box tells."""
        self.now_s += self.face_s * len(boxes)
        self.batches.append(len(boxes))
        places = [POSTER.index(box) for box in boxes]
        return some_encodings(len(POSTER))[places], tuple(place / 100 for place in places)

    def reader(self, *, budget_s: float) -> FaceReader:
        """Return what gives it the faces of frames."""
        return FaceReader(encode=self.encode, budget_s=budget_s, clock=lambda: self.now_s)


@pytest.mark.parametrize(("budget_s", "encoded"), [(0.0, 1), (1.0, 1), (1.5, 2), (100.0, 4)])
def test_no_face_is_begun_when_the_time_is_over(budget_s: float, encoded: int) -> None:
    """One is encoded however long it takes; each takes a second here."""
    reader = SlowEncoder(face_s=1.0).reader(budget_s=budget_s)
    faces, rows, turns = reader.encode_in_time(FRAME, POSTER, [3, 1, 2, 0])
    assert faces == tuple(sorted((3, 1, 2, 0)[:encoded]))
    assert np.array_equal(rows, some_encodings(len(POSTER))[list(faces)])
    assert turns == tuple(face / 100 for face in faces)


def test_faces_are_encoded_together_where_half_of_the_time_left_suffices() -> None:
    """The first one ever is encoded alone, as nobody knows what it takes."""
    encoder = SlowEncoder(face_s=1.0)
    reader = encoder.reader(budget_s=8.0)
    for _ in range(2):
        faces, _, _ = reader.encode_in_time(FRAME, POSTER, range(6))
        assert len(faces) == 6
    assert encoder.batches == [1, 3, 2, 4, 2]


def test_no_face_costs_no_time() -> None:
    """There is nothing to encode in an empty place."""
    faces, rows, turns = SlowEncoder(face_s=1.0).reader(budget_s=1.0).encode_in_time(FRAME, POSTER, [])
    assert (faces, rows.shape, turns) == ((), (0, 128), ())


def test_known_faces_are_not_encoded() -> None:
    """The others are, however the order falls out."""
    boxes = [a_box(left=500, size=100), a_box(left=0, size=90)]
    reader = FaceReader(encode=lambda _, some: (some_encodings(len(some)), (0.1,) * len(some)), budget_s=1.0)
    hint = Hint(boxes_px=tuple(boxes), age_s=0.1, frames_since_full_scan=0, find_only=(1,))
    read = reader.read(FRAME, boxes, hint)
    assert (read.wanted, read.encoded, read.encodings.shape, read.turns) == ((0,), (0,), (1, 128), (0.1,))
