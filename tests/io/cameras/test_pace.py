"""Frames are thinned evenly, standing still is measured, attempts are spaced."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnstile.io.cameras.pace import Pace, Stillness


def sent(max_fps: float, times_s: list[float]) -> list[float]:
    """Return the times at which frames are let through."""
    pace = Pace(max_fps)
    return [at_s for at_s in times_s if pace.admits(at_s)]


def test_every_frame_passes_when_the_camera_is_slower_than_the_limit() -> None:
    """A camera of 10 fps is not thinned by a limit of 15."""
    times_s = [index / 10 for index in range(50)]
    assert sent(15, times_s) == times_s


def test_thirty_frames_a_second_become_fifteen_although_they_jitter() -> None:
    """A frame that comes a few milliseconds early does not halve the rate."""
    chance = random.Random(1)
    times_s = [index / 30 + chance.uniform(-0.005, 0.005) for index in range(300)]
    assert 148 <= len(sent(15, times_s)) <= 151


def test_twenty_five_frames_a_second_become_fifteen_on_average() -> None:
    """A limit that does not divide the camera's rate is still reached."""
    assert len(sent(15, [index / 25 for index in range(250)])) == pytest.approx(150, abs=1)


def test_a_pause_is_not_made_up_for() -> None:
    """After a second of silence frames come at the usual rate, without a burst."""
    times_s = [0.0, *(1.0 + index / 100 for index in range(100))]
    assert len(sent(10, times_s)) <= 13


@given(st.floats(0.5, 60), st.lists(st.floats(0.001, 0.5), min_size=2, max_size=200))
def test_no_more_than_the_limit_passes(max_fps: float, gaps_s: list[float]) -> None:
    """Over any stretch, frames sent stay within the limit and the one that may be early."""
    times_s, at_s = [], 0.0
    for gap_s in gaps_s:
        at_s += gap_s
        times_s.append(at_s)
    assert len(sent(max_fps, times_s)) <= (times_s[-1] - times_s[0]) * max_fps + 2.5


def test_a_picture_that_stays_the_same_grows_old() -> None:
    """The age counts from the first of equal pictures, and a new one ends it."""
    still = Stillness()
    for at_s in (10.0, 11.0, 12.5):
        still.note(changed=at_s == 10.0, position_ms=at_s * 1000, at_s=at_s)
    assert still.picture_age_s == 2.5
    still.note(changed=True, position_ms=13_000, at_s=13.0)
    assert still.picture_age_s == 0


def test_time_stamps_that_stop_advancing_grow_old_although_pictures_change() -> None:
    """A stream whose clock stopped is noticed even if decoding goes on."""
    still = Stillness()
    for at_s, position_ms in ((1.0, 0.0), (2.0, 1000.0), (3.0, 1000.0), (6.0, 1000.0)):
        still.note(changed=True, position_ms=position_ms, at_s=at_s)
    assert (still.picture_age_s, still.position_age_s) == (0, 4.0)


def test_time_stamps_that_never_advanced_prove_nothing() -> None:
    """Many drivers give no time stamps at all."""
    still = Stillness()
    for at_s in range(100):
        still.note(changed=True, position_ms=0.0, at_s=float(at_s))
    assert still.position_age_s == 0
