"""From faces in frames to one decision for each person and visit.

`fold` is a pure function. It takes a camera's open visits and one more result. It returns the visits that are
open afterwards and the decisions made. Time is when frames came, on the broker's running clock: no camera's
clock, wrong or set, makes a visit longer or shorter.

- Faces are linked to visits by encoding and place (`turnstile.access.linking`). A face that continues no
  visit begins one. No vote passes from one person to another.
- A frame votes for the nearest person if that person is at most `max_distance` away and the second-best
  person is at least `min_margin` farther. Otherwise it votes for unknown. Too small, blurred or late frames
  do not vote.
- Granted: `votes_needed` of the last `votes_of` votes within `window_s` are for one person, and there is no
  objection.
- Denied: after `deny_after_votes` votes or `deny_after_s` in view, for the most frequent reason. A visit that
  ends without a verdict after `votes_needed` votes is denied.
- A verdict is final for the visit and covers one person only. A face that takes that person's place has a
  visit of its own from its first frame on.
- The new visit only shadows the first one while both may be the same face seen badly, such as behind a hand.
  It ends without an entry when the first face is back. It is denied only after `SHADOW_PATIENCE` times as
  many votes.
- A visit ends after `absence_s` of observed absence: the time between results in which it was not seen. Each
  step counts as at most `MAX_STEP_NS`, so an outage of any length is a short absence. Somebody with a verdict
  who is recognised again before the end is not decided upon again.
- Results of several recognizers may come out of order. An older one may vote; it neither begins nor
  ends a visit. A frame counts once however often its result comes.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from turnstile.access.linking import Trail, follow, followed, is_alike, link
from turnstile.access.votes import Ballot, Conclusion, Grounds, Vote, ballots, denial, grant, with_frame
from turnstile.protocol.messages import Face, Result, Verdict
from turnstile.protocol.names import same_name
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import DecisionSettings

MAX_STEP_NS = 500_000_000
"""The longest gap between two results that counts in full as observed."""

SHADOW_PATIENCE = 2
"""How many times the votes a visit needs to be denied while it may be another's face seen badly."""

MAX_FOLDED = 512
"""Frames remembered as folded, so that none counts twice: over 5 s at 100 results a second."""

MAX_FACES_LINKED = 32
"""Faces of a frame that are linked to visits, see `followed`."""

MAX_VISITS = 64
"""Visits open at a door. Linking takes time by faces and visits, and a broken recognizer may begin visits
without end."""

_Holder = TypeVar("_Holder", Vote, Grounds)

Objection = Callable[[Conclusion], Reason | None]
"""Returns a further reason to deny, or `None` if there is none."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One person at one camera, from the first frame until an observed absence."""

    visit: str
    trail: Trail
    votes: tuple[Vote, ...] = ()
    """The latest, at most `votes_of`, in the order in which their frames came."""
    votes_seen: int = 0
    reasons: dict[Reason, Grounds] = {}
    """Reason → the frames that gave it."""
    reason: Reason | None = None
    """The latest frame's reason; `None` if another face was nearer (`nearest_only`)."""
    in_view_ns: int = 0
    read_ns: int = 0
    """When the newest frame came in which its face was encoded; 0 if none."""
    absent_ns: int = 0
    shadows: str = ""
    """The visit whose place this one took, while both may be the same person."""
    verdict: Verdict | None = None
    person: str | None = None
    """The person of the verdict; `None` means unknown."""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one camera: its open visits, and which frames they are from."""

    visits: tuple[Visit, ...] = ()
    newest_ns: int = 0
    """When the newest frame came; 0 before the first."""
    folded: tuple[tuple[int, int], ...] = ()
    """Number and time of the latest frames, at most `MAX_FOLDED`."""


class Decision(NamedTuple):
    """A visit was granted or denied."""

    visit: str
    conclusion: Conclusion
    face: Face
    """The face in the deciding frame; of a visit that ended undecided, only its last box."""


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


def nobody_objects(conclusion: Conclusion) -> Reason | None:  # noqa: ARG001 - an Objection
    """Let every decision stand."""
    return None


def fold(
    door: Door,
    result: Result,
    settings: DecisionSettings,
    *,
    came_ns: int,
    age_s: float = 0.0,
    objection: Objection = nobody_objects,
) -> tuple[Door, list[Decision]]:
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
        return door, []
    faces = followed([visit.trail for visit in door.visits], result.faces, at_most=MAX_FACES_LINKED)
    result = msgspec.structs.replace(result, faces=tuple(faces))
    too_old = age_s > settings.max_result_age_s
    step = _step(door, came_ns)
    cast = ballots(result, settings, too_old=too_old)
    visits, sights, gone = _carry_on(door, result, cast, step, settings)
    decisions = [_unfinished(visit, settings, objection) for visit in gone if _was_tried(visit, settings)]
    for name in [name for name in visits if name in sights]:
        patience = SHADOW_PATIENCE if visits[name].shadows in visits else 1
        conclusion = _find(visits[name], sights[name].ballot, settings, patience=patience)
        if conclusion is not None:
            decisions += _conclude(visits, name, conclusion, sights, objection)
    after = Door(
        visits=tuple(visits.values()),
        newest_ns=max(door.newest_ns, came_ns),
        folded=(*door.folded, frame)[-MAX_FOLDED:],
    )
    return after, decisions


def visits_of(person: str, door: Door) -> tuple[Visit, ...]:
    """Return a door's visits that name a person, and those that shadow them: they may be the same face."""
    named = {visit.visit for visit in door.visits if _names(visit, person)}
    return tuple(visit for visit in door.visits if visit.visit in named or visit.shadows in named)


