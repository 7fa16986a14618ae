"""The newest time that is believed, so that a clock in the past admits nobody whose time is over.

The broker keeps it in its journal. A clock that stands before it lets nobody enter until it is past it, or
until the operator says that it is right.

Ahead, the clock is believed as far as a running clock says the same. A jump ahead, also over a restart, is
believed after `TRIAL_NS` of running without another one: a clock that was wrong for a while must not close
the doors when it is right again. Pure: times are arguments.
"""

import datetime as dt

import msgspec

GRACE_NS = 120 * 1_000_000_000
"""How far the clock may be set back without a word: NTP corrects by seconds."""

TRIAL_NS = 3600 * 1_000_000_000
STEADY_NS = 1_000_000_000
"""What two clocks may differ by between two looks."""


class Believed(msgspec.Struct, frozen=True, kw_only=True):
    """The newest time that is believed, and how far ahead of it the clock stands."""

    newest_ns: int
    ahead_ns: int = 0
    held_ns: int = 0
    """For how long the clock has been as far ahead."""


def look(before: Believed, *, wall_ns: int, ran_ns: int) -> Believed:
    """Return what is believed after one more look at the clock.

    Args:
        before: after the last look.
        wall_ns: the time of day.
        ran_ns: how long ago that was, on a clock that runs.
    """
    if wall_ns <= before.newest_ns:
        return Believed(newest_ns=before.newest_ns)
    expected_ns = before.newest_ns + ran_ns
    ahead_ns = wall_ns - expected_ns
    held_ns = before.held_ns + ran_ns if abs(ahead_ns - before.ahead_ns) < STEADY_NS else 0
    if ahead_ns < STEADY_NS or held_ns >= TRIAL_NS:
        return Believed(newest_ns=wall_ns)
    return Believed(newest_ns=expected_ns, ahead_ns=ahead_ns, held_ns=held_ns)


def is_behind(believed: Believed, wall_ns: int) -> bool:
    """Tell whether the clock stands before the newest time that is believed."""
    return wall_ns < believed.newest_ns - GRACE_NS


def in_words(believed: Believed, wall_ns: int) -> str:
    """Return why nobody may enter, for people; empty when the clock is not behind."""
    if not is_behind(believed, wall_ns):
        return ""
    return (
        f"nobody may enter: this machine's clock stands at {_date(wall_ns)}, before the newest on record, "
        f"{_date(believed.newest_ns)}; set it, or if it is right, run `turnstile unlock --clock`"
    )


def _date(wall_ns: int) -> str:
    return f"{dt.datetime.fromtimestamp(wall_ns // 10**9, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
