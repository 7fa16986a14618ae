"""Work only where something happens: what is saved at a real door, and that nobody gets by for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sites import ABSENCE_S, DENIED, GRANTED, RealSite
from tests.support.views import BIDEN, OBAMA, OBAMA_AGAIN

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

SAVED = 30


@pytest.fixture
def site(folder: Path) -> Iterator[RealSite]:
    """Give a site at which one person is enrolled and nobody stands at the door."""
    with RealSite(folder) as site:
        site.enrol("barack_obama.jpg")
        yield site


def test_an_empty_hall_costs_few_looks_and_no_visit(site: RealSite) -> None:
    """The broker answers in the recognizer's place, the display stays live, and all who come are logged."""
    site.start_all()
    site.wait_until_enrolled(1)
    for who, outcome in ((OBAMA, GRANTED), (BIDEN, DENIED), (OBAMA_AGAIN, GRANTED)):
        before = site.count("broker", "looks_saved")
        site.wait_for(lambda: site.count("broker", "looks_saved") >= before + SAVED)  # noqa: B023 - called at once
        site.wait_for(lambda: site.states_on("screen")[-1:] == ["live"])
        site.wait_for_visit(who, outcome)
        site.wait_until_left()
    shown = [("door", *GRANTED), ("door", *DENIED), ("door", *GRANTED)]
    assert site.visits == shown
    site.wait_for(lambda: site.logged == shown)
    assert all(not result.faces for result in site.results if result.name == "broker")


def test_somebody_who_stood_there_before_the_start_is_seen(site: RealSite) -> None:
    """Nothing changes before the camera, and they are part of its background."""
    site.show(OBAMA)
    site.start_all()
    site.wait_for(lambda: len(site.accesses) == 1)
    assert site.visits == [("door", *GRANTED)]


def test_whoever_takes_a_decided_persons_place_is_noticed(site: RealSite) -> None:
    """At the same spot, between two frames, while that person's face is only found: in both directions."""
    site.start_all()
    site.wait_until_enrolled(1)
    for visits, who in enumerate((OBAMA, BIDEN, OBAMA_AGAIN), 1):
        site.show(who)
        site.wait_for(lambda: len(site.accesses) == visits)  # noqa: B023 - called at once
        heard = len(site.results)
        site.wait_for(lambda: found_only(site, heard) >= 3)  # noqa: B023 - called at once
        site.wait_for(lambda: seconds_shown(site, heard) > 2 * ABSENCE_S)  # noqa: B023 - called at once
    assert site.visits == [("door", *GRANTED), ("door", *DENIED), ("door", *GRANTED)]
    assert all(not face.person for result in site.results for face in result.faces if face.unread)


def seconds_shown(site: RealSite, since: int) -> float:
    """Return for how long there have been results since then: whoever was there before is gone at last."""
    shown = site.results[since:]
    return (shown[-1].captured_ns - shown[0].captured_ns) / 1e9 if shown else 0.0


def found_only(site: RealSite, since: int) -> int:
    """Return how many results since then have a face that was found and not encoded."""
    return sum(any(face.unread for face in result.faces) for result in site.results[since:])
