"""The distance at which each enrolled person is recognised, from the risk that the owner accepts.

The rate at which strangers are taken for somebody grows in proportion to how many people are enrolled, from 1
to 1,500 at least. So each person bears an equal share of the risk and has a limit of their own. The mean of
several pictures is nearer to its person, and to strangers: who has more pictures has a stricter limit.

Source: the 3,443 pictures of LFW's development pairs (deep-funneled; 2,131 people), frames by policy
``mirror``, people by the mean of ``paddings``, distances with crowds counted by typical faces that were made
without the people compared; 5 to 15 million comparisons of two people for each number of pictures (November
2026, `benchmarks.people`). One frame is tried; its strangers are photographed anywhere. People before one
camera, in one light, lie nearer to each other: that is why `max_distance` is a limit besides.

Tables made of one half of these people hold on the other, in five such splits. Of 1 stranger in 1,000
stated, 0.11 are taken for somebody with 10 people of one picture enrolled, 0.72 with 100 and 0.97 with 500;
with up to three pictures 0.10, 0.78 and 0.71.

Where the people enrolled lie nearer to each other than LFW's, so do strangers like them. The limits are made
stricter by as many times as there are surely more close couples among the enrolled. Of 125 people around one
typical face, 50 are enrolled: of 1 stranger in 1,000 stated, 2.8 of the others are taken for somebody
without that and 1.5 with it; with up to three pictures 2.4 and 1.0. Other galleries stay as they are.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from turnstile.people.crowding import crowding
from turnstile.people.encodings import Encodings, distances_between
from turnstile.site.settings import DecisionSettings

Limits = npt.NDArray[np.float32]
"""float32 `(people,)`: the largest distance at which each person is recognised."""

MAX_COMPARED, AT_ONCE = 10_000, 200
"""People of a gallery who are compared with each other (1.5 s), and how many at once."""

CLOSE = 0.40
"""Two people so near are a close couple."""


class Tables(NamedTuple):
    """What distances do, each row by number of pictures: 1, 2, 3 and more."""

    distances: tuple[float, ...]
    taken_for: tuple[tuple[float, ...], ...]
    """How many of a million strangers are taken for a person at each distance."""
    not_recognised: tuple[tuple[float, ...], ...]
    """How many of a hundred pictures of a person lie beyond each distance."""
    in_close_couples: tuple[float, ...]
    """The product for two people is how likely they are at most `CLOSE` apart, within 4 %."""


LFW = Tables(
    distances=(0.26, 0.28, 0.29, 0.30, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 0.39, 0.40),
    taken_for=(
        (0.07, 0.25, 0.48, 0.92, 4.36, 11.0, 23.4, 55.9, 125, 264, 518, 996, 1850, 3310),
        (0.18, 0.66, 1.39, 2.96, 8.81, 19.6, 47.4, 108, 242, 488, 962, 1810, 3310, 5700),
        (0.52, 1.05, 2.35, 6.28, 15.0, 33.6, 73.5, 165, 338, 674, 1310, 2490, 4400, 7460),
    ),
    not_recognised=(
        (64.7, 50.0, 42.6, 33.7, 27.5, 21.3, 16.8, 13.0, 9.5, 6.9, 4.6, 3.3, 2.0, 1.4),
        (44.7, 29.5, 22.3, 15.9, 11.6, 8.0, 5.6, 4.5, 3.1, 1.7, 1.1, 0.7, 0.5, 0.3),
        (32.8, 19.0, 14.1, 9.4, 6.6, 4.7, 2.8, 2.0, 1.2, 0.7, 0.5, 0.4, 0.3, 0.2),
    ),
    in_close_couples=(0.0604, 0.1080, 0.1433),
)
"""One rate was raised to the line between its neighbours: 0.07 for 1 picture at 0.28. With 4 pictures the
rates from 0.32 on are those of 3, within 15 %."""


class Risk(NamedTuple):
    """What the owner accepts."""

    stranger_rate: float
    """Share of strangers who are taken for somebody."""
    max_distance: float
    """Limit for a person with one picture, however few people are enrolled."""
    min_margin: float
    """How much farther the second-best person must be."""


def risk_of(decision: DecisionSettings) -> Risk | None:
    """Return what a site accepts; `None` where one `max_distance` is for all."""
    if decision.stranger_rate is None:
        return None
    return Risk(decision.stranger_rate, decision.max_distance, decision.min_margin)


class Expectation(NamedTuple):
    """What limits are expected to do, one frame each."""

    stranger_rate: float
    """Share of strangers taken for somebody."""
    rejection: float
    """Share of frames of enrolled people, years after their pictures, in which they are not recognised."""


class Neighbours(NamedTuple):
    """How near people, or encodings of several people, lie to each other, crowds counted."""

    distances: Limits
    """Each one's distance to the nearest other person's; infinite for who was compared with nobody."""
    others: npt.NDArray[np.intp]
    """Which one that is."""
    close_couples: int = 0
    """How many couples are at most `CLOSE` apart."""


def limits(pictures: npt.NDArray[np.intp], around: Neighbours, risk: Risk, *, tables: Tables = LFW) -> Limits:
    """Return each person's limit.

    Nobody's limit comes nearer than `min_margin` to the nearest other person: who looks like another has a
    stricter one.

    Args:
        pictures: `(people,)`: how many each person has.
        around: the same people's neighbours.
        risk: what the owner accepts.
        tables: of whom.
    """
    kept_apart = around.distances - np.float32(risk.min_margin)
    return np.asarray(
        np.maximum(0, np.minimum(limits_by_pictures(pictures, around, risk, tables=tables), kept_apart))
    )


def limits_by_pictures(
    pictures: npt.NDArray[np.intp], around: Neighbours, risk: Risk, *, tables: Tables = LFW
) -> Limits:
    """Return what each person's limit would be if nobody looked like another."""
    if not len(pictures):
        return np.zeros(0, np.float32)
    share = risk.stranger_rate / len(pictures) / closeness(pictures, around.close_couples, tables=tables)
    share = min(share, _rate_at(risk.max_distance, tables))
    by_pictures = np.array([_distance_for(share, rates, tables) for rates in tables.taken_for], np.float32)
    return np.minimum(by_pictures[_rows(pictures)], np.float32(risk.max_distance))


