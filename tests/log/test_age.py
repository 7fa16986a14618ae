"""The age of entries: no clock that is set makes one older; an outage counts once the date stood the test."""

import pytest

from tests.support.builders import START_NS
from turnstile.log.age import DAY_NS, TRIAL_NS, AgeClock, Look, in_days, look

HOUR_NS = DAY_NS // 24
YEARS_NS = 3650 * DAY_NS


class Clocks:
    """Two clocks, and the age of one entry that was marked at the first look."""

    def __init__(self) -> None:
        self.wall_ns = START_NS
        self.mark_ns = START_NS
        self.clock = look(None, wall_ns=START_NS, ran_ns=None, newest=0).clock

    def run(self, ran_ns: int, *, set_by_ns: int = 0) -> Look:
        """Let both run, set the clock of the day, and look."""
        self.wall_ns += ran_ns + set_by_ns
        return self._look(ran_ns)

    def start_again(self, after_ns: int) -> Look:
        """Look for the first time after so long, or after the clock was set by so much."""
        self.wall_ns += after_ns
        return self._look(None)

    @property
    def age_ns(self) -> int:
        """Return how old the entry counts as."""
        return self.clock.at_ns - self.mark_ns

    def _look(self, ran_ns: int | None) -> Look:
        seen = look(self.clock, wall_ns=self.wall_ns, ran_ns=ran_ns, newest=1)
        self.mark_ns += seen.set_by_ns - seen.aged_ns
        self.clock = seen.clock
        return seen


@pytest.mark.parametrize("set_by_ns", [-YEARS_NS, -HOUR_NS, 10 * 10**9, HOUR_NS, YEARS_NS])
def test_a_clock_that_is_set_makes_nothing_older_or_younger(set_by_ns: int) -> None:
    """Neither when it is set, nor when it is set right again."""
    clocks = Clocks()
    assert clocks.run(HOUR_NS, set_by_ns=set_by_ns).set_by_ns == set_by_ns
    assert clocks.age_ns == HOUR_NS
    clocks.run(HOUR_NS, set_by_ns=-set_by_ns)
    assert (clocks.age_ns, clocks.clock.at_ns, clocks.clock.words) == (2 * HOUR_NS, clocks.wall_ns, "")


def test_a_clock_that_gains_adds_up_to_nothing() -> None:
    """Differences too small to act on are not forgotten."""
    clocks = Clocks()
    for _ in range(24 * 365):
        clocks.run(HOUR_NS, set_by_ns=500_000_000)
    assert abs(clocks.age_ns - 365 * DAY_NS) < 10**9


def test_up_to_a_day_without_a_logger_counts() -> None:
    """A machine that is off at night."""
    clocks = Clocks()
    clocks.start_again(DAY_NS)
    assert (clocks.age_ns, clocks.clock.words) == (DAY_NS, "")


def test_a_long_outage_counts_after_the_date_has_stood_for_three_days() -> None:
    """Until then it is said, and asked about."""
    clocks = Clocks()
    clocks.start_again(40 * DAY_NS)
    assert clocks.age_ns == 0
    assert clocks.clock.words == (
        "the clock went 40 days ahead while the logger did not run; this counts for the age of entries "
        "only if it stays so for 3.0 more days; is the date right?"
    )
    clocks.run(TRIAL_NS - HOUR_NS)
    clocks.start_again(HOUR_NS // 2)
    assert clocks.age_ns < 4 * DAY_NS
    clocks.run(HOUR_NS)
    assert (clocks.age_ns, clocks.clock.words) == (43 * DAY_NS + HOUR_NS // 2, "")


@pytest.mark.parametrize("running", [True, False])
def test_a_date_ten_years_ahead_at_the_start_makes_nothing_older_once_it_is_right_again(
    *, running: bool
) -> None:
    """Whether it is set right while the logger runs, or while it does not."""
    clocks = Clocks()
    clocks.start_again(YEARS_NS)
    clocks.run(DAY_NS)
    if running:
        clocks.run(DAY_NS, set_by_ns=-YEARS_NS)
    else:
        clocks.start_again(DAY_NS - YEARS_NS)
    clocks.run(2 * TRIAL_NS)
    assert clocks.age_ns <= 2 * DAY_NS + 2 * TRIAL_NS
    assert clocks.clock.words == ""


def test_only_entries_from_before_an_outage_are_older_for_it() -> None:
    """Those of the days in which it was in doubt are not."""
    before = AgeClock(at_ns=START_NS)
    doubted = look(before, wall_ns=START_NS + 40 * DAY_NS, ran_ns=None, newest=7).clock
    again = look(doubted, wall_ns=doubted.at_ns + 2 * DAY_NS, ran_ns=None, newest=9).clock
    assert doubted.withheld_up_to == again.withheld_up_to == 7


@pytest.mark.parametrize(
    ("span_ns", "words"),
    [(YEARS_NS, "3650 days"), (-HOUR_NS * 2, "2 hours"), (HOUR_NS, "60 minutes"), (90 * 10**9, "90 s")],
)
def test_spans_are_said_in_the_unit_that_fits(span_ns: int, words: str) -> None:
    """Ahead or back."""
    assert in_days(span_ns) == words
