"""Everybody who is enrolled: each picture's state, the closest other person, the expected rejection."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from turnstile.counts import counted, named
from turnstile.people.agreement import (
    EnrolledPicture,
    alike,
    bounds_of,
    by_person,
    disagreeing,
    encodings_of,
)
from turnstile.people.building import GalleryBuilder, Ingredients, MadeGallery
from turnstile.people.crowding import crowding
from turnstile.people.gallery import Gallery, is_averaged
from turnstile.people.quality import ENOUGH_PICTURES, FAR_FROM_OTHERS, in_words, spoils, weaknesses
from turnstile.people.risk import expected, nearest_others, risk_of
from turnstile.protocol.fields import Looks
from turnstile.site.settings import DecisionSettings

State = Literal["good", "weak", "left out", "unusable", "not judged"]


class PictureState(NamedTuple):
    """One picture, and what is wrong with it."""

    file: str
    state: State
    reason: str = ""

    @property
    def is_used(self) -> bool:
        """Tell whether it counts."""
        return self.state not in ("left out", "unusable")


class Closest(NamedTuple):
    """The other person who is nearest."""

    person: str
    distance: float


class PersonState(NamedTuple):
    """One person."""

    person: str
    pictures: tuple[PictureState, ...]
    closest: Closest | None = None
    limit: float | None = None
    """Largest distance at which the person is recognised; `None` of somebody without a usable picture."""
    rejection: float | None = None
    """Expected share of frames, years after the pictures, in which the person is not recognised."""

    @property
    def used(self) -> int:
        """Return how many pictures count."""
        return sum(one.is_used for one in self.pictures)


class Encoded(NamedTuple):
    """One picture as it was read."""

    person: str
    file: str
    """Its path below the faces folder."""
    digest: str = ""
    encoding: bytes = b""
    """Empty if none can be made of it."""
    looks: Looks | None = None
    """`None` where it was encoded before looks were measured."""
    problem: str = ""
    """Why there is no encoding."""


def register(pictures: Iterable[Encoded], engine: str, decision: DecisionSettings) -> list[PersonState]:
    """Return everybody whom a picture names, in order of name.

    Args:
        pictures: all of them; those without an encoding with the problem.
        engine: whose encodings they are.
        decision: what is accepted.
    """
    all_pictures = list(pictures)
    usable = [one for one in all_pictures if one.encoding]
    made = GalleryBuilder(engine, risk=risk_of(decision)).make(
        Ingredients(
            persons={one.file: one.person for one in usable},
            hashes={one.file: one.digest for one in usable},
            encodings={one.digest: one.encoding for one in usable},
            unusable=(),
            looks={one.digest: one.looks for one in usable if one.looks is not None},
        )
    )
    far = _far_from_others(made)
    states: dict[str, list[PictureState]] = {}
    for one in all_pictures:
        states.setdefault(one.person, []).append(_state(one, made, far))
    found = dict(zip(made.templates.persons, _measured(made, decision), strict=True))
    nothing = (None, None, None)
    return [PersonState(who, tuple(states[who]), *found.get(who, nothing)) for who in sorted(states)]


def objection(new: Encoded, enrolled: Sequence[Encoded], engine: str) -> str:
    """Return why a picture is not to be enrolled as its person's; empty if nothing speaks against it.

    Args:
        new: the picture.
        enrolled: all that have an encoding.
        engine: whose encodings they are.
    """
    same = next((one for one in enrolled if one.digest == new.digest), None)
    if same is not None:
        return f"it is enrolled already, as {same.file} of {same.person}"
    there, bounds = [_as_enrolled(one) for one in enrolled], bounds_of(engine)
    couple = min(alike([_as_enrolled(new)], there, bounds), default=None)
    if couple is not None:
        other = couple.one if couple.one.person != new.person else couple.other
        return f"it shows nearly the face of {other.person} ({couple.distance:.2f} from {other.file})"
    own = [one for one in enrolled if one.person == new.person]
    if not own:
        return ""
    found = disagreeing([_as_enrolled(one) for one in (*own, new)], bounds).get(new.file, "")
    if not found and spoils(new.looks) and not all(spoils(one.looks) for one in own):
        return f"{in_words(weaknesses(new.looks))}, and {new.person} has better pictures"
    return found


def _as_enrolled(one: Encoded) -> EnrolledPicture:
    return EnrolledPicture(one.file, one.person, one.digest, one.encoding)


def few_in_words(people: Mapping[str, int]) -> str:
    """Return who has fewer pictures than are enough, and what to do; empty if nobody has.

    Args:
        people: how many pictures each has that count.
    """
    few = sorted(who for who, pictures in people.items() if pictures < ENOUGH_PICTURES)
    if not few:
        return ""
    have = "has" if len(few) == 1 else "have"
    return (
        f"{counted(len(few), 'person', 'people')} {have} fewer than {ENOUGH_PICTURES} good pictures "
        f"({named(few)}): `turnstile people` names visits whose pictures would help"
    )


def _state(one: Encoded, made: MadeGallery, far: Mapping[str, float]) -> PictureState:
    if not one.encoding:
        return PictureState(one.file, "unusable", one.problem)
    if one.file in made.disagreeing:
        return PictureState(one.file, "unusable", made.disagreeing[one.file])
    if one.file in made.spoiling:
        return PictureState(one.file, "left out", made.spoiling[one.file])
    reasons = [in_words(weaknesses(one.looks))]
    reasons += [f"it is {far[one.file]:.2f} from the person's others"] if one.file in far else []
    reason = "; ".join(filter(None, reasons))
    if one.looks is None and not reason:
        return PictureState(one.file, "not judged", "it was encoded by an earlier version")
    return PictureState(one.file, "weak" if reason else "good", reason)


def _far_from_others(made: MadeGallery) -> dict[str, float]:
    """Return the pictures that are far from the mean of the person's other ones, of which there are two."""
    far: dict[str, float] = {}
    for own in by_person(made.pictures).values():
        if len(own) < ENOUGH_PICTURES or not is_averaged(made.gallery.engine):
            continue
        rows = encodings_of(own)
        others = rows.sum(axis=0) - rows
        others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        apart = np.linalg.norm(rows - others, axis=1)
        far |= {one.file: float(d) for one, d in zip(own, apart, strict=True) if d > FAR_FROM_OTHERS}
    return far


