"""Lines of the list of decisions."""

from tests.support.builders import START_NS, an_access
from turnstile.requests.answers import VisitEntry
from turnstile.web.live.decisions import DecisionLine, of_access, of_entry


def test_a_decision_is_the_same_line_from_the_bus_and_from_the_log() -> None:
    """So that it is listed once."""
    access = an_access(seq=17, verdict="denied", person=None)
    entry = VisitEntry(
        number=4,
        event="aaaa:17",
        camera=access.camera,
        verdict="denied",
        reason="unknown",
        person=None,
        votes=3,
        of=5,
        visit=access.visit,
        decided_ns=access.decided_ns,
    )
    line = DecisionLine(
        event="aaaa:17",
        at_ns=START_NS,
        camera="front_door",
        verdict="denied",
        who="somebody unknown",
        why="not recognised",
    )
    assert of_access(access) == of_entry(entry) == line


def test_a_grant_needs_no_reason() -> None:
    """The name says it."""
    line = of_access(an_access())
    assert (line.verdict, line.who, line.why) == ("granted", "Barack Obama", "")
