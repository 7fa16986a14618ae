"""The state of a camera's door: its open visits, which may be of one face, and what is forgotten of them."""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

import msgspec

from turnstile.access.linking import Trail, are_one_person
from turnstile.access.votes import Grounds, Vote
from turnstile.protocol.messages import Verdict
from turnstile.protocol.names import same_name
from turnstile.protocol.reasons import Reason

_Holder = TypeVar("_Holder", Vote, Grounds)


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


def shadowed_by(visits: Mapping[str, Visit], visit: Visit) -> Iterator[Visit]:
    """Give the visit that another one shadows, the one that this one shadows, and so on."""
    while (shadowed := visits.get(visit.shadows)) is not None:
        yield shadowed
        visit = shadowed


def remove(visits: dict[str, Visit], name: str) -> None:
    """Remove a visit; those that shadowed it shadow what it shadowed."""
    gone = visits.pop(name)
    for other in [one for one in visits.values() if one.shadows == name]:
        visits[other.visit] = msgspec.structs.replace(other, shadows=gone.shadows)


def are_of_one_face(visit: Visit, other: Visit, visits: Mapping[str, Visit], *, link_distance: float) -> bool:
    """Tell whether a visit is of the same face as another one that it shadows, or that shadows it."""
    shadowed = {one.visit for one in (*shadowed_by(visits, visit), *shadowed_by(visits, other))}
    if not shadowed & {visit.visit, other.visit}:
        return False
    return are_one_person(visit.trail, other.trail, link_distance=link_distance)


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
