"""The sentence that explains a visit."""

import pytest

from tests.support.answers import a_visit
from turnstile.protocol.reasons import Reason
from turnstile.web.explanation import explain


def test_a_grant_tells_votes_distance_limit_and_margin() -> None:
    """Whoever was granted entry reads why, in one sentence."""
    visit = a_visit(person="Ann Lee", distance=0.24, max_distance=0.31, margin=0.12, votes=3, of=5)
    assert explain(visit, with_names=True) == (
        "Granted: 3 of 5 frames were nearer to Ann Lee (0.24) than the limit 0.31; "
        "the next person was 0.12 farther."
    )


def test_a_name_from_right_to_left_turns_nothing_round() -> None:
    """The distance in brackets stays behind the name."""
    visit = a_visit(person="أمل حداد", distance=0.24)
    assert "nearer to \u2068أمل حداد\u2069 (0.24) than" in explain(visit, with_names=True)


def test_somebody_unknown_is_compared_with_the_nearest_person() -> None:
    """A clerk reads who that was."""
    visit = a_visit(
        verdict="denied", reason="unknown", person=None, nearest="Bob Poe", distance=0.52, max_distance=0.31
    )
    told = explain(visit, with_names=True)
    assert told == "Denied: not recognised. The nearest person, Bob Poe, was at 0.52; the limit is 0.31."


@pytest.mark.parametrize("reason", ["unknown", "ambiguous"])
def test_a_viewer_reads_no_names_of_others(reason: str) -> None:
    """Who was merely near is nobody's business who only watches."""
    visit = a_visit(verdict="denied", reason=reason, person=None, nearest="Bob Poe", distance=0.52)
    assert "Bob" not in explain(visit, with_names=False)
    assert "Bob" in explain(visit, with_names=True)


@pytest.mark.parametrize("reason", [*Reason, "something newer"])
def test_every_reason_has_a_sentence(reason: str) -> None:
    """Whatever is not measured is left out, and nothing breaks."""
    bare = a_visit(
        verdict="denied",
        reason=reason,
        person=None,
        distance=None,
        max_distance=None,
        margin=None,
        votes=0,
        of=0,
    )
    for visit in (bare, a_visit(verdict="denied", reason=reason)):
        told = explain(visit, with_names=True)
        assert told.startswith("Denied: ")
        assert told.endswith(".")
        assert "None was" not in told


def test_somebody_who_may_not_enter_is_named_with_the_rule() -> None:
    """Recognition was right, and the rules forbid."""
    visit = a_visit(verdict="denied", reason="blocked", person="Eve Poe", distance=0.2, max_distance=0.31)
    assert (
        explain(visit, with_names=False)
        == "Denied: Eve Poe was recognised (0.20, limit 0.31), but is blocked."
    )
