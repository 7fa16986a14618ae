"""The state of a camera's door: its open visits, which may be of one face, and what is forgotten of them."""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

import msgspec

from turnstile.access.linking import Trail, are_one_person, are_two_people, is_of_somebody_else
from turnstile.access.votes import Conclusion, Grounds, Vote, grant, joined_grounds
from turnstile.liveness.sequence import ALIVE_FRAMES, FaceSequence, is_alive
from turnstile.protocol.messages import Verdict
from turnstile.protocol.names import same_name
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import DecisionSettings

_Holder = TypeVar("_Holder", Vote, Grounds)

MAX_VISITS = 64
"""Visits open at a door. Linking takes time by faces and visits, and a broken recognizer may begin visits
without end."""


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What visits came to that ended without a verdict before another one in their place."""

    in_view_ns: int = 0
    votes_seen: int = 0
    reasons: dict[Reason, Grounds] = {}


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
    sequence: FaceSequence = FaceSequence()
    """The frames that recognised somebody, at doors where the face must be alive; empty after the verdict."""
    in_view_ns: int = 0
    read_ns: int = 0
    """When the newest frame came in which its face was encoded; 0 if none."""
    absent_ns: int = 0
    shadows: str = ""
    """The visit whose place this one took, while both may be the same person."""
    follows: str = ""
    """The visit that stood in its place just before it began."""
    turned: bool = False
    """Its first face was as near to the newest of that visit as two frames of one face."""
    earlier: Earlier = Earlier()
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


def shadowed_by(visits: Mapping[str, Visit], visit: Visit) -> Iterator[Visit]:
    """Give the visits that one shadows: its own first, then the one which that shadows, and so on."""
    known = {visit.visit}
    while (shadowed := visits.get(visit.shadows)) is not None and shadowed.visit not in known:
        known.add(shadowed.visit)
        yield shadowed
        visit = shadowed


def followed_by(visits: Mapping[str, Visit], visit: Visit) -> Iterator[Visit]:
    """Give the visits that stood in the place of one before it: the latest first.

    Doors that were stored before 2026-12 may hold a visit that follows itself.
    """
    known = {visit.visit}
    while (before := visits.get(visit.follows)) is not None and before.visit not in known:
        known.add(before.visit)
        yield before
        visit = before


def is_open_place(visits: Mapping[str, Visit], visit: Visit) -> bool:
    """Tell whether nobody in a visit's place had a verdict before it."""
    return not any(one.verdict for one in followed_by(visits, visit))


def was_tried(visit: Visit, settings: DecisionSettings) -> bool:
    """Tell whether a visit that ended undecided becomes an entry: in enough frames, turned away or not."""
    turned_away = visit.reasons.get(Reason.TURNED_AWAY, Grounds()).frames
    seen_enough = visit.votes_seen + turned_away >= settings.votes_needed
    stayed = visit.in_view_ns >= settings.deny_not_before_s * 1e9
    return visit.verdict is None and seen_enough and stayed


def denied_before(visits: Mapping[str, Visit], visit: Visit, settings: DecisionSettings) -> Iterator[Visit]:
    """Give the denied visit in whose place, since then, there were none but those too short for an entry."""
    for before in followed_by(visits, visit):
        if before.verdict == "denied":
            yield before
        if before.verdict is not None or was_tried(before, settings):
            return


def fleeting_before(visits: Mapping[str, Visit], visit: Visit, settings: DecisionSettings) -> Iterator[Visit]:
    """Give the visits just before one in its place that are too short for an entry and may be of its face."""
    for before in followed_by(visits, visit):
        if before.verdict is not None or was_tried(before, settings):
            return
        if is_of_somebody_else(before.trail, visit.trail, link_distance=settings.link_distance):
            return
        yield before


def in_place(visits: Mapping[str, Visit], visit: Visit, settings: DecisionSettings) -> Visit:
    """Return a visit with what those just before it in its place came to."""
    total = visit
    for before in fleeting_before(visits, visit, settings):
        total = after(total, before)
    return whole(total)


def of_turned_face(visits: Mapping[str, Visit], visit: Visit) -> Iterator[Visit]:
    """Give the other visits of a face that turned, frame by frame, from one into another."""
    known, waiting = {visit.visit}, [visit]
    while waiting:
        here = waiting.pop()
        for one in visits.values():
            linked = (here.turned and here.follows == one.visit) or (one.turned and one.follows == here.visit)
            if linked and one.visit not in known:
                known.add(one.visit)
                waiting.append(one)
                yield one


def remove(visits: dict[str, Visit], name: str, *, into: str = "") -> None:
    """Remove a visit; those that shadowed it shadow what it shadowed.

    Args:
        visits: the door's; changed.
        name: of the one to remove.
        into: the visit that it goes on with, which those that followed it follow then. A visit that led to
            `into` follows what the removed one followed: else both would follow each other.
    """
    heir = visits.get(into)
    until_heir = {into} if heir is None else {into, *(one.visit for one in followed_by(visits, heir))}
    gone = visits.pop(name)
    for other in list(visits.values()):
        shadows = gone.shadows if other.shadows == name else other.shadows
        follows = other.follows
        if into and follows == name:
            follows = gone.follows if other.visit in until_heir else into
        if (shadows, follows) != (other.shadows, other.follows):
            visits[other.visit] = msgspec.structs.replace(other, shadows=shadows, follows=follows)


