"""How well a gallery keeps its people apart, and which distance admits how many strangers.

All is computed from encodings of enrolled pictures, and of strangers if there are any. A stranger is let in
by the rule by which one frame votes: the nearest person is within that person's limit, and the second-best at
least `min_margin` farther. Several votes decide, so a door lets in fewer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from turnstile.people.crowding import crowding
from turnstile.people.encodings import Encodings, distances_between
from turnstile.people.gallery import Gallery, is_averaged, means
from turnstile.people.risk import Limits, Risk, limits, neighbours
from turnstile.site.settings import DecisionSettings

MAX_TRIALS = 500

Distances = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Enrolled pictures: three lists of equal length."""

    persons: tuple[str, ...]
    files: tuple[str, ...]
    encodings: Encodings
    averaged: bool = False
    """Compare faces with the mean of a person's pictures (`gallery.templates`), not with each."""

    def __post_init__(self) -> None:
        if not len(self.persons) == len(self.files) == len(self.encodings):
            raise ValueError(
                f"{len(self.persons)} persons, {len(self.files)} files, {len(self.encodings)} encodings"
            )


@dataclass(frozen=True, kw_only=True)
class CloseCouple:
    """Two people whose nearest pictures lie close together."""

    first: str
    second: str
    distance: float
    files: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """A picture that is far from the others of its person."""

    person: str
    file: str
    own_distance: float
    """Distance to the nearest other picture of the same person."""
    other: str | None
    """The nearest other person."""
    other_distance: float | None


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Hits in a number of trials."""

    hits: int
    trials: int

    @property
    def value(self) -> float:
        """Return the share, 0 when nothing was tried."""
        return self.hits / self.trials if self.trials else 0.0

    @property
    def at_most(self) -> float:
        """Return the bound that the true rate exceeds in one of 20 such measurements.

        Source: Wilson, 1927, one-sided; 3 in n for no hit at all.
        """
        if not self.trials:
            return 1.0
        if not self.hits:
            return min(1.0, 3 / self.trials)
        z2 = 1.645**2
        spread = 1.645 * math.sqrt(self.value * (1 - self.value) / self.trials + z2 / (4 * self.trials**2))
        return min(1.0, (self.value + z2 / (2 * self.trials) + spread) / (1 + z2 / self.trials))


def close_couples(pictures: Pictures, *, count: int) -> list[CloseCouple]:
    """Return the `count` couples of people who lie closest, closest first."""
    distances = _distances(pictures.encodings, pictures.encodings, crowded=pictures.averaged)
    distances[_same_person(pictures.persons)] = np.inf
    nearest: dict[tuple[str, str], tuple[float, int, int]] = {}
    for row, column in np.argwhere(np.triu(np.isfinite(distances))):
        couple = tuple(sorted((pictures.persons[row], pictures.persons[column])))
        found = (float(distances[row, column]), int(row), int(column))
        key = (couple[0], couple[1])
        nearest[key] = min(nearest.get(key, found), found)
    ordered = sorted((found, couple) for couple, found in nearest.items())[:count]
    return [
        CloseCouple(
            first=couple[0],
            second=couple[1],
            distance=distance,
            files=(pictures.files[row], pictures.files[column]),
        )
        for (distance, row, column), couple in ordered
    ]


def disagreements(pictures: Pictures, *, max_distance: float) -> list[Disagreement]:
    """Return the pictures that are nearer to another person, or far from all others of their own person.

    A person with one picture cannot disagree. The worst come first.
    """
    distances = _distances(pictures.encodings, pictures.encodings)
    np.fill_diagonal(distances, np.inf)
    same = _same_person(pictures.persons)
    own = np.where(same, distances, np.inf).min(axis=1, initial=np.inf)
    others = np.where(same, np.inf, distances)
    found = []
    for row, own_distance in enumerate(own):
        if not np.isfinite(own_distance):
            continue
        at = int(others[row].argmin())
        other_distance = float(others[row, at])
        if own_distance > min(max_distance, other_distance):
            found.append(
                Disagreement(
                    person=pictures.persons[row],
                    file=pictures.files[row],
                    own_distance=float(own_distance),
                    other=pictures.persons[at] if math.isfinite(other_distance) else None,
                    other_distance=other_distance if math.isfinite(other_distance) else None,
                )
            )
    return sorted(found, key=lambda picture: -picture.own_distance)


class Admissions(NamedTuple):
    """Trials of people against a gallery that they do not belong to."""

    distances: Distances
    """The distance to the nearest person; infinite where the margin always keeps the stranger out."""
    people: npt.NDArray[np.intp]
    """Who is nearest, people in order of name."""


def admissions(pictures: Pictures, strangers: Encodings | None = None, *, min_margin: float) -> Admissions:
    """Return for each trial whom a stranger passes as, and from which distance on.

    A trial is a stranger against the whole gallery or, without strangers, an enrolled picture against
    everybody but its own person.
    """
    if strangers is not None:
        return _admissions(_to_persons(strangers, pictures), min_margin)
    to_persons = _to_persons(pictures.encodings, pictures)
    to_persons[np.arange(len(to_persons)), _owners(pictures.persons)] = np.inf
    return _admissions(to_persons, min_margin)


def false_accepts(found: Admissions, *, max_distance: float | Limits) -> Rate:
    """Return how many strangers one distance, or each person's limit, lets in."""
    limit = max_distance[found.people] if isinstance(max_distance, np.ndarray) else max_distance
    return Rate(hits=int((found.distances <= limit).sum()), trials=len(found.distances))


