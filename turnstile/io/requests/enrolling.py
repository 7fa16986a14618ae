"""What people who are signed in want of enrolment pictures: see, judge, keep and remove them."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from turnstile.counts import counted
from turnstile.errors import PictureError, TurnstileError
from turnstile.io.access.desk import AccessDesk
from turnstile.io.people.anchors import open_anchors
from turnstile.io.people.cache import EncodingCache, Made
from turnstile.io.people.desk import PeopleDesk
from turnstile.io.people.keeping import keep_picture, remove_picture, suffix_of
from turnstile.io.requests.recent import AddedPicture, RecentEnrolment, RecentEnrolments
from turnstile.io.requests.register import Register, encoded_pictures
from turnstile.io.requests.steps import Encode, PutOnRecord, in_thread
from turnstile.people.agreement import bounds_of
from turnstile.people.building import without
from turnstile.people.encodings import Encodings, distances_between, matrix
from turnstile.people.gallery import stem_of
from turnstile.people.quality import in_words, weaknesses
from turnstile.people.register import Encoded, objection
from turnstile.protocol.names import name_key, quoted, same_name
from turnstile.protocol.requests import Request
from turnstile.requests.answers import AnyAnswer, Done, PictureFound, PictureJudged, RefusedWish
from turnstile.requests.wishes import (
    EnrolPicture,
    JudgePicture,
    ReadPeople,
    ReadPicture,
    RemovePicture,
    SeenVisit,
    UndoEnrolment,
)
from turnstile.site.settings import Site

A_NEW_PERSON = "somebody new"


class GoneNames:
    """Counts how often a name was given up, so that nothing asked for earlier is kept under it later."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: Counter[str] = Counter()

    def note(self, person: str) -> None:
        """Note that a person is erased, or renamed."""
        self._counts[name_key(person)] += 1

    def since(self, person: str) -> int:
        """Return what to compare with later."""
        return self._counts[name_key(person)]

    def refuse_if_later(self, person: str, since: int) -> None:
        """Raise a `TurnstileError` if the name was given up since."""
        if self.since(person) != since:
            raise TurnstileError(f"{person} was erased or renamed meanwhile; nothing is kept")


