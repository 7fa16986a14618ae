"""How old a message may be follows from the broker's beats, whatever the machines' dates are."""

import msgspec
import pytest

from tests.support.builders import a_beat
from turnstile.io.integrations.lateness import SAMPLES, BrokerClock
from turnstile.protocol.messages import Beat

AHEAD_S = 500.0
"""How far this machine's monotonic clock is ahead of the broker's uptime."""


def a_broker_beat(uptime_s: float, *, instance: str = "broker-1", age_s: float = 0.0) -> Beat:
    """Return what the broker sends."""
    beat = a_beat(node="broker", instance=instance, uptime_s=uptime_s)
    return msgspec.structs.replace(beat, role="broker", age_s=age_s)


def a_clock(*late_s: float) -> BrokerClock:
    """Return what is known after a beat each half second, the n-th late by so much."""
    clock = BrokerClock()
    for at, late in enumerate(late_s):
        clock.hear(a_broker_beat(at / 2), AHEAD_S + at / 2 + late)
    return clock


def test_before_the_first_beat_a_message_may_be_of_any_age() -> None:
    """Nor does a beat of somebody else tell."""
    clock = BrokerClock()
    clock.hear(a_beat(), 1.0)
    assert clock.age_at_most_s(2.0) == float("inf")


def test_a_message_is_younger_than_the_beat_before_it() -> None:
    """The beat that came fastest shows how the clocks stand."""
    clock = a_clock(0.0, 0.2, 0.0)
    assert clock.age_at_most_s(AHEAD_S + 1.3) == pytest.approx(0.3)


def test_what_comes_in_one_go_after_a_stall_is_old() -> None:
    """A beat that comes eight seconds late does not make young what comes after it."""
    clock = a_clock(0.0, 0.0, 8.0)
    assert clock.age_at_most_s(AHEAD_S + 9.0) == pytest.approx(8.0)


def test_a_beat_that_is_repeated_to_a_newcomer_states_its_age() -> None:
    """It counts as sent now."""
    clock = BrokerClock()
    clock.hear(a_broker_beat(7.0, age_s=0.4), 100.0)
    assert clock.age_at_most_s(100.1) == pytest.approx(0.1)


def test_a_broker_that_starts_again_is_another_clock() -> None:
    """Its uptime begins anew."""
    clock = a_clock(0.0, 0.0)
    clock.hear(a_broker_beat(0.1, instance="broker-2"), AHEAD_S + 60)
    assert clock.age_at_most_s(AHEAD_S + 60.2) == pytest.approx(0.2)


def test_clocks_that_drift_apart_are_followed() -> None:
    """A second an hour, for a day."""
    clock = BrokerClock()
    for at in range(24 * 7200):
        clock.hear(a_broker_beat(at / 2), AHEAD_S + at / 2 * (1 + 1 / 3600))
    assert clock.age_at_most_s(AHEAD_S + (24 * 7200 - 1) / 2 * (1 + 1 / 3600)) < SAMPLES / 3600