def stranger_rate(gallery: Gallery, own_limits: Limits | None, decision: DecisionSettings) -> Rate:
    """Return how many enrolled pictures, each against all other people, would be taken for one of them.

    In a large gallery, `MAX_TRIALS` pictures, evenly spread, are tried.

    Args:
        gallery: all pictures.
        own_limits: each person's; `None` where one distance is for all.
        decision: the site's.
    """
    chosen = np.unique(np.linspace(0, len(gallery.owners) - 1, MAX_TRIALS).astype(int))
    owners = gallery.owners[chosen]
    persons = tuple(gallery.persons[owner] for owner in owners)
    pictures = Pictures(
        persons=persons,
        files=persons,
        encodings=gallery.encodings[chosen],
        averaged=is_averaged(gallery.engine),
    )
    tried = decision.max_distance if own_limits is None else own_limits[np.unique(owners)]
    return false_accepts(admissions(pictures, min_margin=decision.min_margin), max_distance=tried)


def distance_for(found: Admissions, *, rate: float) -> float | None:
    """Return the largest distance, in steps of 0.001, that lets in at most this share of the strangers.

    Returns:
        `None` if there are too few trials: a rate needs at least `1 / rate`.
    """
    if len(found.distances) * rate < 1:
        return None
    allowed = math.floor(len(found.distances) * rate)
    beyond = np.sort(found.distances)[allowed:]
    if not len(beyond) or not np.isfinite(beyond[0]):
        return 2.0
    return max(0.0, (math.ceil(float(beyond[0]) * 1000) - 1) / 1000)


def stated_rate_for(found: Admissions, pictures: Pictures, risk: Risk, *, rate: float) -> float | None:
    """Return the largest rate to state, at most `rate`, whose limits let in at most that share of strangers.

    Returns:
        `None` if there are too few trials: a rate needs at least `1 / rate`.
    """
    if len(found.distances) * rate < 1:
        return None
    owners = _owners(pictures.persons)
    each, around = np.bincount(owners), neighbours(means(pictures.encodings, owners))
    for stated in (rate * step for step in _STEPS):
        own = limits(each, around, risk._replace(stranger_rate=stated))
        if false_accepts(found, max_distance=own).value <= rate:
            return stated
    return 0.0


_STEPS = tuple(share * 10.0**-digits for digits in range(7) for share in (1.0, 0.5, 0.2))


def _distances(rows: Encodings, columns: Encodings, *, crowded: bool = False) -> Distances:
    """Return the distance of each row to each column; `crowded` adds what `Gallery.match` adds."""
    distances = distances_between(rows, columns)
    if crowded:
        distances += crowding(rows)[:, None] + crowding(columns)[None]
    return np.maximum(distances, 0, out=distances)


def _owners(persons: Sequence[str]) -> npt.NDArray[np.intp]:
    """Return for each picture the place of its person, people in order of name."""
    index = {person: at for at, person in enumerate(sorted(set(persons)))}
    return np.array([index[person] for person in persons], np.intp)


def _same_person(persons: Sequence[str]) -> npt.NDArray[np.bool_]:
    owners = _owners(persons)
    return np.asarray(owners[:, None] == owners[None])


def _to_persons(rows: Encodings, pictures: Pictures) -> Distances:
    """Return the distance of each row to each person, people in order of name."""
    owners = _owners(pictures.persons)
    if not len(owners):
        return np.empty((len(rows), 0), np.float32)
    if pictures.averaged:
        return _distances(rows, means(pictures.encodings, owners), crowded=True)
    distances = _distances(rows, pictures.encodings)
    nearest = np.full((len(rows), int(owners.max()) + 1), np.inf, np.float32)
    for at, own in enumerate(owners):
        nearest[:, own] = np.minimum(nearest[:, own], distances[:, at])
    return nearest


def _admissions(to_persons: Distances, min_margin: float) -> Admissions:
    if not to_persons.shape[1]:
        nobody = np.zeros(len(to_persons), np.intp)
        return Admissions(np.full(len(to_persons), np.inf, np.float32), nobody)
    people, nearest = to_persons.argmin(axis=1), to_persons.min(axis=1)
    if to_persons.shape[1] == 1:
        return Admissions(nearest, people)
    second = np.partition(to_persons, 1, axis=1)[:, 1]
    margins = np.subtract(second, nearest, where=np.isfinite(nearest), out=np.zeros_like(nearest))
    return Admissions(np.where(margins >= min_margin, nearest, np.float32(np.inf)), people)
