"""What becomes of a process that ended: over, given up, or started again."""

import pytest

from turnstile.site.restarts import MAX_DELAY_S, MAX_FAILURES, Restarts


def test_who_ended_well_is_not_started_again() -> None:
    """A window was closed, a clip has ended."""
    outcome = Restarts().ended(0, ran_s=100.0)
    assert (outcome.delay_s, outcome.given_up) == (None, False)


@pytest.mark.parametrize("exit_code", [69, 78])
def test_what_only_a_person_can_mend_is_given_up_at_once(exit_code: int) -> None:
    """A bad site file, a missing screen: another try changes nothing."""
    outcome = Restarts().ended(exit_code, ran_s=0.1)
    assert (outcome.delay_s, outcome.given_up) == (None, True)


def test_a_screen_that_is_not_there_yet_is_waited_for_without_end() -> None:
    """The X server may start minutes after the site; a crash afterwards is the first."""
    restarts = Restarts(max_failures=2)
    outcomes = [restarts.ended(75, ran_s=1.0) for _ in range(20)]
    assert [outcome.delay_s for outcome in outcomes[:8]] == [0.5, 1, 2, 4, 8, 16, MAX_DELAY_S, MAX_DELAY_S]
    assert not any(outcome.given_up for outcome in outcomes)
    assert "does not have yet" in outcomes[0].words
    assert restarts.ended(1, ran_s=1.0).delay_s == 0.5


def test_delays_grow_until_it_is_given_up() -> None:
    """Failures in a row are tried again ever later, then no more."""
    restarts = Restarts()
    outcomes = [restarts.ended(1, ran_s=1.0) for _ in range(MAX_FAILURES)]
    delays = [outcome.delay_s for outcome in outcomes[:-1]]
    assert delays == [0.5, 1, 2, 4, 8, 16, *[MAX_DELAY_S] * (MAX_FAILURES - 7)]
    assert (outcomes[-1].delay_s, outcomes[-1].given_up) == (None, True)


def test_who_ran_for_a_while_starts_afresh() -> None:
    """One failure a day is none in a row."""
    restarts = Restarts(max_failures=2)
    assert [restarts.ended(1, ran_s=60.0).delay_s for _ in range(5)] == [0.5] * 5
    assert restarts.ended(1, ran_s=0.1).given_up


def test_a_signal_is_a_failure() -> None:
    """And is called by its number."""
    outcome = Restarts().ended(-9, ran_s=1.0)
    assert outcome.delay_s == 0.5
    assert "signal 9" in outcome.words
