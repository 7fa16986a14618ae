"""How long to wait before the next attempt."""

from turnstile.backoff import delay_s


def test_waits_double_up_to_the_longest() -> None:
    """The last one stays, however often it fails."""
    waits_s = [delay_s(failures, first_s=1.0, longest_s=30.0) for failures in (1, 2, 3, 4, 5, 6, 7, 10**6)]
    assert waits_s == [1, 2, 4, 8, 16, 30, 30, 30]


def test_chance_takes_away_up_to_half() -> None:
    """Cameras that were lost together do not come back together."""
    waits_s = [delay_s(failures, first_s=1.0, longest_s=30.0, chance=0.0) for failures in (1, 2, 3, 9)]
    assert waits_s == [0.5, 1, 2, 15]
