"""When boxes of the latest result may be drawn, and when local detection takes over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnstile.screen.freshness import Freshness, see_frame, see_result

STALE_AFTER_NS = 1_500_000_000
START_NS = 1_700_000_000_000_000_000

times_ns = st.one_of(
    st.integers(0, 2**63 - 1),
    st.integers(START_NS - 4 * STALE_AFTER_NS, START_NS + 4 * STALE_AFTER_NS),
)
events = st.lists(st.tuples(st.sampled_from(["frame", "result"]), times_ns), max_size=30)


def after(*seen: tuple[str, float]) -> Freshness:
    """Return what is known after frames and results captured at seconds from the start."""
    return replay([(kind, START_NS + round(at_s * 1e9)) for kind, at_s in seen])


def replay(seen: list[tuple[str, int]]) -> Freshness:
    """Return what is known after frames and results captured at nanoseconds."""
    known = Freshness()
    for kind, captured_ns in seen:
        see = see_frame if kind == "frame" else see_result
        known = see(known, captured_ns, stale_after_ns=STALE_AFTER_NS)
    return known


@pytest.mark.parametrize(
    ("frame_s", "result_s", "state"),
    [
        (0.0, None, "waiting"),
        (0.0, 0.0, "fresh"),
        (1.0, 0.0, "fresh"),
        (1.5, 0.0, "fresh"),
        (1.500000001, 0.0, "stale"),
        (3600.0, 0.0, "stale"),
        (0.0, 0.5, "fresh"),
        (0.0, 1.5, "fresh"),
        (0.0, 1.500000001, "stale"),
        (0.0, 3600.0, "stale"),
    ],
)
def test_a_result_speaks_for_frames_within_the_limit_of_it(
    frame_s: float, result_s: float | None, state: str
) -> None:
    """Older or newer: what counts is how far apart the two were captured."""
    known = after(("frame", frame_s)) if result_s is None else after(("result", result_s), ("frame", frame_s))
    assert (known.fresh, known.stale) == {
        "fresh": (True, False),
        "waiting": (False, False),
        "stale": (False, True),
    }[state]


def test_the_first_result_is_awaited_for_as_long() -> None:
    """A display that starts beside a dead pool of recognizers does not wait for ever."""
    assert not after(("frame", 0), ("frame", 1.5)).stale
    assert after(("frame", 0), ("frame", 1.6)).stale


def test_the_first_fresh_result_ends_it() -> None:
    """Recognizers paused and continued: fallback comes and goes."""
    gone = [("frame", 0.0), ("result", 0.0), ("frame", 2.0)]
    assert after(*gone).stale
    assert after(*gone, ("result", 1.9)).fresh


def test_a_result_that_comes_too_late_does_not_end_it() -> None:
    """Work that lay in a paused recognizer describes people who have left."""
    assert after(("frame", 0), ("frame", 5), ("result", 0.2)).stale


def test_a_clock_set_back_onto_an_old_result_does_not_revive_it() -> None:
    """Only a result ends staleness, never a frame."""
    assert after(("result", 0), ("frame", 0), ("frame", 10), ("frame", 0.2)).stale


def test_a_clock_set_back_for_good_starts_over() -> None:
    """An hour back: the next result of that time counts although the one before bears a later time."""
    assert after(("frame", 3600), ("result", 3600), ("frame", 0.1), ("result", 0.1)).age_s == 0


def test_a_clock_set_back_a_little_does_not_hold_on_to_the_later_result() -> None:
    """Within the limit, the result nearer to the frame on screen counts."""
    known = after(("frame", 1), ("result", 1), ("frame", 0.1), ("result", 0.05))
    assert known.result_ns == START_NS + 50_000_000


def test_results_that_finish_out_of_order_do_not_go_back() -> None:
    """Two recognizers, the slower one with the older frame."""
    assert after(("frame", 1), ("result", 0.9), ("result", 0.7)).age_s == pytest.approx(0.1)


def test_without_a_frame_the_result_that_came_last_counts() -> None:
    """A clock that is set back while nobody looks is no matter."""
    assert after(("result", 3600), ("result", 0), ("frame", 0.2)).age_s == pytest.approx(0.2)


def test_a_result_newer_than_the_frame_has_no_age() -> None:
    """An age below zero would be shown as such."""
    assert after(("frame", 0), ("result", 0.5)).age_s == 0


@given(events)
def test_what_counts_is_always_near_the_frame_on_screen(seen: list[tuple[str, int]]) -> None:
    """Whatever came in whatever order, nothing old is ever held for fresh."""
    known = replay(seen)
    if known.frame_ns is not None and known.result_ns is not None:
        assert abs(known.frame_ns - known.result_ns) <= STALE_AFTER_NS
    assert not (known.fresh and known.stale)


@given(events, times_ns, st.integers(-STALE_AFTER_NS, STALE_AFTER_NS))
def test_no_history_wedges_it(seen: list[tuple[str, int]], frame_ns: int, apart_ns: int) -> None:
    """Any frame, then any result near it: fresh, whatever the clock did before."""
    assert replay([*seen, ("frame", frame_ns), ("result", frame_ns + apart_ns)]).fresh


@given(events, times_ns)
def test_a_frame_never_makes_fresh(seen: list[tuple[str, int]], frame_ns: int) -> None:
    """A picture is no proof that recognizers work."""
    assert replay([*seen, ("frame", frame_ns)]).fresh <= replay(seen).fresh
