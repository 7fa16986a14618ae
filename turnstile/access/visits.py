"""From faces in frames to one decision for each person and visit.

`fold` is a pure function. It takes a camera's open visits and one more result. It returns the visits that are
open afterwards and the decisions made. Time is when frames came, on the broker's running clock: no camera's
clock, wrong or set, makes a visit longer or shorter.

- Faces are linked to visits by encoding and place (`turnstile.access.linking`). A face that continues no
  visit begins one. No vote passes from one person to another.
- A frame votes for the nearest person if that person is at most `max_distance` away and the second-best
  person is at least `min_margin` farther. Otherwise it votes for unknown. Frames of a face that is too small,
  blurred or turned away do not vote, nor do late ones.
- Granted: `votes_needed` of the last `votes_of` votes within `window_s` are for one person, and there is no
  objection. Who is near the limit needs `MORE_VOTES` more, and `deny_not_before_s` in view.
- With `liveness` ``passive``, a grant waits until the face is known to be alive, or becomes a denial.
- Denied: after `deny_after_votes` votes or `deny_after_s` in view, for the most frequent reason; later while
  the latest votes name somebody. A visit that ends without a verdict after `votes_needed` votes is denied.
- A verdict is final for the visit and covers one person only. A face that takes that person's place has a
  visit of its own from its first frame on.
- The new visit only shadows the first one while both may be the same face seen badly, such as behind a hand
  or turned away: until both are in view, or their means are too far apart. Meanwhile the first one is not
  absent. The new one ends without an entry when the first face is back. It is granted like any other, and
  denied when it ends, or after `DOUBTFUL_S`.
- A visit follows the one that stood in its place just before (`Visit.follows`). Several that are each too
  short for an entry have one together: when they end, or when the place has been occupied for `deny_after_s`,
  and then no second one while it stays so.
- A face that is as near to the latest one of the visit it follows as two frames of one face has turned. If
  one of the two is denied, the other is not denied too. Nor is a visit that shadows a denied one when their
  means are that near.
- A person who is recognised while a visit of the same name is open continues that one, unless the two are
  two faces. Then nobody can tell who is who, and the second is denied.
- A visit ends after `absence_s` of observed absence: the time between results in which it was not seen. Each
  step counts as at most `MAX_STEP_NS`, so an outage of any length is a short absence. Somebody with a verdict
  who is recognised again before the end is not decided upon again.
- Results of several recognizers may come out of order. An older one may vote; it neither begins nor
  ends a visit. A frame counts once however often its result comes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from turnstile.access.door import (
    Door,
    Earlier,
    Visit,
    after,
    are_of_one_face,
    are_two,
    denied_before,
    is_open_place,
    newest_of,
    of_turned_face,
    remove,
    shadowed_by,
    was_tried,
    whole,
)
from turnstile.access.linking import (
    NEAR,
    Trail,
    follow,
    followed,
    has_turned,
    is_of_somebody_else,
    is_settled,
    link,
    with_voter,
)
from turnstile.access.verdicts import (
    Decision,
    Objection,
    conclude,
    find,
    nobody_objects,
    unfinished,
)
from turnstile.access.votes import MORE_VOTES, Ballot, Conclusion, Vote, ballots, with_frame
from turnstile.liveness.sequence import FaceSequence, with_face
from turnstile.protocol.fields import apart_widths
from turnstile.protocol.messages import Face, Result
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import DecisionSettings

MAX_STEP_NS = 500_000_000
"""The longest gap between two results that counts in full as observed."""

MAX_FOLDED = 512
"""Frames remembered as folded, so that none counts twice: over 5 s at 100 results a second."""

MAX_FLEETING = 8
"""Visits of few frames that are kept while others have followed in their place."""

MAX_FACES_LINKED = 32
"""Faces of a frame that are linked to visits, see `followed`."""


class Folded(NamedTuple):
    """What came of a result."""

    door: Door
    decisions: list[Decision]
    too_short: int = 0
    """Visits that ended undecided in too few frames for an entry."""
    joined: int = 0
    """Visits that were of a face which another visit has an entry for, or will have."""


class _Step(NamedTuple):
    """How a result stands in time."""

    came_ns: int
    step_ns: int
    late: bool
    """Its frame came before that of the newest result, so it may vote but changes nothing else."""


class _Sight(NamedTuple):
    """A visit's face in the result at hand."""

    face: Face
    ballot: Ballot
    strayed: bool = False
    """See `Links.strayed`."""