@dataclass(kw_only=True)
class EnrolmentRequests:
    """Wishes about enrolment pictures."""

    site: Site
    people: PeopleDesk
    access: AccessDesk
    register: Register
    gone: GoneNames = field(default_factory=GoneNames)
    recent: RecentEnrolments = field(default_factory=RecentEnrolments)

    async def read_people(self, _wish: ReadPeople) -> AnyAnswer:
        """Return everybody enrolled."""
        rules = self.access.rules.rules
        return await in_thread(lambda: self.register.people(rules), "pictures")

    async def read_picture(self, wish: ReadPicture) -> AnyAnswer:
        """Return a picture, made small."""
        return PictureFound(jpeg=await in_thread(lambda: self.register.picture(wish.file), "pictures"))

    async def judge(self, wish: JudgePicture) -> AnyAnswer:
        """Say what enrolment would say of a picture."""
        try:
            seen = await Encode(data=wish.data)
        except PictureError as error:
            return PictureJudged(problem=f"{error}"[:4000])
        return await in_thread(lambda: self.judged(wish.person, wish.data, seen))

    async def enrol(self, request: Request, wish: EnrolPicture) -> AnyAnswer:
        """Keep a picture, if it is good enough and nobody else's."""
        self.require_record()
        since = self.gone.since(wish.person)
        claim = "" if wish.visit is None else await in_thread(partial(self._claim, wish.person, wish.visit))
        judged, added = await self.enrol_one(
            wish.person, wish.data, since=since, anyway=wish.anyway, claim=claim
        )
        if added is None:
            return RefusedWish(problem=judged.problem, may_anyway=judged.may_anyway)
        person, file = self.spelt(wish.person), added.path.name
        source = f" ({file})" if wish.visit is None else f" from event {wish.visit.event}"
        await PutOnRecord(words=f"enrolled {quoted(person)}{source}")
        weak = f"; weak: {judged.weaknesses}" if judged.weaknesses else ""
        undo = self.recent.add(RecentEnrolment(request.by, person, (added,)))
        return Done(words=f"{person} is enrolled by {file}{weak}", undo=undo)

    async def enrol_one(
        self, person: str, data: bytes, *, since: int, anyway: bool, claim: str = ""
    ) -> tuple[PictureJudged, AddedPicture | None]:
        """Keep a picture of somebody; return what it is like, and where it lies if it is kept.

        Args:
            person: the name.
            data: the picture.
            since: `GoneNames.since` when it was asked for.
            anyway: as `EnrolPicture.anyway`.
            claim: what speaks against it besides what it shows.
        """
        seen: Made = await Encode(data=data)
        judged = await in_thread(lambda: self.judged(person, data, seen, claim=claim))
        if judged.problem and not (anyway and judged.may_anyway):
            return judged, None
        return judged, await in_thread(lambda: self._keep(person, data, seen, since))

    async def undo(self, request: Request, wish: UndoEnrolment) -> AnyAnswer:
        """Remove the pictures again that the account added, and bring back what was deleted for them."""
        self.require_record()
        found = self.recent.of(wish.undo, request.by)
        removed = await in_thread(found.remove)
        self.recent.forget(wish.undo)
        pictures = counted(removed, "picture")
        await PutOnRecord(words=f"took back that {quoted(found.person)} was enrolled by {pictures}")
        if found.put_back is not None:
            await in_thread(found.put_back, "unknowns")
        return Done(words=f"{pictures} of {found.person} removed again")

    async def remove(self, wish: RemovePicture) -> AnyAnswer:
        """Take a picture out of the faces folder."""
        self.require_record()
        path, person = self.register.path_of(wish.file), self.people.enrolment.persons.get(wish.file, "")
        await in_thread(lambda: remove_picture(path))
        await PutOnRecord(words=f"removed the picture {quoted(wish.file)} of {quoted(person)}")
        return Done(words=f"{wish.file} is removed")

    def require_record(self) -> None:
        """Raise a `TurnstileError` while what is changed could not be put on record."""
        problem = self.access.journal.problem
        if problem:
            raise TurnstileError(f"nothing is changed while it cannot be put on record: {problem}")

    def judged(self, person: str | None, data: bytes, seen: Made, *, claim: str = "") -> PictureJudged:
        """Return what enrolment says of a picture. Call from a thread."""
        spelt = A_NEW_PERSON if person is None else self.spelt(person)
        if person is not None:
            stem_of(spelt)
        digest = hashlib.sha256(data).hexdigest()
        enrolled = [one for one in encoded_pictures(self.people.enrolment) if one.encoding]
        new = Encoded(spelt, "the picture", digest, seen.encoding, seen.looks)
        problem = "; ".join(filter(None, (claim, objection(new, enrolled, self.people.enrolment.engine))))
        others = without(self.people.enrolment.made, {name_key(spelt)}).templates
        closest = others.match(matrix(seen.encoding))[0]
        return PictureJudged(
            problem=problem,
            may_anyway=bool(problem),
            weaknesses=in_words(weaknesses(seen.looks)),
            looks=seen.looks,
            closest=closest.person,
            closest_distance=closest.distance,
        )

    def _keep(self, person: str, data: bytes, seen: Made, since: int) -> AddedPicture:
        """Put a picture into the faces folder, its encoding before it. Call from a thread."""
        self.gone.refuse_if_later(person, since)
        spelt, gallery, digest = self.spelt(person), self.site.gallery, hashlib.sha256(data).hexdigest()
        cache = EncodingCache(Path(gallery.cache), self.site.recognition.encoding)
        cache.put(digest, seen.encoding, seen.maker, seen.looks)
        return AddedPicture(keep_picture(Path(gallery.faces), spelt, suffix_of(data), data), digest)

    def nearness(self, person: str, faces: Encodings) -> str:
        """Say how far faces are from somebody who is enrolled; empty of somebody new. Call from a thread."""
        spelt, engine = self.spelt(person), self.people.enrolment.engine
        enrolled = encoded_pictures(self.people.enrolment)
        own = b"".join(one.encoding for one in enrolled if one.person == spelt)
        if not own:
            return ""
        apart, bound = float(distances_between(faces, matrix(own)).min()), bounds_of(engine).same_person
        said = (
            f"{spelt} is enrolled already; the nearest of these faces is {apart:.2f} from {spelt}'s pictures"
        )
        return (
            said if apart <= bound else f"{said}, and one person's are within {bound:g}: is it somebody else?"
        )

    def spelt(self, person: str) -> str:
        """Return a name as the pictures that there are have it."""
        name = " ".join(person.split())
        known = self.people.enrolment.persons.values()
        return next((one for one in known if same_name(one, name)), name)

    def _claim(self, person: str, visit: SeenVisit) -> str:
        """Say that a visit was of somebody else by the log, unless somebody said that it was not.

        Raises:
            TurnstileError: somebody said that it was not of this person.
        """
        anchors = open_anchors(self.site.gallery, self.site.recognition.encoding)

        def was_not(one: str) -> bool:
            return any(anchor.event == visit.event for anchor in anchors.of(one))

        if was_not(person):
            raise TurnstileError(
                f"event {visit.event} was not of {person}, as somebody said; take that back first"
            )
        if visit.person is None or same_name(visit.person, person) or was_not(visit.person):
            return ""
        return (
            f"event {visit.event} was recognised as {visit.person}: if that is wrong, say first that it was "
            f"not {visit.person}; enrol it as {person} anyway?"
        )
