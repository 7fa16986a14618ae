"""Enrolled pictures that cannot all be right: of one person by name and unlike, or of two and alike.

The bounds were measured on LFW's development pictures (deep-funneled; 2,114 pictures of the 804 people who
have two or more), halved by people three times over (2026-11). Lowest and highest of the six halves, for unit
and for raw encodings:

- two pictures of one person lie beyond `same_person`: 0.3 to 1.0 %, and 0.5 to 1.1 %;
- two people's lie within it: 1.1 to 1.2 %, and 1.3 to 1.6 %;
- one picture of another person beside two of one is left out: 97.6 to 98.5 %, and 97.2 to 98.7 %;
- people who wrongly lose a picture: at most 3 of 402;
- two people's pictures lie within `one_face`: none of the 1.1 million pairs in the halves of a split. Of all
  pairs the nearest is at 0.259, and 0.362.

No half was kept from whoever chose: percentiles of both were known when `same_person` was set, and `one_face`
was set on all pictures. So take the figures for a description of these pictures, not for a promise.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from turnstile.counts import named
from turnstile.people.encodings import Encodings, distances_between, matrix
from turnstile.people.gallery import is_averaged


class AgreementBounds(NamedTuple):
    """Largest distances between two pictures."""

    same_person: float
    """Farther pictures do not show one person."""
    one_face: float
    """Nearer pictures do not show two people."""


UNIT = AgreementBounds(same_person=0.42, one_face=0.25)
RAW = AgreementBounds(same_person=0.63, one_face=0.35)


MAX_OF_A_PERSON = 500
"""Pictures of one person: each is compared with each in the broker's loop."""


class EnrolledPicture(msgspec.Struct, frozen=True, order=True, gc=False):
    """A picture, the person whom its name says it shows, its hash and its encoding.

    Python's garbage collector does not follow it: with 80,000 of them it held up everything for 0.1 s.
    """

    file: str
    person: str
    digest: str
    encoding: bytes


def bounds_of(engine: str) -> AgreementBounds:
    """Return the bounds for the encodings of an engine."""
    return UNIT if is_averaged(engine) else RAW


class Couple(NamedTuple):
    """Two pictures of two people by name that show one face."""

    distance: float
    one: EnrolledPicture
    other: EnrolledPicture


def disagreeing(pictures: Sequence[EnrolledPicture], bounds: AgreementBounds) -> dict[str, str]:
    """Return which of one person's pictures cannot be used, and why: those of a group for one reason.

    Pictures that are near each other, directly or by way of others, belong together. Where more than half of
    all do, the others are left out. Otherwise nobody can tell which are the person's, and all are left out.
    """
    surplus = {
        one.file: f"beyond the first {MAX_OF_A_PERSON} pictures of {one.person}"
        for one in pictures[MAX_OF_A_PERSON:]
    }
    pictures = pictures[:MAX_OF_A_PERSON]
    rows = encodings_of(pictures)
    distances = distances_between(rows, rows)
    groups = _groups(distances <= bounds.same_person)
    largest = max(groups, key=len)
    if 2 * len(largest) <= len(pictures):
        reason = _nobody_in_most(pictures[0].person, len(groups), float(distances.max()), bounds)
        return {one.file: reason for one in pictures} | surplus
    reasons = {
        at: _two_people(pictures, distances, group, largest, bounds)
        for group in groups
        for at in group
        if group is not largest
    }
    return {pictures[at].file: reasons[at] for at in sorted(reasons)} | surplus


