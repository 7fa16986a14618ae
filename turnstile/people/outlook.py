"""What the limits of a gallery are expected to do, and who in it looks like whom, as values and in words."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from turnstile.counts import named
from turnstile.people.gallery import Gallery, is_averaged
from turnstile.people.risk import (
    CLOSE,
    MAX_COMPARED,
    Expectation,
    Limits,
    Neighbours,
    closeness,
    expected,
    limits_by_pictures,
    neighbours,
    risk_of,
)
from turnstile.site.settings import DecisionSettings

PEOPLE_SHOWN = 5


class Likeness(NamedTuple):
    """A person, and the nearest other one."""

    person: str
    other: str
    distance: float
    """Between the two, crowds counted."""
    limit: float
    """The largest distance at which the person is recognised."""


class Outlook(NamedTuple):
    """What is expected of a gallery, one frame a trial."""

    limits: Limits
    """`(people,)`."""
    stated: float | None
    """Share of strangers that the owner accepts; `None` where one distance is for all."""
    expected: Expectation | None
    """`None` for raw encodings, which no table is about."""
    closest: Likeness | None
    """The nearest two; `None` where nobody was compared with another."""
    held_back: tuple[Likeness, ...]
    """Who has a stricter limit because of another person, the strictest first."""
    close_couples: int
    closeness: float
    """How many times more close couples there are than usual, at least 1."""


def outlook(compared: Gallery, pictures: npt.NDArray[np.intp], decision: DecisionSettings) -> Outlook:
    """Return what is expected of a gallery.

    Args:
        compared: what faces are compared with, from `templates`.
        pictures: `(people,)`: how many each person has.
        decision: the site's.
    """
    people = len(compared.persons)
    one_for_all = np.full(people, decision.max_distance, np.float32)
    own = one_for_all if compared.limits is None else compared.limits
    if not is_averaged(compared.engine):
        return Outlook(own, None, None, None, (), 0, 1.0)
    around = neighbours(compared.encodings) if compared.around is None else compared.around
    risk = risk_of(decision)
    stricter = (
        np.zeros(0, np.intp)
        if risk is None
        else np.flatnonzero(own < limits_by_pictures(pictures, around, risk))
    )
    alike = _likenesses(compared, own, around)
    return Outlook(
        limits=own,
        stated=decision.stranger_rate,
        expected=expected(own, pictures),
        closest=min(alike, key=lambda one: one.distance, default=None),
        held_back=tuple(sorted((alike[at] for at in stricter), key=lambda one: one.limit)),
        close_couples=around.close_couples,
        closeness=1.0 if risk is None else closeness(pictures, around.close_couples),
    )


def in_words(found: Outlook) -> list[str]:
    """Return sentences for an operator; none for an empty gallery."""
    if not len(found.limits):
        return []
    said = [f"people are recognised up to a distance of {_range(found.limits)}{_expectation(found)}"]
    if found.closest is not None:
        said.append(
            f"the two closest people, {found.closest.person} and {found.closest.other}, are "
            f"{found.closest.distance:.3f} apart"
        )
    if found.expected is not None and len(found.limits) > MAX_COMPARED:
        said.append(
            "nobody is compared with others, so look-alikes have no stricter limit: "
            f"{len(found.limits)} people are enrolled, and at most {MAX_COMPARED} are compared"
        )
    if found.held_back:
        who = [f"{one.person} (up to {one.limit:.3f}, like {one.other})" for one in found.held_back]
        said.append(f"a stricter limit holds for who looks like another: {named(who, at_most=PEOPLE_SHOWN)}")
    if found.closeness > 1:
        said.append(
            f"the people enrolled lie nearer to each other than usual: {found.close_couples} couples within "
            f"{CLOSE:g}, at least {found.closeness:.1f} times as many; all limits are stricter for it"
        )
    return said


def _likenesses(compared: Gallery, own: Limits, around: Neighbours) -> list[Likeness]:
    """Return each person's, in the order of people; none where nobody was compared."""
    if not np.isfinite(around.distances).all():
        return []
    return [
        Likeness(person, compared.persons[other], max(0.0, float(distance)), float(limit))
        for person, other, distance, limit in zip(
            compared.persons, around.others, around.distances, own, strict=True
        )
    ]


def _range(limits: Limits) -> str:
    strictest, loosest = f"{limits.min():.3f}", f"{limits.max():.3f}"
    return strictest if strictest == loosest else f"{strictest} to {loosest}"


def _expectation(found: Outlook) -> str:
    if found.expected is None:
        return ""
    accepted = "" if found.stated is None else f" ({found.stated:.3%} accepted)"
    return (
        f": in one frame, {found.expected.stranger_rate:.3%} of strangers are expected to be taken for "
        f"somebody{accepted}, and {found.expected.rejection:.0%} of the people enrolled not to be "
        "recognised, years after their pictures"
    )