def whole(visit: Visit) -> Visit:
    """Return a visit with what those before it came to."""
    before = visit.earlier
    return msgspec.structs.replace(
        visit,
        in_view_ns=visit.in_view_ns + before.in_view_ns,
        votes_seen=visit.votes_seen + before.votes_seen,
        reasons={
            reason: _together(visit.reasons.get(reason), before.reasons.get(reason))
            for reason in {**before.reasons, **visit.reasons}
        },
    )


def after(visit: Visit, before: Visit) -> Visit:
    """Return a visit to which one without a verdict, in its place, is added."""
    both = whole(before)
    total = whole(msgspec.structs.replace(both, earlier=visit.earlier))
    earlier = Earlier(in_view_ns=total.in_view_ns, votes_seen=total.votes_seen, reasons=total.reasons)
    visit = msgspec.structs.replace(visit, earlier=earlier)
    if visit.follows != before.visit:
        return visit
    return msgspec.structs.replace(visit, follows=before.follows, turned=visit.turned and before.turned)


def _together(one: Grounds | None, other: Grounds | None) -> Grounds:
    if one is None or other is None:
        return one or other or Grounds()
    return joined_grounds(one, other)


def are_of_one_face(visit: Visit, other: Visit, visits: Mapping[str, Visit], *, link_distance: float) -> bool:
    """Tell whether a visit is of the same face as another one that it shadows, or that shadows it."""
    shadowed = {one.visit for one in (*shadowed_by(visits, visit), *shadowed_by(visits, other))}
    if not shadowed & {visit.visit, other.visit}:
        return False
    return are_one_person(visit.trail, other.trail, link_distance=link_distance)


def are_two(visit: Visit, other: Visit, *, in_view: Collection[str], link_distance: float) -> bool:
    """Tell whether two visits are of two people for certain."""
    if visit.visit in in_view and other.visit in in_view:
        return True
    return are_two_people(visit.trail, other.trail, link_distance=link_distance)


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
        earlier=msgspec.structs.replace(
            visit.earlier,
            reasons={reason: cleaned(grounds) for reason, grounds in visit.earlier.reasons.items()},
        ),
    )


def resumed(door: Door) -> Door:
    """Return a door as a broker that starts takes it over: the clock of the one before may be another.

    Decided visits stay, so that nobody in view has a second entry. Undecided ones need new votes.
    """
    visits = tuple(
        msgspec.structs.replace(visit, votes=(), read_ns=0, sequence=FaceSequence()) for visit in door.visits
    )
    return Door(visits=visits)


def newest_of(visits: dict[str, Visit], *, in_view: Collection[str]) -> dict[str, Visit]:
    """Return at most `MAX_VISITS` visits: those in view first, then those seen latest."""
    if len(visits) <= MAX_VISITS:
        return visits
    newest_first = list(visits)[::-1]
    newest_first.sort(key=lambda name: (name not in in_view, visits[name].absent_ns))
    kept = set(newest_first[:MAX_VISITS])
    return {name: visit for name, visit in visits.items() if name in kept}


def if_alive(found: Conclusion, visit: Visit, settings: DecisionSettings) -> Conclusion | None:
    """Return a grant as the door's liveness has it: as it is, denied, or `None` while that is open."""
    alive = settings.liveness == "off" or _is_alive(visit, settings)
    if alive is None or alive:
        return found if alive else None
    return found._replace(verdict="denied", reason=Reason.NOT_ALIVE)


def is_awaited(visit: Visit, settings: DecisionSettings) -> bool:
    """Tell whether a visit would be granted if its face were known to be alive, and may yet be."""
    return not_alive(visit, settings) is not None and _is_alive(visit, settings) is None


def not_alive(visit: Visit, settings: DecisionSettings) -> Conclusion | None:
    """Return the denial of a visit that would be granted if its face were known to be alive; else `None`."""
    if settings.liveness == "off":
        return None
    stayed = visit.in_view_ns >= settings.deny_not_before_s * 1e9
    found = grant(visit.votes, visit.trail.person, settings, stayed=stayed)
    return None if found is None else found._replace(verdict="denied", reason=Reason.NOT_ALIVE)


def asks_network(door: Door, settings: DecisionSettings) -> bool:
    """Tell whether a door wants the network's answer to the faces of its next frame."""
    if settings.liveness == "off" or not settings.liveness_network:
        return False
    unanswered = (visit.verdict is None and len(visit.sequence.alive) < ALIVE_FRAMES for visit in door.visits)
    return not door.visits or any(unanswered)


def _is_alive(visit: Visit, settings: DecisionSettings) -> bool | None:
    return is_alive(visit.sequence, asked=bool(settings.liveness_network))
