"""The distance at which each enrolled person is recognised, from the risk that the owner accepts.

The rate at which strangers are taken for somebody grows in proportion to how many people are enrolled, from 1
to 1,500 at least. So each person bears an equal share of the risk and has a limit of their own. The mean of
several pictures is nearer to its person, and to strangers: who has more pictures has a stricter limit.

Source: the 3,443 pictures of LFW's development pairs (deep-funneled; 2,132 people), frames by policy
``mirror``, people by the mean of ``paddings``, distances with crowds counted; 5 to 14 million comparisons of
two people for each number of pictures, and 549 to 3,246 of one (November 2026, `benchmarks.people`). One
frame is tried; its strangers are photographed anywhere. People before one camera, in one light, lie nearer to
each other: that is why `max_distance` is a limit besides.

Where the people enrolled lie nearer to each other than LFW's, so do strangers like them. The limits are made
stricter by as many times as there are more close couples among the enrolled. Tried on 32 galleries of 100
people with up to three pictures, taken from the 250 nearest to one typical face, against the others of these:
of 1 in 1,000 stated, 3.3 strangers in 1,000 are taken for somebody without that and 1.2 with it. Galleries
drawn from everybody stay as they are.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from turnstile.people.crowding import crowding
from turnstile.people.encodings import Encodings
from turnstile.site.settings import DecisionSettings

Limits = npt.NDArray[np.float32]
"""float32 `(people,)`: the largest distance at which each person is recognised."""

MAX_COMPARED, AT_ONCE = 5_000, 500
"""People of a gallery who are compared with each other (0.3 s), and how many at once."""

CLOSE = 0.40
"""Two people so near are a close couple."""

_IN_CLOSE_COUPLES = (0.0547, 0.0990, 0.1306)
"""By number of pictures: two people of LFW are a close couple as often as the product says, within 4 %."""

_DISTANCES = (0.26, 0.28, 0.29, 0.30, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 0.39, 0.40)

_TAKEN_FOR = (
    (0.07, 0.34, 0.48, 0.95, 3.0, 6.8, 17.5, 39.8, 91.7, 195, 400, 786, 1476, 2688),
    (0.60, 1.69, 2.17, 3.25, 7.1, 15.9, 38.0, 80.5, 185.0, 391, 772, 1472, 2708, 4740),
    (0.87, 1.22, 1.92, 4.53, 14.3, 25.1, 56.7, 109.0, 252.0, 524, 1000, 1951, 3522, 6096),
)
"""By number of pictures, 1, 2, 3 and more: how many of a million strangers are taken for a person at each of
`_DISTANCES`. With 4 pictures the rates from 0.32 on are those of 3, within 15 %."""

_NOT_RECOGNISED = (
    (66.9, 52.3, 45.3, 38.1, 30.1, 24.0, 18.6, 14.2, 10.6, 8.1, 5.6, 3.7, 2.5, 1.7),
    (47.3, 31.4, 24.7, 19.3, 14.2, 10.0, 7.2, 4.8, 3.6, 2.4, 1.5, 0.7, 0.6, 0.4),
    (36.2, 21.7, 14.6, 10.2, 5.8, 3.6, 2.4, 1.3, 1.3, 0.5, 0.4, 0.4, 0.4, 0.2),
)
"""By number of pictures: how many of a hundred pictures of a person lie beyond each distance."""


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
    """How near the people of a gallery lie to each other, crowds counted."""

    distances: Limits
    """Each person's distance to the nearest other one; infinite for who was compared with nobody."""
    others: npt.NDArray[np.intp]
    """Who that is."""
    close_couples: int = 0
    """How many couples are at most `CLOSE` apart."""


def limits(pictures: npt.NDArray[np.intp], around: Neighbours, risk: Risk) -> Limits:
    """Return each person's limit.

    Nobody's limit comes nearer than `min_margin` to the nearest other person: who looks like another has a
    stricter one.

    Args:
        pictures: `(people,)`: how many each person has.
        around: the same people's neighbours.
        risk: what the owner accepts.
    """
    kept_apart = around.distances - np.float32(risk.min_margin)
    return np.asarray(np.maximum(0, np.minimum(limits_by_pictures(pictures, around, risk), kept_apart)))


