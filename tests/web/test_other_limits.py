"""What other limits would have said of the frame that decided."""

from tests.support.answers import a_visit
from turnstile.web.other_limits import needed_limit, other_limits


def test_a_stricter_limit_would_not_have_recognised() -> None:
    """The limits around the one that was set are told, and which differ."""
    found = other_limits(a_visit(distance=0.24, max_distance=0.31, margin=0.12), min_margin=0.05)
    told = [(round(one.limit, 2), one.words, one.is_set, one.agrees) for one in found]
    assert told == [
        (0.21, "not recognised", False, False),
        (0.26, "recognised", False, True),
        (0.31, "recognised", True, True),
        (0.36, "recognised", False, True),
        (0.41, "recognised", False, True),
    ]


def test_a_small_margin_stays_ambiguous_at_any_limit() -> None:
    """More distance does not tell two people apart."""
    found = other_limits(a_visit(distance=0.29, max_distance=0.31, margin=0.01), min_margin=0.05)
    assert {one.words for one in found} == {"not recognised", "looks like two enrolled people"}


def test_nothing_is_said_of_a_visit_without_distance() -> None:
    """A face too small has none."""
    assert other_limits(a_visit(distance=None), min_margin=0.05) == []


def test_the_limit_that_would_have_recognised_is_told() -> None:
    """Of somebody recognised there is nothing to tell."""

    def told(**other: float | None) -> str:
        return needed_limit(a_visit(max_distance=0.31, **other), min_margin=0.05)

    assert told(distance=0.571, margin=0.2) == (
        "From a limit of 0.58 on, this frame is taken for the nearest person."
    )
    assert told(distance=0.571, margin=0.01).startswith("No limit tells")
    assert told(distance=0.24, margin=0.12) == ""
    assert told(distance=None) == ""
