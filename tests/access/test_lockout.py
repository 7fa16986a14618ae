"""After many denials a door is locked, longer each time; seldom denials lock nothing."""

from turnstile.access.lockout import COUNTED, Tries, after, is_locked
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import LockoutSettings

SETTINGS = LockoutSettings(max_denials=3, window_s=60, lock_s=10, max_lock_s=35)
S = 1_000_000_000


def denied(
    tries: Tries, *at_s: float, reason: Reason = Reason.UNKNOWN, settings: LockoutSettings = SETTINGS
) -> Tries:
    """Return what is remembered after denials at these times."""
    for one in at_s:
        tries = after(tries, "denied", reason, round(one * S), settings=settings)
    return tries


def lock_s(tries: Tries, now_s: float) -> float:
    """Return how long the door stays locked."""
    return tries.locked_until_ns / S - now_s


def test_denials_within_the_window_lock_the_door() -> None:
    """The third of three does, at once, and time opens it again."""
    assert not is_locked(denied(Tries(), 100, 110), 110 * S)
    tries = denied(Tries(), 100, 110, 120)
    assert is_locked(tries, 120 * S)
    assert is_locked(tries, round(129.9 * S))
    assert not is_locked(tries, 130 * S)


def test_denials_spread_over_more_than_the_window_lock_nothing() -> None:
    """Three in an hour are an ordinary hour."""
    assert denied(Tries(), 0, 61, 122, 183).locks == 0


def test_only_tries_count() -> None:
    """Faces seen badly, late results, a locked door, an unwritable journal and grants are no tries."""
    for reason in set(Reason) - COUNTED:
        assert denied(Tries(), 1, 2, 3, 4, reason=reason).locks == 0
    assert after(Tries(), "granted", Reason.RECOGNISED, S, settings=SETTINGS) == Tries()


def test_locks_in_a_row_grow_up_to_a_bound() -> None:
    """10 s, 20 s, then 35 s and never more."""
    tries, now_s, lengths = Tries(), 1000.0, []
    for _ in range(5):
        tries = denied(tries, now_s, now_s + 1, now_s + 2)
        lengths.append(lock_s(tries, now_s + 2))
        now_s += 2 + lengths[-1] + 1
    assert lengths == [10, 20, 35, 35, 35]


def test_after_a_quiet_time_locks_are_short_again() -> None:
    """Yesterday's crowd does not punish today's."""
    tries = denied(denied(Tries(), 1, 2, 3), 20, 21, 22)
    assert tries.locks == 2
    assert denied(tries, 5000, 5001, 5002).locks == 1


def test_it_can_be_switched_off() -> None:
    """0 denials mean never."""
    off = LockoutSettings(max_denials=0)
    assert denied(Tries(), *range(1, 50), settings=off) == Tries()