def limits_by_pictures(pictures: npt.NDArray[np.intp], around: Neighbours, risk: Risk) -> Limits:
    """Return what each person's limit would be if nobody looked like another."""
    if not len(pictures):
        return np.zeros(0, np.float32)
    share = risk.stranger_rate / len(pictures) / closeness(pictures, around.close_couples)
    share = min(share, _rate_at(risk.max_distance, _TAKEN_FOR[0]))
    by_pictures = np.array([_distance_for(share, rates) for rates in _TAKEN_FOR], np.float32)
    return np.minimum(by_pictures[_rows(pictures)], np.float32(risk.max_distance))


def closeness(pictures: npt.NDArray[np.intp], close_couples: int) -> float:
    """Return how many times more close couples there are than among LFW's people, at least 1.

    The true number exceeds it in 19 of 20 such galleries. Source: Wilson and Hilferty, 1931.
    """
    if not close_couples:
        return 1.0
    shares = np.array(_IN_CLOSE_COUPLES)[_rows(pictures)]
    usual = (float(shares.sum()) ** 2 - float((shares**2).sum())) / 2
    spread = 1.645 / (3 * math.sqrt(close_couples))
    surely = close_couples * (1 - 1 / (9 * close_couples) - spread) ** 3
    return max(1.0, surely / usual)


def expected(own_limits: Limits, pictures: npt.NDArray[np.intp]) -> Expectation:
    """Return what limits are expected to do, by the tables: of people photographed anywhere."""
    if not len(own_limits):
        return Expectation(0.0, 0.0)
    taken = np.zeros(len(own_limits))
    for row, rates in enumerate(_TAKEN_FOR):
        chosen = _rows(pictures) == row
        taken[chosen] = np.exp(np.interp(own_limits[chosen], _DISTANCES, np.log(rates))) / 1e6
    taken[own_limits <= 0] = 0
    return Expectation(1 - math.exp(-float(taken.sum())), float(rejections(own_limits, pictures).mean()))


def rejections(own_limits: Limits, pictures: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Return `(people,)`: the share of each person's frames expected to lie beyond their limit."""
    missed = np.ones(len(own_limits))
    for row, shares in enumerate(_NOT_RECOGNISED):
        chosen = _rows(pictures) == row
        missed[chosen] = np.interp(own_limits[chosen], (0.0, *_DISTANCES), (100.0, *shares)) / 100
    return missed


def neighbours(templates: Encodings) -> Neighbours:
    """Return how near people lie to each other; in a gallery of more than `MAX_COMPARED` nobody is compared.

    Args:
        templates: `(people, 128)`, one a person.
    """
    people = len(templates)
    found, others, couples = np.full(people, np.inf, np.float32), np.zeros(people, np.intp), 0
    if not 1 < people <= MAX_COMPARED:
        return Neighbours(found, others)
    added, squares = crowding(templates), np.einsum("ij,ij->i", templates, templates)
    for at in range(0, people, AT_ONCE):
        rows = slice(at, at + AT_ONCE)
        apart = np.sqrt(
            np.maximum(squares[rows, None] + squares[None] - 2 * templates[rows] @ templates.T, 0)
        )
        apart += added[rows, None] + added[None]
        np.fill_diagonal(apart[:, at:], np.inf)
        others[rows] = apart.argmin(axis=1)
        found[rows] = apart.min(axis=1)
        couples += int(np.count_nonzero(apart <= CLOSE))
    return Neighbours(found, others, couples // 2)


def _rows(pictures: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    return np.clip(pictures, 1, len(_TAKEN_FOR)) - 1


def _rate_at(distance: float, rates: Sequence[float]) -> float:
    """Return the share of strangers who are taken for a person at a distance."""
    if distance >= _DISTANCES[-1]:
        return rates[-1] / 1e6
    return math.exp(float(np.interp(distance, _DISTANCES, np.log(rates)))) / 1e6


def _distance_for(share: float, rates: Sequence[float]) -> float:
    """Return the distance at which so many strangers are taken for a person."""
    logs = np.log(rates)
    wanted = math.log(max(share * 1e6, 1e-12))
    if wanted < logs[0]:
        return _DISTANCES[0] + (wanted - float(logs[0])) * _EACH_E_FOLD
    return float(np.interp(wanted, logs, _DISTANCES))


_EACH_E_FOLD = (_DISTANCES[-1] - _DISTANCES[-5]) / (math.log(_TAKEN_FOR[0][-1]) - math.log(_TAKEN_FOR[0][-5]))
"""Beyond the table the rate is taken to fall as it does within it, by so much distance for each factor e."""