def fold(
    door: Door,
    result: Result,
    settings: DecisionSettings,
    *,
    came_ns: int,
    age_s: float = 0.0,
    objection: Objection = nobody_objects,
) -> Folded:
    """Return the door after a result, and the decisions that the result brought about.

    Args:
        door: as the result before left it.
        result: of a frame of this door's camera, with the faces' encodings.
        settings: the site's, with what the rules say of this door.
        came_ns: when the frame came, on a clock that runs and is never set.
        age_s: how long the frame took from the broker and back.
        objection: why a recognised person may not enter.
    """
    frame = (result.seq, came_ns)
    if came_ns <= door.newest_ns and frame in door.folded:
        return Folded(door, [])
    if not (result.faces or door.visits):
        return Folded(_after(door, (), frame), [])
    faces = followed([visit.trail for visit in door.visits], result.faces, at_most=MAX_FACES_LINKED)
    result = msgspec.structs.replace(result, faces=tuple(faces))
    too_old = age_s > settings.max_result_age_s
    step = _step(door, came_ns)
    cast = ballots(result, settings, too_old=too_old)
    visits, sights, begun = _carry_on(door, result, cast, step, settings)
    gone = _end(visits, {} if step.late else sights, settings)
    joined = len(door.visits) + begun - len(visits) - len(gone)
    visits = newest_of(visits, in_view=sights)
    before = len(visits)
    in_view = {name: sight.face for name, sight in sights.items()}
    decisions = [unfinished(visit, settings, objection) for visit in gone if was_tried(visit, settings)]
    for name in [name for name in visits if name in sights]:
        conclusion = find(visits, visits[name], sights[name].ballot, settings)
        if conclusion is None or _is_said(visits, visits[name], conclusion):
            continue
        if conclusion.verdict == "denied" and _is_denied(visits, visits[name], settings):
            visits[name] = msgspec.structs.replace(
                visits[name], verdict="denied", votes=(), sequence=FaceSequence(), shadows=""
            )
        else:
            decisions += conclude(visits, name, conclusion, in_view, settings, objection)
    after = _after(door, tuple(visits.values()), frame)
    too_short = sum(visit.verdict is None and not was_tried(visit, settings) for visit in gone)
    return Folded(after, decisions, too_short, joined + before - len(visits))


def _after(door: Door, visits: tuple[Visit, ...], frame: tuple[int, int]) -> Door:
    return Door(
        visits=visits,
        newest_ns=max(door.newest_ns, frame[1]),
        folded=(*door.folded, frame)[-MAX_FOLDED:],
    )


def _step(door: Door, came_ns: int) -> _Step:
    step_ns = min(max(0, came_ns - door.newest_ns), MAX_STEP_NS) if door.newest_ns else 0
    return _Step(came_ns, step_ns, late=came_ns < door.newest_ns)


def _carry_on(
    door: Door, result: Result, cast: Sequence[Ballot], step: _Step, settings: DecisionSettings
) -> tuple[dict[str, Visit], dict[str, _Sight], int]:
    """Return the visits after a result, the faces of those seen in it, and how many began."""
    before = door.visits
    trails, names = [visit.trail for visit in before], [ballot.person for ballot in cast]
    links = link(trails, result.faces, names, link_distance=settings.link_distance)
    sights = {
        before[v].visit: _Sight(result.faces[f], cast[f], v in links.strayed)
        for v, f in links.face_of.items()
    }
    rivals = {before[v].visit for f, v in links.displaced.items() if cast[f].counts}
    begun: list[Visit] = []
    for f in () if step.late else links.fresh:
        shadowed = before[links.displaced[f]].visit if f in links.displaced else ""
        name = f"{result.camera}-{step.came_ns}-{result.seq}-{len(begun) + 1}"
        visit = Visit(visit=name, trail=Trail(box_px=result.faces[f].box_px), shadows=shadowed)
        unseen = [one for one in before if one.visit not in sights]
        begun.append(_following(visit, unseen, result.faces[f], step, settings))
        sights[name] = _Sight(result.faces[f], cast[f])
    by_name = {visit.visit: visit for visit in (*before, *begun)}
    held = {one.visit for name in sights for one in shadowed_by(by_name, by_name[name])}
    held |= {one.visit for name in sights for one in denied_before(by_name, by_name[name], settings)}
    visits: dict[str, Visit] = {}
    for visit in (*before, *begun):
        sight = sights.get(visit.visit)
        if sight is not None:
            visits[visit.visit] = _see(visit, sight, step, settings)
        else:
            visits[visit.visit] = _miss(
                visit, step, settings, displaced=visit.visit in rivals, held=visit.visit in held
            )
    return visits, sights, len(begun)


