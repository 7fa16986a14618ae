"""Halves of the people in a folder: one gives typical faces and tables, the other galleries and strangers."""

from dataclasses import dataclass
from functools import cached_property

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.face_folders import Floats
from turnstile.people.crowding import crowding_about
from turnstile.people.encodings import distances_between
from turnstile.people.risk import CLOSE, LFW, Tables

CENTRES = 32
STEPS_A_UNIT = 400
"""Centres are rounded to so many steps, as those that are shipped."""
DRAWS = (4, 6, 8)
"""How often pictures are drawn for people of 1, 2 and 3 pictures."""
RESAMPLES = 500
PARTS = 10
PROBES = 2
"""Most pictures of one person that are tried."""

Rows = npt.NDArray[np.intp]
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Half:
    """Some people, and their pictures as frames (`live`) and as enrolment pictures (`enrolled`)."""

    live: Floats
    enrolled: Floats
    owners: Rows
    """`(n,)`: whose each picture is, from 0 on."""
    numbers: Rows
    """`(people,)`: which of everybody in the folder each person is."""

    @cached_property
    def rows(self) -> list[Rows]:
        """The pictures of each person."""
        return [np.flatnonzero(self.owners == one) for one in range(int(self.owners.max()) + 1)]

    @cached_property
    def pictures(self) -> Rows:
        """How many each person has."""
        return np.bincount(self.owners)

    def of(self, people: Rows) -> "Half":
        """Return some of the people."""
        number = np.full(len(self.rows), -1)
        number[people] = np.arange(len(people))
        chosen = number[self.owners] >= 0
        return Half(
            self.live[chosen], self.enrolled[chosen], number[self.owners[chosen]], self.numbers[people]
        )


@dataclass(frozen=True)
class Fitted:
    """What is known from one half."""

    centres: Floats
    tables: Tables


@dataclass(frozen=True)
class Parts:
    """Centres for each part of the people, made without them.

    Those who make the centres lie nearer to them than others do, so tables made with such centres promise
    too much: by half as many strangers again, from 1,066 people.
    """

    part: Rows
    """`(people,)`."""
    centres: list[Floats]

    def crowding(self, encodings: Floats, people: Rows) -> Floats:
        """Return what is added to the distances of encodings of these people."""
        added = np.empty(len(encodings), np.float32)
        for part, centres in enumerate(self.centres):
            chosen = self.part[people] == part
            added[chosen] = crowding_about(encodings[chosen], centres)
        return added


@dataclass(frozen=True)
class Drawn:
    """A gallery, pictures of its people that are not in it, and the pictures of everybody else."""

    people: Rows
    pictures: Rows
    """How many each of them is enrolled with."""
    templates: Floats
    probes: Rows
    owners: Rows
    """Whose each probe is, by place in the gallery."""
    strangers: Rows


def halves(whole: Half, random: np.random.Generator) -> tuple[Half, Half]:
    """Return the people in two halves."""
    order = random.permutation(len(whole.rows))
    return whole.of(order[: len(order) // 2]), whole.of(order[len(order) // 2 :])


def fit(half: Half, random: np.random.Generator) -> Fitted:
    """Return the centres and tables of a half."""
    part = random.permutation(len(half.rows)) % PARTS
    parts = Parts(part, [_centres(half.of(np.flatnonzero(part != one)), random) for one in range(PARTS)])
    taken, missed, close = zip(
        *(_row_of_tables(half, parts, pictures, random) for pictures in (1, 2, 3)), strict=True
    )
    return Fitted(_centres(half, random), Tables(LFW.distances, taken, missed, close))


def draw(half: Half, people: int, pictures: int, random: np.random.Generator) -> Drawn:
    """Return a gallery of so many people with so many pictures each.

    Those come first who have a picture more, which is tried; then those who have enough; then others with
    what they have.
    """
    rank = np.minimum(half.pictures, pictures + 1)
    members = np.lexsort((random.permutation(len(rank)), -rank))[:people]
    mixed = [random.permutation(half.rows[one]) for one in members]
    tried = [own[pictures : pictures + PROBES] for own in mixed]
    return Drawn(
        people=members,
        pictures=np.minimum(half.pictures[members], pictures),
        templates=np.stack([unit(half.enrolled[own[:pictures]].mean(0)) for own in mixed]),
        probes=np.concatenate(tried),
        owners=np.repeat(np.arange(len(members)), [len(own) for own in tried]),
        strangers=np.flatnonzero(~np.isin(half.owners, members)),
    )


def distances(rows: Floats, columns: Floats, centres: Floats | None) -> Floats:
    """Return how far each row is from each column, `(n, m)`; without centres, plainly."""
    apart = distances_between(rows, columns)
    if centres is not None:
        apart += crowding_about(rows, centres)[:, None] + crowding_about(columns, centres)[None]
    return apart


def unit(rows: Floats) -> Floats:
    """Return rows scaled to unit length."""
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def _centres(half: Half, random: np.random.Generator) -> Floats:
    """Return the k-means of one frame a person, rounded."""
    one = np.array([random.choice(rows) for rows in half.rows])
    seed = int(random.integers(1 << 30))
    means = faiss.Kmeans(half.live.shape[1], CENTRES, niter=60, nredo=3, min_points_per_centroid=1, seed=seed)
    means.train(np.ascontiguousarray(half.live[one]))
    return np.asarray(np.round(np.asarray(means.centroids) * STEPS_A_UNIT) / STEPS_A_UNIT, np.float32)


def _row_of_tables(
    half: Half, parts: Parts, pictures: int, random: np.random.Generator
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Return the rows of the tables for people of so many pictures."""
    at = np.array(LFW.distances, np.float32)
    taken, close, missed = [], [], []
    added_to_frames = parts.crowding(half.live, half.owners)
    for _ in range(DRAWS[pictures - 1]):
        drawn = draw(half, int(np.count_nonzero(half.pictures >= pictures)), pictures, random)
        added = parts.crowding(drawn.templates, drawn.people)
        apart = distances(half.live, drawn.templates, None) + added_to_frames[:, None] + added[None]
        others = np.sort(apart[half.owners[:, None] != drawn.people[None]])
        taken.append((np.searchsorted(others, at, side="right") + 0.5) / len(others) * 1e6)
        missed.append(apart[drawn.probes, drawn.owners])
        couples = distances(drawn.templates, drawn.templates, None) + added[:, None] + added[None]
        close.append((couples[np.triu_indices(len(couples), 1)] <= CLOSE).mean())
    beyond = np.concatenate(missed)
    return (
        tuple((np.mean(taken, axis=0) + at * 1e-6).tolist()),
        tuple((100 * (beyond[:, None] > at).mean(axis=0)).tolist()),
        float(np.sqrt(np.mean(close))),
    )


def interval(hits: Shares, trials: Rows, random: np.random.Generator) -> tuple[float, float]:
    """Return where 95 % of the rates of resampled people lie.

    Args:
        hits: `(people,)`: each one's sum of shares of pictures taken for somebody.
        trials: `(people,)`: in how many galleries each was tried.
        random: for the draws.
    """
    chosen = random.integers(0, len(hits), (RESAMPLES, len(hits)))
    low, high = np.quantile(hits[chosen].sum(axis=1) / trials[chosen].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)
