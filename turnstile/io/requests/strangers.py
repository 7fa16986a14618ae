"""People seen and not known: kept as they are denied, shown one a person, and named, ignored or discarded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from turnstile.access.door import Door
from turnstile.access.linking import Trail
from turnstile.counts import counted
from turnstile.errors import TurnstileError
from turnstile.io.requests.enrolling import EnrolmentRequests
from turnstile.io.requests.recent import AddedPicture, RecentEnrolment
from turnstile.io.requests.steps import PutOnRecord, in_thread
from turnstile.io.strangers.store import UnknownStore, UnknownVisit
from turnstile.people.agreement import bounds_of
from turnstile.people.encodings import distances_between, matrix
from turnstile.people.gallery import is_averaged
from turnstile.protocol.messages import Access
from turnstile.protocol.names import quoted
from turnstile.protocol.reasons import Reason
from turnstile.protocol.requests import Request
from turnstile.requests.answers import AnyAnswer, Done, RefusedWish, UnknownPerson, UnknownsFound
from turnstile.requests.wishes import DiscardUnknowns, IgnoreUnknowns, NameUnknowns, ReadUnknowns

MAX_SHOWN, MAX_EVENTS = 200, 20
MAX_ENROLLED, MAX_TRIED = 3, 8
"""Most pictures that are kept when somebody is named, and most that are looked at."""

MAX_UNRECORDED = 1000
MAX_PUT_BACK = 20
"""Visits that are shown as unknown again when a name is taken back."""
_OF_STRANGERS = (Reason.UNKNOWN, Reason.TOO_MANY_TRIES)


@dataclass(kw_only=True)
class StrangerEar:
    """Is told of decisions in the broker's loop, and has the visits of unknown people kept."""

    keep: Callable[[UnknownVisit], None]
    engine: str
    _encodings: dict[str, bytes] = field(default_factory=dict)
    """Visit → its mean encoding, while its decision is not on record."""

    def decided(self, events: Sequence[Access], before: Door, after: Door) -> None:
        """Note the faces of unknown people; their visits are in the door's state before or after."""
        unknown = [
            one for one in events if one.person is None and one.reason in _OF_STRANGERS and one.thumbnail
        ]
        if not unknown:
            return
        trails = {visit.visit: visit.trail for door in (before, after) for visit in door.visits}
        for event in unknown:
            encoding = _mean(trails.get(event.visit), self.engine)
            if encoding and len(self._encodings) < MAX_UNRECORDED:
                self._encodings[event.visit] = encoding

    def recorded(self, event: Access) -> None:
        """Have a visit kept once it has its number."""
        encoding = self._encodings.pop(event.visit, b"")
        if encoding:
            self.keep(
                UnknownVisit(
                    event=f"{event.source}:{event.seq}",
                    camera=event.camera,
                    at_ns=event.decided_ns,
                    nearest=event.nearest,
                    distance=event.distance,
                    encoding=encoding,
                    picture=event.thumbnail,
                )
            )


