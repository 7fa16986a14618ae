"""The newest time that is believed: a clock in the past is behind, one that was ahead for a while is not."""

import datetime as dt

from turnstile.access.clock import Believed, in_words, is_behind, look

S = 10**9
START_NS = int(dt.datetime(2026, 11, 26, tzinfo=dt.UTC).timestamp()) * S
TEN_YEARS_S = 3650 * 86_400


def after(believed: Believed, *, wall_s: float, ran_s: float = 1.0) -> Believed:
    """Return what is believed after a look at a time, in seconds since the start."""
    return look(believed, wall_ns=START_NS + round(wall_s * S), ran_ns=round(ran_s * S))


def newest_s(believed: Believed) -> float:
    """Return the newest time, in seconds since the start."""
    return (believed.newest_ns - START_NS) / S


def test_the_newest_time_goes_with_the_clock() -> None:
    """Also by somewhat more than the running clock says."""
    believed = Believed(newest_ns=START_NS)
    for at_s in (1.0, 2.5, 3.0):
        believed = after(believed, wall_s=at_s)
        assert newest_s(believed) == at_s


def test_a_clock_set_back_is_behind_until_it_is_past_the_newest_time() -> None:
    """A correction by NTP is let pass. Time that runs meanwhile makes the gap no larger."""
    believed = after(Believed(newest_ns=START_NS), wall_s=1.0)
    assert not is_behind(believed, START_NS - 118 * S)
    for at_s in (-3600.0, -1800.0, -120.0):
        believed = after(believed, wall_s=at_s, ran_s=1800.0)
        assert newest_s(believed) == 1.0
        assert is_behind(believed, START_NS + round(at_s * S))
    assert not is_behind(believed, START_NS + 2 * S)


def test_a_clock_that_was_ahead_for_a_while_closes_no_door_when_it_is_right_again() -> None:
    """Ten years ahead for half an hour, whether it was set or the broker was started so."""
    believed = Believed(newest_ns=START_NS)
    for at_s in range(1, 1800):
        believed = after(believed, wall_s=TEN_YEARS_S + at_s)
    assert 1700 < newest_s(believed) < 1800
    believed = after(believed, wall_s=1800.0)
    assert newest_s(believed) == 1800.0


def test_a_clock_that_stays_ahead_is_believed_after_an_hour_without_another_jump() -> None:
    """As after an outage of the broker; a jump meanwhile begins another hour."""
    believed = Believed(newest_ns=START_NS)
    for minute in range(40):
        believed = after(believed, wall_s=86_400.0 + minute * 60, ran_s=60.0)
    for minute in range(40, 99):
        believed = after(believed, wall_s=2 * 86_400.0 + minute * 60, ran_s=60.0)
        assert newest_s(believed) < 86_400
    for minute in range(99, 102):
        believed = after(believed, wall_s=2 * 86_400.0 + minute * 60, ran_s=60.0)
    assert newest_s(believed) > 2 * 86_400


def test_the_words_say_both_times_and_what_to_do() -> None:
    """Nothing is said while the clock is right."""
    believed = Believed(newest_ns=START_NS)
    assert in_words(believed, START_NS) == ""
    assert in_words(believed, START_NS - TEN_YEARS_S * S) == (
        "nobody may enter: this machine's clock stands at 2016-11-28 00:00:00 UTC, before the newest on "
        "record, 2026-11-26 00:00:00 UTC; set it, or if it is right, run `turnstile unlock --clock`"
    )
