"""A node's counters and when its beat is due."""

import os

import pytest

from turnstile import __version__
from turnstile.io.runner.heart import Heart
from turnstile.protocol.messages import decode, encode


def a_heart(*, period_s: float = 3600.0, rates: tuple[str, ...] = ()) -> Heart:
    """Return a logger's heart."""
    return Heart(node="log", instance="log-a1b2c3d4", role="logger", rates=rates, period_s=period_s)


def test_the_first_beat_is_due_at_once_and_the_next_after_the_period() -> None:
    """A node is seen as soon as it runs."""
    heart = a_heart()
    assert heart.beat_if_due() is not None
    assert heart.beat_if_due() is None


def test_a_beat_carries_who_and_what() -> None:
    """It is a valid message on the node's own topic."""
    heart = a_heart()
    heart.state = "live"
    heart.count("frames_in")
    heart.count("frames_in", 2)
    heart.take({"dropped": 7})
    heart.gauge("queue_age_ms", 1.5)
    beat = heart.beat_if_due()
    assert beat is not None
    assert decode(encode(beat)) == beat
    assert (beat.node, beat.instance, beat.role, beat.state) == ("log", "log-a1b2c3d4", "logger", "live")
    assert (beat.pid, beat.version) == (os.getpid(), __version__)
    assert beat.counts == {"frames_in": 3, "dropped": 7}
    assert beat.gauges == {"queue_age_ms": 1.5}
    assert heart.topic == "status.log."


def test_a_beat_is_not_changed_by_what_is_counted_after_it() -> None:
    """It was true when it was said."""
    heart = a_heart()
    beat = heart.beat_if_due()
    heart.count("frames_in")
    assert beat is not None
    assert beat.counts == {}


def test_rates_are_changes_a_second_since_the_last_beat() -> None:
    """Nothing counted since then is 0, whatever was counted before."""
    heart = a_heart(period_s=0.0, rates=("frames_in",))
    heart.count("frames_in", 1_000_000)
    first, second = heart.beat_if_due(), heart.beat_if_due()
    assert first is not None
    assert second is not None
    assert first.gauges["frames_in_per_s"] > 0
    assert second.gauges["frames_in_per_s"] == 0


@pytest.mark.parametrize("rates", [(), ("never_counted",)])
def test_what_was_never_counted_does_no_harm(rates: tuple[str, ...]) -> None:
    """A node that has just started has counted nothing."""
    beat = a_heart(rates=rates).beat_if_due()
    assert beat is not None
    assert all(value == 0 for value in beat.gauges.values())