def by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the files of each reason, in order of name."""
    files: dict[str, list[str]] = {}
    for file, reason in sorted(reasons.items()):
        files.setdefault(reason, []).append(file)
    return files


_NAME_EACH = "name each picture after whom it shows"


def _nobody_in_most(person: str, people: int, farthest: float, bounds: AgreementBounds) -> str:
    return (
        f"{person}'s by name, and none of their {people} faces is in more than half of them (up to "
        f"{farthest:.2f} apart; one person's are within {bounds.same_person:g}): {_NAME_EACH}"
    )


def _two_people(
    pictures: Sequence[EnrolledPicture],
    distances: Encodings,
    group: set[int],
    kept: set[int],
    bounds: AgreementBounds,
) -> str:
    """Say that a group of pictures shows another face than those that are kept, with the nearest of these."""
    apart, other = min((float(distances[at, other]), other) for at in group for other in kept)
    return (
        f"{pictures[other].person}'s by name, and not the face of faces/{pictures[other].file} and most "
        f"others ({apart:.2f} apart; one person's are within {bounds.same_person:g}): {_NAME_EACH}"
    )


def alike(
    pictures: Sequence[EnrolledPicture],
    others: Sequence[EnrolledPicture],
    bounds: AgreementBounds,
    *,
    columns: Encodings | None = None,
) -> set[Couple]:
    """Return the couples of pictures of two people that show one face, as `groups_in_words` takes them.

    Args:
        pictures: those to compare.
        others: with which; they may be the same.
        bounds: of the engine.
        columns: the encodings of `others`, if they are at hand.
    """
    if not pictures or not others:
        return set()
    columns = encodings_of(others) if columns is None else columns
    rows = encodings_of(pictures)
    return {
        Couple(
            round(float(np.linalg.norm(rows[row] - columns[column])), 4),
            *sorted((pictures[row], others[column])),
        )
        for row, column in _within(bounds.one_face, rows, columns)
        if pictures[row].person != others[column].person
    }


def groups_in_words(couples: Iterable[Couple]) -> list[str]:
    """Return a sentence for each group of pictures that show one face, directly or by way of others."""
    ordered = sorted(couples)
    group_of: dict[EnrolledPicture, set[EnrolledPicture]] = {}
    for couple in ordered:
        mine, its = (group_of.setdefault(picture, {picture}) for picture in (couple.one, couple.other))
        if mine is not its:
            mine |= its
            group_of.update(dict.fromkeys(its, mine))
    nearest: dict[int, Couple] = {}
    for couple in ordered:
        nearest.setdefault(id(group_of[couple.one]), couple)
    return [_alike_in_words(one.distance, sorted(group_of[one.one])) for one in nearest.values()]


def encodings_of(pictures: Sequence[EnrolledPicture]) -> Encodings:
    """Return one row a picture."""
    return matrix(b"".join(picture.encoding for picture in pictures))


def _within(distance: float, rows: Encodings, columns: Encodings) -> npt.NDArray[np.intp]:
    """Return the couples `(n, 2)` of a row and a column that are at most so far apart.

    Squares are compared, in one product: a matrix of distances takes four times as long.
    """
    halves = (columns**2).sum(1, keepdims=True) / 2
    products = rows @ columns.T
    products -= halves.T
    least = ((rows**2).sum(1, keepdims=True) - np.float32(distance) ** 2) / 2
    return np.argwhere(products >= least)


def _alike_in_words(nearest: float, pictures: Sequence[EnrolledPicture]) -> str:
    files = named([f"faces/{one.file} ({one.person})" for one in pictures])
    several = len(pictures) > 2
    how = f"show nearly the same face ({nearest:.2f} apart{', the nearest two' if several else ''})"
    if len({one.digest for one in pictures}) == 1:
        how = "are the same picture"
    every = "all" if several else "both"
    return (
        f"{files} {how}: {every} are used, and whom they show may be ambiguous, and is denied then; "
        f"keep those of one person, or name {every} after one person"
    )


def by_person(pictures: Iterable[EnrolledPicture]) -> Mapping[str, list[EnrolledPicture]]:
    """Return the pictures of each person."""
    people: dict[str, list[EnrolledPicture]] = {}
    for picture in pictures:
        people.setdefault(picture.person, []).append(picture)
    return people


def _groups(near: npt.NDArray[np.bool_]) -> list[set[int]]:
    """Return which belong together, directly or by way of others."""
    left, groups = set(range(len(near))), []
    while left:
        group, waiting = set[int](), [left.pop()]
        while waiting:
            group.add(at := waiting.pop())
            found = left.intersection(np.flatnonzero(near[at]).tolist())
            left -= found
            waiting += found
        groups.append(group)
    return groups
