"""How old entries are, by a clock that runs: no time of day, wrong once or set, makes an entry older.

A logger looks once an hour. It marks how many entries there are, and that their age begins now. When the time
of day was set meanwhile, all marks are moved along with it, so that ages stay what they were. While a logger
does not run it cannot tell a day that passed from a clock that was set. It takes up to a day for time that
passed. More counts only after the clock has stood so for `TRIAL_NS` of running.

Times of entries do not matter here: they are of the broker's clock, which may be wrong as well.
"""

from typing import NamedTuple

import msgspec

DAY_NS = 86_400 * 1_000_000_000
TRIAL_NS = 3 * DAY_NS
NOTICED_NS = 1_000_000_000
"""A smaller difference between the two clocks is left to add up."""


class AgeClock(msgspec.Struct, frozen=True, kw_only=True):
    """The time of day as retention last looked, and how much of it is withheld."""

    at_ns: int
    withheld_ns: int = 0
    """Time that may have passed while the logger did not run, and does not count yet."""
    withheld_up_to: int = 0
    """The newest entry that it would be added to."""
    held_ns: int = 0
    """How long the clock has stood so."""

    @property
    def words(self) -> str:
        """Return what is withheld, for people; empty when nothing is."""
        if not self.withheld_ns:
            return ""
        left = (TRIAL_NS - self.held_ns) / DAY_NS
        return (
            f"the clock went {in_days(self.withheld_ns)} ahead while the logger did not run; this counts for "
            f"the age of entries only if it stays so for {left:.1f} more days; is the date right?"
        )


class Look(NamedTuple):
    """What a look at the clocks comes to."""

    clock: AgeClock
    set_by_ns: int = 0
    """By how much to move all marks."""
    aged_ns: int = 0
    """By how much entries up to `withheld_up_to` of the clock before are older than their marks say."""


def look(before: AgeClock | None, *, wall_ns: int, ran_ns: int | None, newest: int) -> Look:
    """Return the clock after one more look.

    Args:
        before: after the last look; `None` before the first.
        wall_ns: the time of day.
        ran_ns: how long ago the last look was, on a clock that runs; `None` if another process looked.
        newest: the newest entry that has a mark.
    """
    if before is None:
        return Look(AgeClock(at_ns=wall_ns))
    expected_ns = before.at_ns + (ran_ns or 0)
    gap_ns = wall_ns - expected_ns
    if ran_ns is None and 0 <= gap_ns <= DAY_NS:
        return Look(msgspec.structs.replace(before, at_ns=wall_ns))
    if abs(gap_ns) < NOTICED_NS:
        wall_ns, gap_ns = expected_ns, 0
    withheld_ns, up_to = before.withheld_ns, before.withheld_up_to
    held_ns = before.held_ns + (ran_ns or 0) if withheld_ns else 0
    if ran_ns is None and gap_ns > 0:
        up_to = up_to if withheld_ns else newest
        withheld_ns, held_ns = withheld_ns + gap_ns, 0
    elif gap_ns < 0:
        withheld_ns = max(0, withheld_ns + gap_ns)
    aged_ns = withheld_ns if held_ns >= TRIAL_NS else 0
    if aged_ns or not withheld_ns:
        withheld_ns = up_to = held_ns = 0
    clock = AgeClock(at_ns=wall_ns, withheld_ns=withheld_ns, withheld_up_to=up_to, held_ns=held_ns)
    return Look(clock, set_by_ns=gap_ns, aged_ns=aged_ns)


def in_days(span_ns: int) -> str:
    """Return a length of time as people read it: ``3650 days``, ``2 hours``, ``90 s``."""
    for unit, unit_ns in (("days", DAY_NS), ("hours", DAY_NS // 24), ("minutes", DAY_NS // 1440)):
        if abs(span_ns) >= 2 * unit_ns:
            return f"{abs(span_ns) / unit_ns:.0f} {unit}"
    return f"{abs(span_ns) / 1e9:.0f} s"
