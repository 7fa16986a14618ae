"""A camera's state is said once, however often it comes and goes."""

from turnstile.health.steady import HOLDS_S
from turnstile.screen.scene import Notice, View
from turnstile.screen.state_line import StateLine

WAITING = View(camera="door", light="waiting")
LIVE = View(camera="door", light="live")
STALE = View(camera="door", light="stale", notice=Notice(title="no recent result"))
LOST = View(camera="door", light="lost", notice=Notice(title="camera lost"))


def said(*views: tuple[float, View]) -> list[str]:
    """Return the states that are said of views at their times."""
    line = StateLine()
    return [view.state for now_s, view in views if line.is_new(view, now_s)]


def test_results_that_come_and_go_on_a_busy_machine_are_said_once() -> None:
    """86 of 230 lines were the same two in turn."""
    busy = [(1 + at / 10, STALE if at % 2 else LIVE) for at in range(100)]
    assert said((0.0, WAITING), (0.5, LIVE), *busy) == ["waiting", "live", "no recent result"]


def test_the_end_of_trouble_is_said_when_it_has_held() -> None:
    """Then the same trouble is news again."""
    well = 2.0 + HOLDS_S
    views = ((0.0, WAITING), (0.5, LIVE), (1.0, STALE), (2.0, LIVE), (well, LIVE), (well + 1, STALE))
    assert said(*views) == ["waiting", "live", "no recent result", "live", "no recent result"]


def test_the_end_of_trouble_that_lasted_is_said_at_once() -> None:
    """A cable that was cut is in again."""
    lasted = ((0.5, LIVE), (1.0, LOST), (30.0, LOST), (30.1, LIVE))
    assert said(*lasted) == ["camera lost", "live"]


def test_other_trouble_is_said_at_once() -> None:
    """A camera that is lost is not hidden behind late results."""
    assert said((0.5, LIVE), (1.0, STALE), (1.1, LOST)) == ["no recent result", "camera lost"]