def without_visits_of(person: str, door: Door) -> Door:
    """Return a door without a person's visits; no other one tells whose face was near that person's."""
    gone = visits_of(person, door)
    kept = tuple(_without_nearest(visit, person) for visit in door.visits if visit not in gone)
    return msgspec.structs.replace(door, visits=kept)


def without(door: Door, visits: Collection[str]) -> Door:
    """Return a door without some visits."""
    kept = tuple(visit for visit in door.visits if visit.visit not in visits)
    return msgspec.structs.replace(door, visits=kept)


def _names(visit: Visit, person: str) -> bool:
    names = {visit.person, visit.trail.person, *(vote.person for vote in visit.votes)} - {None}
    return any(name is not None and same_name(name, person) for name in names)


def _without_nearest(visit: Visit, person: str) -> Visit:
    def cleaned(holder: _Holder) -> _Holder:
        nearest = holder.measure.nearest
        if nearest is None or not same_name(nearest, person):
            return holder
        return msgspec.structs.replace(holder, measure=msgspec.structs.replace(holder.measure, nearest=None))

    return msgspec.structs.replace(
        visit,
        votes=tuple(cleaned(vote) for vote in visit.votes),
        reasons={reason: cleaned(grounds) for reason, grounds in visit.reasons.items()},
    )


def resumed(door: Door) -> Door:
    """Return a door as a broker that starts takes it over: the clock of the one before may be another.

    Decided visits stay, so that nobody in view has a second entry. Undecided ones need new votes.
    """
    visits = tuple(msgspec.structs.replace(visit, votes=(), read_ns=0) for visit in door.visits)
    return Door(visits=visits)


def _step(door: Door, came_ns: int) -> _Step:
    step_ns = min(max(0, came_ns - door.newest_ns), MAX_STEP_NS) if door.newest_ns else 0
    return _Step(came_ns, step_ns, late=came_ns < door.newest_ns)


def _carry_on(
    door: Door, result: Result, cast: Sequence[Ballot], step: _Step, settings: DecisionSettings
) -> tuple[dict[str, Visit], dict[str, _Sight], list[Visit]]:
    """Return the visits open after a result, those seen in it, and those that ended."""
    before = door.visits
    trails, names = [visit.trail for visit in before], [ballot.person for ballot in cast]
    links = link(trails, result.faces, names, link_distance=settings.link_distance)
    sights = {before[v].visit: _Sight(result.faces[f], cast[f]) for v, f in links.face_of.items()}
    rivals = {before[v].visit for f, v in links.displaced.items() if cast[f].counts}
    begun: list[Visit] = []
    for f in () if step.late else links.fresh:
        shadowed = _shadowed(before[links.displaced[f]]) if f in links.displaced else ""
        name = f"{result.camera}-{step.came_ns}-{result.seq}-{len(begun) + 1}"
        begun.append(Visit(visit=name, trail=Trail(box_px=result.faces[f].box_px), shadows=shadowed))
        sights[name] = _Sight(result.faces[f], cast[f])
    visits: dict[str, Visit] = {}
    gone: list[Visit] = []
    for visit in (*before, *begun):
        sight = sights.get(visit.visit)
        if sight is not None:
            visits[visit.visit] = _see(visit, sight, step, settings)
            continue
        missed = _miss(visit, step, settings, displaced=visit.visit in rivals)
        mistaken = missed.verdict is None and missed.shadows in sights
        if mistaken:
            continue
        if missed.absent_ns < settings.absence_s * 1e9:
            visits[visit.visit] = missed
        else:
            gone.append(missed)
    return _newest(visits, sights), sights, gone


def _newest(visits: dict[str, Visit], sights: Mapping[str, _Sight]) -> dict[str, Visit]:
    """Return at most `MAX_VISITS` visits: those in view first, then those seen latest."""
    if len(visits) <= MAX_VISITS:
        return visits
    newest_first = list(visits)[::-1]
    newest_first.sort(key=lambda name: (name not in sights, visits[name].absent_ns))
    kept = set(newest_first[:MAX_VISITS])
    return {name: visit for name, visit in visits.items() if name in kept}


def _shadowed(visit: Visit) -> str:
    """Return the visit that a new one shadows: the displaced one, or what that one shadows."""
    return visit.shadows if visit.verdict is None and visit.shadows else visit.visit


