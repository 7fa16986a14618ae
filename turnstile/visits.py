"""From faces in frames to one decision a person and visit.

`fold` is a pure function: the visits open at a camera and one more result give the visits open after it and
the decisions made by it. It reads no clock: time is that of the camera's own frames.

- A face continues the open visit of the person it matches, else the visit whose last box it overlaps or is
  nearest to, else it begins a visit.
- A frame votes for the nearest person when the distance is at most `max_distance`, else for unknown.
- Granted: `votes_needed` of the last `votes_of` votes within `window_s` are for one person.
  Denied: `deny_after_votes` votes have come and none of that happened. Either is final for the visit.
  A granted visit in whose last `votes_of` votes its person does not appear has become somebody else's: it
  ends, and the face begins another.
- A visit ends after `absence_s` of observed absence: the time between results in which it was not seen, each
  step counted as at most `MAX_STEP_NS`, so that an outage of any length is a short absence.
"""

from typing import NamedTuple

import msgspec

from turnstile.config import Decision as Rules
from turnstile.messages import Box, Face, Result, Verdict
from turnstile.reasons import Reason

MAX_STEP_NS = 500_000_000
"""The longest gap between two results that counts in full as observed."""

CLOCK_JUMP_NS = 2_000_000_000
"""A result this much older than the newest one means that the camera's clock was set back."""

NEAR = 1.0
"""Faces whose centres are less than this many face widths apart in consecutive results may be one person."""


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """What one frame says about who a face is; nobody means unknown."""

    person: str | None
    distance: float | None
    captured_ns: int


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One person at one camera, from the first frame until an observed absence."""

    visit: str
    votes: tuple[Vote, ...]
    """The latest, at most `votes_of`."""
    votes_seen: int
    box_px: Box
    absent_ns: int = 0
    verdict: Verdict | None = None
    person: str | None = None
    """Whom it was granted to."""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one camera: its open visits, and how far its clock has come."""

    visits: tuple[Visit, ...] = ()
    newest_ns: int = 0
    visits_begun: int = 0


class Decision(NamedTuple):
    """A visit was granted or denied."""

    visit: str
    verdict: Verdict
    reason: Reason
    person: str | None
    distance: float | None
    votes: int
    of: int
    box_px: Box


def fold(door: Door, result: Result, rules: Rules) -> tuple[Door, list[Decision]]:
    """Return the door after a result, and the decisions that the result brought about.

    Results may come a little out of order, as several recognizers finish at different times.
    """
    set_back = result.captured_ns < door.newest_ns - CLOCK_JUMP_NS
    newest_ns = result.captured_ns if set_back else max(door.newest_ns, result.captured_ns)
    step_ns = min(max(0, newest_ns - door.newest_ns), MAX_STEP_NS) if door.newest_ns and not set_back else 0
    seen, fresh = _link(door.visits, result.faces, rules)
    begun = door.visits_begun
    visits: list[Visit] = []
    decisions: list[Decision] = []
    for visit in door.visits:
        if visit.visit in seen:
            now, decision = _vote(visit, seen[visit.visit], result.captured_ns, rules)
            if _is_somebody_else(now, rules):
                fresh.append(seen[visit.visit])
                continue
            visits.append(now)
            decisions += decision
        else:
            absent_ns = visit.absent_ns + step_ns
            if absent_ns < rules.absence_s * 1e9:
                visits.append(msgspec.structs.replace(visit, absent_ns=absent_ns))
    for face in fresh:
        begun += 1
        name = f"{result.camera}-{result.captured_ns}-{begun}"
        empty = Visit(visit=name, votes=(), votes_seen=0, box_px=face.box_px)
        now, decision = _vote(empty, face, result.captured_ns, rules)
        visits.append(now)
        decisions += decision
    return Door(visits=tuple(visits), newest_ns=newest_ns, visits_begun=begun), decisions


def _vote(visit: Visit, face: Face, captured_ns: int, rules: Rules) -> tuple[Visit, list[Decision]]:
    vote = Vote(person=_named(face, rules), distance=face.distance, captured_ns=captured_ns)
    votes = (*visit.votes, vote)[-rules.votes_of :]
    now = msgspec.structs.replace(
        visit, votes=votes, votes_seen=visit.votes_seen + 1, box_px=face.box_px, absent_ns=0
    )
    if visit.verdict is not None:
        return now, []
    decision = _decide(now, captured_ns, rules)
    if decision is None:
        return now, []
    return msgspec.structs.replace(now, verdict=decision.verdict, person=decision.person), [decision]


def _is_somebody_else(visit: Visit, rules: Rules) -> bool:
    full = len(visit.votes) == rules.votes_of
    return visit.verdict == "granted" and full and all(vote.person != visit.person for vote in visit.votes)


def _decide(visit: Visit, captured_ns: int, rules: Rules) -> Decision | None:
    valid = [vote for vote in visit.votes if captured_ns - vote.captured_ns <= rules.window_s * 1e9]
    candidate = visit.votes[-1].person
    agreeing = [vote for vote in valid if vote.person == candidate]
    distance = min((vote.distance for vote in agreeing if vote.distance is not None), default=None)
    if candidate is not None and len(agreeing) >= rules.votes_needed:
        return Decision(
            visit.visit,
            "granted",
            Reason.RECOGNISED,
            candidate,
            distance,
            len(agreeing),
            len(valid),
            visit.box_px,
        )
    if visit.votes_seen < rules.deny_after_votes:
        return None
    unknown = [vote for vote in valid if vote.person is None]
    distance = min((vote.distance for vote in unknown if vote.distance is not None), default=None)
    return Decision(
        visit.visit, "denied", Reason.UNKNOWN, None, distance, len(unknown), len(valid), visit.box_px
    )


def _named(face: Face, rules: Rules) -> str | None:
    """Return whom a face votes for."""
    close = face.distance is not None and face.distance <= rules.max_distance
    return face.person if close else None


def _link(
    visits: tuple[Visit, ...], faces: tuple[Face, ...], rules: Rules
) -> tuple[dict[str, Face], list[Face]]:
    """Return which face continues which visit, and the faces that begin one. Each is used once."""
    pairs = sorted(
        (_apart(visit, face, rules), v, f) for v, visit in enumerate(visits) for f, face in enumerate(faces)
    )
    linked: dict[str, Face] = {}
    used: set[int] = set()
    for apart, v, f in pairs:
        if apart < NEAR and visits[v].visit not in linked and f not in used:
            linked[visits[v].visit] = faces[f]
            used.add(f)
    return linked, [face for f, face in enumerate(faces) if f not in used]


def _apart(visit: Visit, face: Face, rules: Rules) -> float:
    """Return how far a face is from a visit in face widths; below zero when it is the same person by name."""
    named = _named(face, rules)
    if named is not None and named in (visit.person, _leading(visit)):
        return -1.0
    if named is not None and visit.person is not None:
        return 2 * NEAR
    a, b = visit.box_px, face.box_px
    across = (a.left + a.right - b.left - b.right) / 2
    down = (a.top + a.bottom - b.top - b.bottom) / 2
    return float((across**2 + down**2) ** 0.5 / max(1, a.width, b.width))


def _leading(visit: Visit) -> str | None:
    """Return whom the latest vote for anybody was for."""
    return next((vote.person for vote in reversed(visit.votes) if vote.person is not None), None)
