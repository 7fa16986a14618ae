"""What the votes of a visit come to, and when: a grant, a denial, or nothing yet."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from turnstile.access.door import (
    Earlier,
    Visit,
    are_of_one_face,
    are_two,
    denied_before,
    fleeting_before,
    if_alive,
    in_place,
    is_awaited,
    not_alive,
    of_turned_face,
    remove,
    shadowed_by,
)
from turnstile.access.linking import is_settled
from turnstile.access.votes import MORE_VOTES, Ballot, Conclusion, denial, grant, most_votes
from turnstile.liveness.sequence import FaceSequence
from turnstile.protocol.messages import Face
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import DecisionSettings

DOUBTFUL_S = 4.0
"""How long a visit that may be another's face seen badly is in view before it is denied. Unmeasured."""

HOPEFUL_TIMES = 2
"""A visit is denied so many times `deny_not_before_s` after it began, not one, while `votes_needed` of the
latest votes are for one person. Else a fast camera denies somebody near the limit in one frame beyond it. Of
LFW's development people in halves, each as a visit of one still at 15 results a second, .820 are recognised
with it and .813 without, at limits that the other half set for 10 of a million strangers a person; at 10 a
second .819 and .815 (5 splits, November 2026)."""

Objection = Callable[[Conclusion], Reason | None]
"""Returns a further reason to deny, or `None` if there is none."""


class Decision(NamedTuple):
    """A visit was granted or denied."""

    visit: str
    conclusion: Conclusion
    face: Face
    """The face in the deciding frame; of a visit that ended undecided, only its last box."""


def nobody_objects(conclusion: Conclusion) -> Reason | None:  # noqa: ARG001 - an Objection
    """Let every decision stand."""
    return None


def find(
    visits: Mapping[str, Visit], visit: Visit, ballot: Ballot, settings: DecisionSettings
) -> Conclusion | None:
    """Return the conclusion of a visit's votes with this frame's; `None` while it stays open.

    A visit that may be another's face seen badly is denied later, and so is one whose latest votes name
    somebody. A place in which no visit comes to a verdict is denied once while it stays occupied.
    """
    if visit.verdict is not None or ballot.reason is None:
        return None
    promising = ballot.counts and ballot.person is not None
    stayed = visit.in_view_ns >= settings.deny_not_before_s * 1e9
    found = grant(visit.votes, ballot.person, settings, stayed=stayed) if promising else None
    if found is not None:
        return if_alive(found, visit, settings)
    if is_awaited(visit, settings):
        return None
    hopeful = most_votes(visit.votes) >= settings.votes_needed
    more = settings.votes_needed + MORE_VOTES - 1 if promising or hopeful else 0
    not_before_s = settings.deny_not_before_s * (HOPEFUL_TIMES if hopeful else 1)
    if any(is_settled(one.trail) for one in shadowed_by(visits, visit)):
        not_before_s = max(not_before_s, DOUBTFUL_S)
    enough = visit.votes_seen >= settings.deny_after_votes + more
    by_votes = enough and visit.in_view_ns >= not_before_s * 1e9
    if by_votes:
        return _denied(visit)
    denied_here = any(denied_before(visits, visit, settings))
    tried = visit if denied_here else in_place(visits, visit, settings)
    by_time = not promising and tried.in_view_ns >= settings.deny_after_s * 1e9
    return _denied(tried) if by_time else None


def _denied(visit: Visit) -> Conclusion:
    return denial(visit.reasons, people=len({vote.person for vote in visit.votes} - {None}))


def unfinished(visit: Visit, settings: DecisionSettings, objection: Objection) -> Decision:
    """Deny a visit that ended without a verdict."""
    conclusion = not_alive(visit, settings) or _denied(visit)
    conclusion = _overruled(conclusion, objection(conclusion))
    return Decision(visit.visit, conclusion, Face(box_px=visit.trail.box_px))


def _overruled(conclusion: Conclusion, reason: Reason | None) -> Conclusion:
    """Return a conclusion, denied for this reason instead if there is one."""
    return conclusion if reason is None else conclusion._replace(verdict="denied", reason=reason)


def conclude(
    visits: dict[str, Visit],
    name: str,
    conclusion: Conclusion,
    in_view: Mapping[str, Face],
    settings: DecisionSettings,
    objection: Objection,
) -> list[Decision]:
    """Settle a visit and return its decision; no decision if it goes on with one that has a verdict.

    Args:
        visits: the door's; changed.
        name: of the one to settle.
        conclusion: of its votes.
        in_view: the faces of those that the frame shows.
        settings: the door's.
        objection: why a recognised person may not enter.
    """
    visit = visits[name]
    doubles = [
        one
        for one in visits.values()
        if conclusion.person is not None and one.verdict and one.person == conclusion.person
    ]
    for double in doubles:
        if double.visit not in in_view and not are_two(
            visit, double, in_view=in_view, link_distance=settings.link_distance
        ):
            trail = msgspec.structs.replace(
                visit.trail,
                person=double.person,
                certain=True,
                total=double.trail.total,
                summed=double.trail.summed,
            )
            visits[double.visit] = msgspec.structs.replace(double, trail=trail, absent_ns=visit.absent_ns)
            remove(visits, name, into=double.visit)
            return []
    conclusion = _overruled(conclusion, Reason.AMBIGUOUS if doubles else objection(conclusion))
    person = None if doubles else conclusion.person
    for other in [one for one in visits.values() if one.visit not in in_view and one.verdict is None]:
        if are_of_one_face(visit, other, visits, link_distance=settings.link_distance):
            remove(visits, other.visit, into=name)
    absorbed = {
        one.visit for one in (*of_turned_face(visits, visit), *fleeting_before(visits, visit, settings))
    }
    for gone in [one for one in absorbed if one not in in_view and visits[one].verdict is None]:
        remove(visits, gone, into=name)
    visits[name] = msgspec.structs.replace(
        visit,
        trail=msgspec.structs.replace(visit.trail, person=person, certain=person is not None),
        votes=(),
        sequence=FaceSequence(),
        shadows="",
        earlier=Earlier(),
        verdict=conclusion.verdict,
        person=person,
    )
    return [Decision(name, conclusion._replace(person=person), in_view[name])]