def _see(visit: Visit, sight: _Sight, step: _Step, settings: DecisionSettings) -> Visit:
    """Return a visit after a frame that shows its face.

    A late frame only votes. A face linked by its name alone does not: it may be somebody else's.
    """
    face, ballot = sight
    alike = is_alike(visit.trail, face, link_distance=settings.link_distance)
    step_ns = step.step_ns if visit.reasons else 0
    if visit.verdict is None and ballot.reason is not None:
        counted = {
            **visit.reasons,
            ballot.reason: with_frame(visit.reasons.get(ballot.reason), ballot.measure),
        }
        visit = msgspec.structs.replace(visit, reasons=counted, in_view_ns=visit.in_view_ns + step_ns)
    if visit.verdict is None and ballot.counts and alike:
        visit = msgspec.structs.replace(visit, votes_seen=visit.votes_seen + 1)
        visit = _with_vote(visit, ballot, step, settings)
    if step.late:
        return visit
    clear = visit.verdict != "granted" or (ballot.person == visit.person and alike)
    trail = follow(visit.trail, face, person=ballot.person, keep_encoding=clear)
    read_ns = visit.read_ns if face.unread else step.came_ns
    return msgspec.structs.replace(visit, trail=trail, reason=ballot.reason, absent_ns=0, read_ns=read_ns)


def _miss(visit: Visit, step: _Step, settings: DecisionSettings, *, displaced: bool) -> Visit:
    """Return a visit after a frame without its face. Another face in its place speaks against it."""
    if displaced and visit.verdict is None:
        visit = _with_vote(visit, _AGAINST, step, settings)
    if step.late:
        return visit
    trail = msgspec.structs.replace(visit.trail, in_view=False) if visit.trail.in_view else visit.trail
    return msgspec.structs.replace(visit, trail=trail, absent_ns=visit.absent_ns + step.step_ns)


def _with_vote(visit: Visit, ballot: Ballot, step: _Step, settings: DecisionSettings) -> Visit:
    vote = Vote(person=ballot.person, measure=ballot.measure, came_ns=step.came_ns)
    votes = sorted((*visit.votes, vote), key=lambda one: one.came_ns)[-settings.votes_of :]
    return msgspec.structs.replace(visit, votes=tuple(votes))


def _find(visit: Visit, ballot: Ballot, settings: DecisionSettings, *, patience: int) -> Conclusion | None:
    """Return the conclusion of a visit's votes with this frame's; `None` while it stays open."""
    if visit.verdict is not None or ballot.reason is None:
        return None
    promising = ballot.counts and ballot.person is not None
    found = grant(visit.votes, ballot.person, settings) if promising else None
    if found is not None:
        return found
    bound = settings.deny_after_votes * patience + (settings.votes_needed - 1 if promising else 0)
    by_votes = visit.votes_seen >= bound and visit.in_view_ns >= settings.deny_not_before_s * 1e9
    by_time = not promising and visit.in_view_ns >= settings.deny_after_s * 1e9
    return denial(visit.votes, visit.reasons, settings) if by_votes or by_time else None


def _was_tried(visit: Visit, settings: DecisionSettings) -> bool:
    """Tell whether a visit that ended undecided becomes an entry: no shadow, and in enough frames."""
    seen_enough = visit.votes_seen >= settings.votes_needed
    stayed = visit.in_view_ns >= settings.deny_not_before_s * 1e9
    return visit.verdict is None and not visit.shadows and seen_enough and stayed


def _unfinished(visit: Visit, settings: DecisionSettings, objection: Objection) -> Decision:
    """Deny a visit that ended without a verdict."""
    conclusion = denial(visit.votes, visit.reasons, settings)
    conclusion = _overruled(conclusion, objection(conclusion))
    return Decision(visit.visit, conclusion, Face(box_px=visit.trail.box_px))


def _overruled(conclusion: Conclusion, reason: Reason | None) -> Conclusion:
    """Return a conclusion, denied for this reason instead if there is one."""
    return conclusion if reason is None else conclusion._replace(verdict="denied", reason=reason)


def _conclude(
    visits: dict[str, Visit],
    name: str,
    conclusion: Conclusion,
    sights: Mapping[str, _Sight],
    objection: Objection,
) -> list[Decision]:
    """Settle a visit and return its decision; no decision if its person has a verdict already."""
    visit = visits[name]
    doubles = [
        one
        for one in visits.values()
        if conclusion.person is not None and one.verdict and one.person == conclusion.person
    ]
    for double in doubles:
        if double.visit not in sights:
            trail = msgspec.structs.replace(visit.trail, person=double.person, certain=True)
            visits[double.visit] = msgspec.structs.replace(double, trail=trail, absent_ns=visit.absent_ns)
            del visits[name]
            return []
    conclusion = _overruled(conclusion, Reason.AMBIGUOUS if doubles else objection(conclusion))
    person = None if doubles else conclusion.person
    visits[name] = msgspec.structs.replace(
        visit,
        trail=msgspec.structs.replace(visit.trail, person=person, certain=person is not None),
        votes=(),
        verdict=conclusion.verdict,
        person=person,
    )
    return [Decision(name, conclusion._replace(person=person), sights[name].face)]


_AGAINST = Ballot(person=None, reason=Reason.UNKNOWN, counts=True)
"""The ballot against a visit whose place somebody else's face has taken."""
