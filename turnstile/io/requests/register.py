"""Everybody enrolled, as somebody who is signed in reads it. Made beside the broker's loop."""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from turnstile.access.rules import NO_RULES, Rules, may_ever
from turnstile.errors import TurnstileError
from turnstile.io.people.anchors import open_anchors
from turnstile.io.people.enrolment import Enrolment
from turnstile.io.people.folder import read_picture
from turnstile.people.agreement import by_person, encodings_of
from turnstile.people.building import MadeGallery
from turnstile.people.encodings import distances_between
from turnstile.people.outlook import outlook
from turnstile.people.quality import ENOUGH_PICTURES
from turnstile.people.register import Encoded, PersonState, PictureState, register
from turnstile.protocol.names import name_key
from turnstile.requests.answers import EnrolledPictureState, PeopleFound, PersonEntry
from turnstile.site.settings import Site
from turnstile.vision.shrinking import shrunk_jpeg

MAX_DISTANCES = 2000
SHOWN_PX = 320
MAX_SHOWN = 1000
"""Small pictures kept, of about 15 kB each."""

WAITS = "it waits for a recognizer"
_STATES = {"good": "used", "not judged": "used", "weak": "weak"}
"""State in the register → as it is told; any other is ``not used``."""


def encoded_pictures(enrolment: Enrolment) -> list[Encoded]:
    """Return each picture that names somebody, with what is known of it. May be called from any thread.

    Encodings may come meanwhile; the maps of files are replaced, never changed.
    """
    hashes, encodings, looks = enrolment.hashes, enrolment.encodings, enrolment.looks
    found: list[Encoded] = []
    for file, person in enrolment.persons.items():
        digest = hashes.get(file, "")
        encoding = encodings.get(digest, b"")
        problem = "" if encoding else enrolment.problems.get(digest, WAITS)
        found.append(Encoded(person, file, digest, encoding, looks.get(digest), problem))
    return found


class Register:
    """What is told of everybody enrolled, made anew when something changed. Call from one thread."""

    def __init__(self, site: Site, enrolment: Enrolment) -> None:
        """Begin with nothing made."""
        self._site, self._enrolment = site, enrolment
        self._anchors = open_anchors(site.gallery, site.recognition.encoding)
        self._made: tuple[object, PeopleFound] | None = None
        self._shown: OrderedDict[str, bytes] = OrderedDict()

    def people(self, rules: Rules | None) -> PeopleFound:
        """Return everybody.

        Raises:
            TurnstileError: the anchors cannot be read.
        """
        enrolment = self._enrolment
        key = (
            enrolment.made.gallery.version,
            tuple(enrolment.made.gallery.persons),
            len(enrolment.encodings),
            len(enrolment.problems),
            enrolment.unread,
            self._anchors.stamp(),
            rules,
            sorted(enrolment.hashes.items()),
        )
        if self._made is None or self._made[0] != key:
            self._made = (key, self._found(rules or NO_RULES))
            kept = set(enrolment.hashes.values())
            for digest in self._shown.keys() - kept:
                del self._shown[digest]
        return self._made[1]

    def picture(self, file: str) -> bytes:
        """Return an enrolled picture made small.

        Raises:
            TurnstileError: there is none of that name, or it cannot be read.
        """
        path, digest = self.path_of(file), self._enrolment.hashes.get(file, "")
        if digest not in self._shown:
            try:
                data = read_picture(path)
            except (OSError, ValueError) as error:
                raise TurnstileError(f"{file} cannot be read: {error}") from error
            self._shown[digest] = shrunk_jpeg(data, long_side_px=SHOWN_PX)
            if len(self._shown) > MAX_SHOWN:
                self._shown.popitem(last=False)
        return self._shown[digest]

    def path_of(self, file: str) -> Path:
        """Return where an enrolled picture lies.

        Raises:
            TurnstileError: there is none of that name.
        """
        if file not in self._enrolment.hashes:
            raise TurnstileError(f"there is no enrolment picture {file!r}")
        return Path(self._site.gallery.faces) / file

    def _found(self, rules: Rules) -> PeopleFound:
        pictures = encoded_pictures(self._enrolment)
        states = register(pictures, self._site.recognition.encoding, self._site.decision)
        by_file = {one.file: one for one in pictures}
        anchored = {
            name_key(one.person): tuple(anchor.event for anchor in one.anchors)
            for one in self._anchors.everybody()
        }
        made = self._enrolment.made
        closest = sorted(one.closest.distance for one in states if one.closest is not None)
        return PeopleFound(
            people=tuple(self._entry(one, by_file, rules, anchored) for one in states),
            unused=tuple(
                EnrolledPictureState(file=_sendable(file, 500), state="not used", reason=_sendable(reason))
                for file, reason in self._enrolment.unread.items()
            ),
            own_distances=tuple(_own_distances(made)),
            other_distances=tuple(closest[:MAX_DISTANCES]),
            max_distance=self._site.decision.max_distance,
            stranger_rate=self._stranger_rate(made),
        )

    def _entry(
        self,
        one: PersonState,
        by_file: Mapping[str, Encoded],
        rules: Rules,
        anchored: Mapping[str, tuple[str, ...]],
    ) -> PersonEntry:
        key = name_key(one.person)
        validity = rules.validities.get(key)
        from_day, until_day = (None, None) if validity is None else (validity.from_, validity.until)
        return PersonEntry(
            person=one.person,
            pictures=tuple(_state(picture, by_file[picture.file]) for picture in one.pictures),
            limit=one.limit,
            closest=None if one.closest is None else one.closest.person,
            closest_distance=None if one.closest is None else one.closest.distance,
            rejection=one.rejection,
            anchors=anchored.get(key, ()),
            blocked=key in rules.blocked_keys,
            from_day="" if from_day is None else from_day.isoformat(),
            until_day="" if until_day is None else until_day.isoformat(),
            doors=tuple(door for door in self._site.cameras if may_ever(rules, one.person, door)),
            hint=_hint(one),
        )

    def _stranger_rate(self, made: MadeGallery) -> float | None:
        if not made.templates.persons:
            return None
        expected = outlook(made.templates, np.bincount(made.gallery.owners), self._site.decision).expected
        return None if expected is None else expected.stranger_rate


def _state(picture: PictureState, encoded: Encoded) -> EnrolledPictureState:
    state = "waiting" if encoded.problem == WAITS else _STATES.get(picture.state, "not used")
    reason = _sendable(picture.reason)
    return EnrolledPictureState(
        file=_sendable(picture.file, 500),
        state=state,
        digest=encoded.digest,
        reason=reason,
        looks=encoded.looks,
    )


def _sendable(text: str, at_most: int = 4000) -> str:
    """Return text as a message takes it: a file may have any bytes as its name."""
    return text.encode("utf-8", "replace").decode()[:at_most]


def _hint(one: PersonState) -> str:
    if one.used >= ENOUGH_PICTURES:
        return ""
    return f"fewer than {ENOUGH_PICTURES} good pictures; three of the door's own camera help most"


def _own_distances(made: MadeGallery) -> list[float]:
    """Return distances between two pictures of one person, of the first people."""
    found: list[float] = []
    for own in by_person(made.pictures).values():
        if len(own) > 1:
            rows = encodings_of(own)
            found += distances_between(rows, rows)[np.triu_indices(len(own), 1)].tolist()
        if len(found) >= MAX_DISTANCES:
            break
    return sorted(found[:MAX_DISTANCES])
