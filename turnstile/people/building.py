"""The gallery made of the pictures there are; what is known of people who did not change is kept.

With 80,000 pictures it takes half a second, so the broker has it made in a thread, whose Python code lets the
loop in every 5 ms. Long calls that do not, such as sorting all pictures, are avoided.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from turnstile.people.agreement import EnrolledPicture, bounds_of, by_person, disagreeing
from turnstile.people.gallery import EMPTY, Gallery, build_gallery, templates, to_message
from turnstile.people.quality import in_words, spoils, weaknesses
from turnstile.people.risk import Risk
from turnstile.protocol.fields import Looks
from turnstile.protocol.messages import People
from turnstile.protocol.names import name_key

MAX_PICTURES = 80_000
"""In a gallery, which travels as one message of at most 64 MB. A picture takes up to 777 bytes of it: its
encoding, and a name as long as file names can be. A larger message would cut recognizers off."""


class Ingredients(NamedTuple):
    """What a gallery is made of. Encodings may come and go meanwhile: then another one is made."""

    persons: Mapping[str, str]
    """Path → whom that picture is of."""
    hashes: Mapping[str, str]
    """Path → the picture's hash."""
    encodings: Mapping[str, bytes]
    """Hash → encoding."""
    unusable: Collection[str]
    """Hashes of pictures that no encoding can be made of."""
    erased: frozenset[str] = frozenset()
    """Keys of names: who is left out though there are pictures."""
    barred: frozenset[str] = frozenset()
    """The same, as nobody can tell which faces are not theirs."""
    looks: Mapping[str, Looks] = {}
    """Hash → what that face looks like, where it is known."""


class MadeGallery(NamedTuple):
    """A gallery, and what was found while it was made."""

    gallery: Gallery = EMPTY
    """Every picture's encoding."""
    templates: Gallery = EMPTY
    """What faces are compared with."""
    message: People = to_message(EMPTY)
    """The templates, for recognizers."""
    pictures: tuple[EnrolledPicture, ...] = ()
    """Those that the gallery is made of."""
    disagreeing: Mapping[str, str] = {}
    """Path → why that picture, or another, cannot be its person's."""
    spoiling: Mapping[str, str] = {}
    """Path → why that picture is left out, as its person has better ones."""
    settled: Collection[str] = ()
    """Paths of those whose person's pictures are all encoded."""
    surplus: int = 0
    """How many pictures are left out because there are too many."""
    left_out: frozenset[str] = frozenset()
    """Keys of the names that were to be left out."""
    still_there: frozenset[str] = frozenset()
    """Those of them that there are pictures of."""

    @property
    def left_out_pictures(self) -> Collection[str]:
        """Return the paths of pictures that could be encoded and are not used."""
        return self.disagreeing.keys() | self.spoiling.keys()


class GalleryBuilder:
    """Makes one gallery after another."""

    def __init__(self, engine: str, *, risk: Risk | None = None, max_pictures: int = MAX_PICTURES) -> None:
        """Remember the engine, and what risk the owner accepts; `None` where one limit is for all."""
        self._engine, self._bounds, self._risk = engine, bounds_of(engine), risk
        self._max_pictures = max_pictures
        self._judged: dict[tuple[EnrolledPicture, ...], dict[str, str]] = {}
        """One person's pictures → which of them disagree."""

    def make(self, ingredients: Ingredients) -> MadeGallery:
        """Return the gallery of these pictures."""
        persons, hashes, encodings, erased = (
            ingredients.persons,
            ingredients.hashes,
            ingredients.encodings,
            ingredients.erased,
        )
        out = erased | ingredients.barred
        there = frozenset(out & {name_key(one) for one in set(persons.values())} if out else ())
        pictures = [
            EnrolledPicture(file, person, hashes[file], encoding)
            for file, person in persons.items()
            if (encoding := encodings.get(hashes[file])) is not None
            and not (there and name_key(person) in there)
        ]
        spoiling = _spoiling(pictures, ingredients.looks)
        sound = [one for one in pictures if one.file not in spoiling]
        wrong = self._judge(sound)
        used = tuple(one for one in sound if one.file not in wrong)
        taken = used[: self._max_pictures]
        gallery = build_gallery(self._engine, ((one.person, one.encoding) for one in taken))
        compared = templates(gallery, self._risk)
        return MadeGallery(
            gallery=gallery,
            templates=compared,
            message=to_message(compared),
            pictures=taken,
            disagreeing=wrong,
            spoiling=spoiling,
            settled=_settled(wrong, ingredients),
            surplus=len(used) - len(taken),
            left_out=erased,
            still_there=there & erased,
        )

    def _judge(self, pictures: list[EnrolledPicture]) -> dict[str, str]:
        """Return which pictures disagree with others of their person, and why."""
        before, self._judged = self._judged, {}
        wrong: dict[str, str] = {}
        for own in by_person(pictures).values():
            if len(own) < 2:
                continue
            known = before.get(tuple(own))
            found = disagreeing(own, self._bounds) if known is None else known
            self._judged[tuple(own)] = found
            wrong |= found
        return wrong


def without(made: MadeGallery, keys: Collection[str]) -> MadeGallery:
    """Return a gallery at once without the people whose names have these keys."""
    gone = {person for person in made.gallery.persons if name_key(person) in keys} if keys else ()
    if not gone:
        return made
    compared = _without(made.templates, gone)
    return made._replace(
        gallery=_without(made.gallery, gone),
        templates=compared,
        message=to_message(compared),
        pictures=tuple(one for one in made.pictures if one.person not in gone),
    )


def _without(gallery: Gallery, gone: Collection[str]) -> Gallery:
    kept = np.array([person not in gone for person in gallery.persons], bool)
    rows = kept[gallery.owners]
    version = hashlib.sha256(" ".join([gallery.version, *sorted(gone)]).encode()).hexdigest()[:16]
    return Gallery(
        version=version,
        engine=gallery.engine,
        persons=tuple(person for person in gallery.persons if person not in gone),
        owners=(np.cumsum(kept) - 1)[gallery.owners[rows]],
        encodings=gallery.encodings[rows],
        limits=None if gallery.limits is None else gallery.limits[kept],
    )


def _spoiling(pictures: Collection[EnrolledPicture], looks: Mapping[str, Looks]) -> dict[str, str]:
    """Return which pictures are left out because their person has better ones, and why."""
    bad = [one for one in pictures if spoils(looks.get(one.digest))]
    if not bad:
        return {}
    files = {one.file for one in bad}
    better = {one.person for one in pictures if one.file not in files}
    return {one.file: in_words(weaknesses(looks[one.digest])) for one in bad if one.person in better}


def _settled(wrong: Collection[str], ingredients: Ingredients) -> Collection[str]:
    if not wrong:
        return ()
    persons, hashes, encodings, unusable = ingredients[:4]
    waited_for = {
        person
        for file, person in persons.items()
        if hashes[file] not in encodings and hashes[file] not in unusable
    }
    return [file for file in wrong if persons[file] not in waited_for]