def _measured(
    made: MadeGallery, decision: DecisionSettings
) -> Iterable[tuple[Closest | None, float | None, float | None]]:
    """Give the closest other, the limit and the expected rejection of each person of a gallery."""
    people = len(made.templates.persons)
    pictures = np.bincount(made.gallery.owners, minlength=people)
    limits = made.templates.limits
    if limits is None:
        limits = np.full(people, decision.max_distance, np.float32)
    averaged = is_averaged(made.gallery.engine)
    closest = _closest(made.templates)
    for at in range(people):
        rejection = expected(limits[at : at + 1], pictures[at : at + 1]).rejection if averaged else None
        yield closest[at], float(limits[at]), rejection


def _closest(gallery: Gallery) -> list[Closest | None]:
    """Return the closest other person of each, as faces are compared."""
    people, owners, rows = len(gallery.persons), gallery.owners, gallery.encodings
    if people < 2:
        return [None] * people
    added = crowding(rows) if is_averaged(gallery.engine) else np.zeros(len(rows), np.float32)
    around = nearest_others(rows, owners, added)
    nearest = np.zeros(people, np.intp)
    order = np.argsort(-around.distances)
    nearest[owners[order]] = order  # of several rows of one person the last one counts, the nearest to others
    return [
        Closest(gallery.persons[owners[around.others[row]]], max(0.0, float(around.distances[row])))
        for row in nearest
    ]


def names_of(people: Collection[PersonState]) -> dict[str, int]:
    """Return how many pictures of each person count."""
    return {one.person: one.used for one in people}