def _following(
    visit: Visit, unseen: Sequence[Visit], face: Face, step: _Step, settings: DecisionSettings
) -> Visit:
    """Return a new visit with the one that stood in its place just before."""
    there = [
        one
        for one in unseen
        if step.came_ns - one.read_ns <= MAX_STEP_NS and apart_widths(one.trail.box_px, face.box_px) < NEAR
    ]
    if not there:
        return visit
    latest = max(there, key=lambda one: one.read_ns)
    turned = has_turned(latest.trail, face, link_distance=settings.link_distance)
    occupied = Earlier(in_view_ns=step.came_ns - latest.read_ns)
    return msgspec.structs.replace(visit, follows=latest.visit, turned=turned, earlier=occupied)


def _is_said(visits: Mapping[str, Visit], visit: Visit, conclusion: Conclusion) -> bool:
    """Tell whether a denial is of a face that was denied before it turned."""
    if conclusion.verdict == "granted":
        return False
    return any(one.verdict == "denied" for one in of_turned_face(visits, visit))


def _is_denied(visits: Mapping[str, Visit], visit: Visit, settings: DecisionSettings) -> bool:
    """Tell whether a visit is of a face that was denied before it was seen badly."""
    return any(
        one.verdict == "denied" and are_of_one_face(visit, one, visits, link_distance=settings.link_distance)
        for one in shadowed_by(visits, visit)
    )


def _end(visits: dict[str, Visit], sights: Mapping[str, _Sight], settings: DecisionSettings) -> list[Visit]:
    """Remove the visits that are over, and return those that were of a person of their own.

    A visit whose place the person before has taken again was that person, seen badly. It was not if it has
    settled and the person before has not: too few frames tell who that was.
    """
    for name in list(visits):
        for one in list(shadowed_by(visits, visits[name])):
            if are_two(visits[name], one, in_view=sights, link_distance=settings.link_distance):
                visits[name] = msgspec.structs.replace(visits[name], shadows=one.shadows)
            else:
                break
        mistaken = visits[name].verdict is None and name not in sights
        back = next((one for one in shadowed_by(visits, visits[name]) if one.visit in sights), None)
        better_known = back is not None and is_settled(visits[name].trail) and not is_settled(back.trail)
        if mistaken and back is not None and not better_known:
            visits[back.visit] = _joined(back, visits[name])
            remove(visits, name, into=back.visit)
    _gather(visits, sights)
    gone: dict[str, Visit] = {}
    for name in [name for name, one in visits.items() if one.absent_ns >= settings.absence_s * 1e9]:
        visit, others = visits[name], {**gone, **visits}
        heir = _heir(visit, others, settings)
        if heir is None:
            gone[name] = visit
        else:
            (gone if heir.visit in gone else visits)[heir.visit] = heir
        next_to = visit.follows if visit.verdict is None else name
        remove(visits, name, into=next_to if heir is None else heir.visit)
    everybody = {**gone, **visits}
    return [
        visit if was_tried(visit, settings) or not is_open_place(everybody, visit) else whole(visit)
        for visit in gone.values()
    ]


def _heir(visit: Visit, others: Mapping[str, Visit], settings: DecisionSettings) -> Visit | None:
    """Return the visit that one ends in, with what it came to; `None` if it was of a person of its own."""
    turned = tuple(of_turned_face(others, visit))
    for one in others.values():
        if are_of_one_face(visit, one, others, link_distance=settings.link_distance):
            return _joined(one, visit)
        if one in turned and "granted" not in {one.verdict, visit.verdict}:
            return after(one, visit) if visit.verdict is None else _joined(one, visit)
    if visit.verdict is not None:
        return None
    if was_tried(visit, settings) or not is_open_place(others, visit):
        return None
    for one in others.values():
        other = is_of_somebody_else(visit.trail, one.trail, link_distance=settings.link_distance)
        if one.verdict is None and not other and (one.follows == visit.visit or visit.follows == one.visit):
            return after(one, visit)
    return None