@dataclass(kw_only=True)
class UnknownsRequests:
    """Wishes about people seen and not known."""

    store: UnknownStore
    pictures: EnrolmentRequests
    keep_days: float
    now_ns: Callable[[], int]
    """By a clock that is not set."""

    async def read(self, request: Request, wish: ReadUnknowns) -> AnyAnswer:
        """Return one a person, those seen last first."""
        groups = await in_thread(lambda: self.store.groups(self.now_ns()), "unknowns")
        people = [
            _shown(visits, ignored=ignored)
            for all_visits, ignored in groups
            if (visits := _at_doors(all_visits, request)) and (wish.ignored or not ignored)
        ]
        people.sort(key=lambda one: -one.last_ns)
        return UnknownsFound(
            unknowns=tuple(people[:MAX_SHOWN]), keep_days=self.keep_days, more=len(people) > MAX_SHOWN
        )

    async def name(self, request: Request, wish: NameUnknowns) -> AnyAnswer:
        """Enrol them as one person by their best pictures."""
        since = self.pictures.gone.since(wish.person)
        visits = await self._visits(request, wish.unknowns)
        doubt = "" if wish.anyway else await in_thread(lambda: self._doubt(wish, visits))
        if doubt:
            return RefusedWish(problem=doubt, may_anyway=True)
        kept, refused = dict[str, AddedPicture](), list[RefusedWish]()
        for visit in sorted(visits, key=lambda one: -len(one.picture))[:MAX_TRIED]:
            try:
                judged, added = await self.pictures.enrol_one(
                    wish.person, visit.picture, since=since, anyway=wish.anyway
                )
            except TurnstileError as error:
                refused.append(RefusedWish(problem=f"{error}"[:4000]))
                continue
            if added is None:
                refused.append(RefusedWish(problem=judged.problem, may_anyway=judged.may_anyway))
            else:
                kept[visit.event] = added
            if len(kept) == MAX_ENROLLED:
                break
        if not kept:
            return refused[0]
        person, pictures = self.pictures.spelt(wish.person), tuple(kept.values())
        await in_thread(lambda: self.store.discard([one.event for one in visits]), "unknowns")
        await PutOnRecord(words=f"enrolled {quoted(person)} from event {', '.join(kept)}, seen as unknown")
        put_back = partial(self._put_back, visits[-MAX_PUT_BACK:])
        undo = self.pictures.recent.add(RecentEnrolment(request.by, person, pictures, put_back))
        return Done(words=f"{person} is enrolled by {counted(len(kept), 'picture')}", undo=undo)

    async def ignore(self, request: Request, wish: IgnoreUnknowns) -> AnyAnswer:
        """Show them no more, or again."""
        events = [one.event for one in await self._visits(request, wish.unknowns)]
        await in_thread(lambda: self.store.ignore(events, undo=wish.undo), "unknowns")
        done = "shown again" if wish.undo else "ignored"
        await PutOnRecord(words=f"chose that who was seen in event {events[-1]} is {done}")
        return Done(words=f"they are {done}")

    async def discard(self, request: Request, wish: DiscardUnknowns) -> AnyAnswer:
        """Delete what is kept of them."""
        events = [one.event for one in await self._visits(request, wish.unknowns)]
        await in_thread(lambda: self.store.discard(events), "unknowns")
        await PutOnRecord(words=f"discarded who was seen in event {events[-1]}")
        return Done(words="nothing is kept of them any more")

    def _doubt(self, wish: NameUnknowns, visits: Sequence[UnknownVisit]) -> str:
        """Say what speaks against naming these people so; empty if nothing does. Call from a thread."""
        newest = [one for one in visits if one.event in wish.unknowns] or visits[-1:]
        faces = matrix(b"".join(one.encoding for one in newest))
        apart = float(distances_between(faces, faces).max())
        bound = bounds_of(self.pictures.site.recognition.encoding).same_person
        two = f"two of these faces are {apart:.2f} apart, and one person's are within {bound:g}"
        doubts = (self.pictures.nearness(wish.person, faces), two if apart > bound else "")
        return "; ".join(filter(None, doubts))

    def _put_back(self, visits: Sequence[UnknownVisit]) -> None:
        for visit in visits:
            self.store.keep(visit, self.now_ns())

    async def _visits(self, request: Request, ids: Sequence[str]) -> list[UnknownVisit]:
        """Return the visits that a wish changes, oldest first.

        Raises:
            TurnstileError: none is kept, the account sees none, or the change could not be put on record.
        """
        self.pictures.require_record()
        found = await in_thread(lambda: self.store.visits_of(ids), "unknowns")
        mine = _at_doors(found, request)
        if not mine:
            raise TurnstileError("these people were seen at other doors")
        return mine


def _at_doors(visits: Sequence[UnknownVisit], request: Request) -> list[UnknownVisit]:
    return [one for one in visits if not request.doors or one.camera in request.doors]


def _shown(visits: Sequence[UnknownVisit], *, ignored: bool) -> UnknownPerson:
    newest, nearest = visits[-1], min(visits, key=lambda one: 9.0 if one.distance is None else one.distance)
    return UnknownPerson(
        id=newest.event,
        visits=len(visits),
        cameras=tuple(sorted({one.camera for one in visits})),
        first_ns=visits[0].at_ns,
        last_ns=newest.at_ns,
        events=tuple(one.event for one in reversed(visits[-MAX_EVENTS:])),
        picture=max((one.picture for one in visits), key=len),
        nearest=nearest.nearest,
        distance=nearest.distance,
        ignored=ignored,
    )


def _mean(trail: Trail | None, engine: str) -> bytes:
    """Return the mean encoding of a visit; empty if it has none."""
    if trail is None:
        return b""
    if not trail.summed:
        return trail.encodings[-1] if trail.encodings else b""
    mean = matrix(trail.total)[0] / np.float32(trail.summed)
    if is_averaged(engine):
        mean /= np.float32(max(float(np.linalg.norm(mean)), 1e-6))
    return bytes(mean.astype("<f4").tobytes())