def closeness(pictures: npt.NDArray[np.intp], close_couples: int, *, tables: Tables = LFW) -> float:
    """Return how many times more close couples there are than among LFW's people, at least 1.

    The true number exceeds it in 19 of 20 such galleries. Source: Wilson and Hilferty, 1931.
    """
    if not close_couples:
        return 1.0
    shares = np.array(tables.in_close_couples)[_rows(pictures)]
    usual = (float(shares.sum()) ** 2 - float((shares**2).sum())) / 2
    spread = 1.645 / (3 * math.sqrt(close_couples))
    surely = close_couples * (1 - 1 / (9 * close_couples) - spread) ** 3
    return max(1.0, surely / usual)


def expected(own_limits: Limits, pictures: npt.NDArray[np.intp]) -> Expectation:
    """Return what limits are expected to do, by the tables: of people photographed anywhere."""
    if not len(own_limits):
        return Expectation(0.0, 0.0)
    taken = np.zeros(len(own_limits))
    for row, rates in enumerate(LFW.taken_for):
        chosen = _rows(pictures) == row
        taken[chosen] = np.exp(np.interp(own_limits[chosen], LFW.distances, np.log(rates))) / 1e6
    taken[own_limits <= 0] = 0
    return Expectation(1 - math.exp(-float(taken.sum())), float(rejections(own_limits, pictures).mean()))


def rejections(own_limits: Limits, pictures: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Return `(people,)`: the share of each person's frames expected to lie beyond their limit."""
    missed = np.ones(len(own_limits))
    for row, shares in enumerate(LFW.not_recognised):
        chosen = _rows(pictures) == row
        missed[chosen] = np.interp(own_limits[chosen], (0.0, *LFW.distances), (100.0, *shares)) / 100
    return missed


def neighbours(templates: Encodings) -> Neighbours:
    """Return how near people lie to each other; in a gallery of more than `MAX_COMPARED` nobody is compared.

    Args:
        templates: `(people, 128)`, one a person.
    """
    people = len(templates)
    if not 1 < people <= MAX_COMPARED:
        return Neighbours(np.full(people, np.inf, np.float32), np.zeros(people, np.intp))
    return nearest_others(templates, np.arange(people), crowding(templates))


def nearest_others(
    rows: Encodings, owners: npt.NDArray[np.intp], added: npt.NDArray[np.float32]
) -> Neighbours:
    """Return for each encoding the nearest one of another person.

    Args:
        rows: `(n, 128)`.
        owners: `(n,)`: whose each is.
        added: `(n,)`: what is added to each one's distances.
    """
    found, others, couples = np.full(len(rows), np.inf, np.float32), np.zeros(len(rows), np.intp), 0
    for at in range(0, len(rows), AT_ONCE):
        some = slice(at, at + AT_ONCE)
        apart = distances_between(rows[some], rows)
        apart += added[some, None] + added[None]
        apart[owners[some, None] == owners[None]] = np.inf
        others[some] = apart.argmin(axis=1)
        found[some] = apart.min(axis=1)
        couples += int(np.count_nonzero(apart <= CLOSE))
    return Neighbours(found, others, couples // 2)


def _rows(pictures: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    return np.clip(pictures, 1, len(LFW.taken_for)) - 1


def _rate_at(distance: float, tables: Tables) -> float:
    """Return the share of strangers who are taken for a person with one picture at a distance."""
    return math.exp(float(np.interp(distance, tables.distances, np.log(tables.taken_for[0])))) / 1e6


def _distance_for(share: float, rates: Sequence[float], tables: Tables) -> float:
    """Return the distance at which so many strangers are taken for a person.

    Below the table's least rate, it is taken to fall as it does at the table's end, by so much for each
    factor e.
    """
    logs, at, first = np.log(rates), tables.distances, np.log(tables.taken_for[0])
    wanted = math.log(max(share * 1e6, 1e-12))
    if wanted < logs[0]:
        return at[0] + (wanted - float(logs[0])) * (at[-1] - at[-5]) / float(first[-1] - first[-5])
    return float(np.interp(wanted, logs, at))
