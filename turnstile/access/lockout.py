"""A door that denied too many visits in a while is locked for a growing time. A pure fold.

Times are nanoseconds of one monotonic clock, the broker's. A restart of the broker opens the lock, and
so does the operator (`turnstile unlock`). Who is recognised beyond doubt is let in meanwhile
(`turnstile.access.votes.CERTAIN_SHARE`): such a face was not guessed at by trying.
"""

import msgspec

from turnstile.protocol.messages import Verdict
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import LockoutSettings

COUNTED = frozenset(
    {
        Reason.UNKNOWN,
        Reason.AMBIGUOUS,
        Reason.OUTSIDE_SCHEDULE,
        Reason.NOT_ALLOWED,
        Reason.BLOCKED,
        Reason.NOT_ALIVE,
    }
)
"""Denials that count as tries: those of a face seen well. Denials while the door is locked do not count."""


class Tries(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one door's denials."""

    denied_ns: tuple[int, ...] = ()
    """Times within the window, oldest first."""
    locked_until_ns: int = 0
    locks: int = 0
    """How many locks in a row."""


def is_locked(tries: Tries, now_ns: int) -> bool:
    """Tell whether decisions at this door are denied now."""
    return now_ns < tries.locked_until_ns


def after(tries: Tries, verdict: Verdict, reason: Reason, now_ns: int, *, settings: LockoutSettings) -> Tries:
    """Return what is remembered after one more decision at the door."""
    if not settings.max_denials or verdict == "granted" or reason not in COUNTED:
        return tries
    since_ns = now_ns - round(settings.window_s * 1e9)
    denied_ns = (*(at for at in tries.denied_ns if at > since_ns), now_ns)
    if len(denied_ns) < settings.max_denials:
        return msgspec.structs.replace(tries, denied_ns=denied_ns)
    quiet_ns = now_ns - tries.locked_until_ns
    again = tries.locks > 0 and quiet_ns <= max(_lock_ns(tries.locks, settings), now_ns - since_ns)
    locks = tries.locks + 1 if again else 1
    return Tries(denied_ns=(), locked_until_ns=now_ns + _lock_ns(locks, settings), locks=locks)


def _lock_ns(locks: int, settings: LockoutSettings) -> int:
    """Return how long the n-th lock in a row lasts."""
    longest_s = max(settings.lock_s, settings.max_lock_s)
    return round(min(settings.lock_s * 2.0 ** min(locks - 1, 60), longest_s) * 1e9)
