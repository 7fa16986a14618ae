"""The faces of a crowd that are encoded: a bounded number, and everybody in turn."""

import pytest

from tests.support.builders import a_box
from turnstile.vision.encode.crowd import BIGGEST, MAX_ENCODED, MAX_IN_TURN, to_encode

POSTER = [a_box(size=200 - at) for at in range(84)]


@pytest.mark.parametrize("count", [0, 1, MAX_ENCODED])
def test_all_of_a_few_are_encoded(count: int) -> None:
    """In every frame."""
    assert to_encode(POSTER[:count], turn=5) == list(range(count))


@pytest.mark.parametrize("count", [MAX_ENCODED + 1, 13, 84])
def test_a_crowd_costs_no_more_than_a_few_and_everybody_has_a_turn(count: int) -> None:
    """The biggest in every frame; no face twice in one."""
    turns = [to_encode(POSTER[:count], turn) for turn in range(7)]
    assert {len(turn) for turn in turns} == {len(set(turn)) for turn in turns} == {MAX_ENCODED}
    assert all(turn[:BIGGEST] == list(range(BIGGEST)) for turn in turns)
    assert set().union(*turns) == set(range(min(count, MAX_IN_TURN)))