def _gather(visits: dict[str, Visit], sights: Mapping[str, _Sight]) -> None:
    """Add the oldest visits of few frames to those that followed them: a face may be new in each frame."""
    heirs = {one.follows: one for one in visits.values() if one.verdict is None}
    fleeting = [
        name
        for name, one in visits.items()
        if name in heirs and name not in sights and one.verdict is None and not is_settled(one.trail)
    ]
    for name in fleeting[:-MAX_FLEETING]:
        heir = next(one for one in visits.values() if one.follows == name and one.verdict is None)
        visits[heir.visit] = after(heir, visits[name])
        remove(visits, name, into=heir.visit)


def _joined(visit: Visit, other: Visit) -> Visit:
    """Return a visit after another one that was of the same face: it was in view for as long as both.

    The votes of both count for an entry when it ends. It is denied if the other one was. A grant does not
    pass on: it may be a look-alike's.
    """
    in_view_ns = visit.in_view_ns + other.in_view_ns
    occupied_ns = visit.earlier.in_view_ns + other.earlier.in_view_ns
    if visit.verdict is None and other.verdict is None:
        visit = after(visit, other)
        earlier = msgspec.structs.replace(visit.earlier, in_view_ns=occupied_ns)
        visit = msgspec.structs.replace(visit, earlier=earlier)
    visit = msgspec.structs.replace(visit, in_view_ns=in_view_ns)
    if visit.verdict is not None or other.verdict != "denied":
        return visit
    return msgspec.structs.replace(visit, verdict="denied", person=other.person)


def _see(visit: Visit, sight: _Sight, step: _Step, settings: DecisionSettings) -> Visit:
    """Return a visit after a frame that shows its face. A late frame only votes."""
    face, ballot, strayed = sight
    step_ns = step.step_ns if visit.reasons else 0
    if visit.verdict is None and ballot.reason is not None:
        counted = {
            **visit.reasons,
            ballot.reason: with_frame(visit.reasons.get(ballot.reason), ballot.measure),
        }
        visit = msgspec.structs.replace(visit, reasons=counted, in_view_ns=visit.in_view_ns + step_ns)
    if ballot.counts and (visit.verdict is None or not is_settled(visit.trail)):
        visit = msgspec.structs.replace(visit, trail=with_voter(visit.trail, face))
    if visit.verdict is None and ballot.counts:
        visit = msgspec.structs.replace(visit, votes_seen=visit.votes_seen + 1)
        visit = _with_vote(visit, ballot, step, settings)
        if settings.liveness == "passive" and ballot.person is not None:
            sequence = with_face(visit.sequence, face, step.came_ns)
            visit = msgspec.structs.replace(visit, sequence=sequence)
    if step.late:
        return visit
    trail = follow(visit.trail, face, person=ballot.person, strayed=strayed, step_ns=step.step_ns)
    read_ns = visit.read_ns if face.unread else step.came_ns
    return msgspec.structs.replace(visit, trail=trail, reason=ballot.reason, absent_ns=0, read_ns=read_ns)


def _miss(visit: Visit, step: _Step, settings: DecisionSettings, *, displaced: bool, held: bool) -> Visit:
    """Return a visit after a frame without its face. Another face in its place speaks against it.

    While that may be its own face seen badly (`held`), it is not absent.
    """
    if displaced and visit.verdict is None:
        visit = _with_vote(visit, _AGAINST, step, settings)
    if step.late:
        return visit
    trail = msgspec.structs.replace(visit.trail, in_view=False) if visit.trail.in_view else visit.trail
    absent_ns = visit.absent_ns + (0 if held else step.step_ns)
    return msgspec.structs.replace(visit, trail=trail, absent_ns=absent_ns)


def _with_vote(visit: Visit, ballot: Ballot, step: _Step, settings: DecisionSettings) -> Visit:
    vote = Vote(person=ballot.person, measure=ballot.measure, came_ns=step.came_ns)
    votes = sorted((*visit.votes, vote), key=lambda one: one.came_ns)[-(settings.votes_of + MORE_VOTES) :]
    return msgspec.structs.replace(visit, votes=tuple(votes))


_AGAINST = Ballot(person=None, reason=Reason.UNKNOWN, counts=True)
"""The ballot against a visit whose place somebody else's face has taken."""
