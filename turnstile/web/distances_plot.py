"""The distances of a gallery as a plot: a person's own, those between people, and the bound.

Only geometry: the template draws it. Each histogram is as high as its fullest bar.
"""

from collections.abc import Sequence
from typing import NamedTuple

from turnstile.requests.answers import PeopleFound

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 12, 12, 24, 34
BINS = 40
_LEAST_RANGE = 0.8


class Bar(NamedTuple):
    """A bar of a histogram, in pixels of the plot."""

    x: float
    y: float
    width: float
    height: float


class AxisNumber(NamedTuple):
    """A number of the axis."""

    x: float
    label: str


class DistancesPlot(NamedTuple):
    """What to draw, and the same in words."""

    own: tuple[Bar, ...]
    others: tuple[Bar, ...]
    bound_x: float | None
    bound: float | None
    ticks: tuple[AxisNumber, ...]
    words: str


def plot_of(found: PeopleFound) -> DistancesPlot | None:
    """Return the plot of a gallery; `None` where nobody was compared with anybody."""
    if not found.own_distances and not found.other_distances:
        return None
    largest = max(_LEAST_RANGE, *found.own_distances, *found.other_distances, found.max_distance or 0.0)
    return DistancesPlot(
        own=_bars(found.own_distances, largest),
        others=_bars(found.other_distances, largest),
        bound_x=None if found.max_distance is None else _x(found.max_distance, largest),
        bound=found.max_distance,
        ticks=tuple(
            AxisNumber(_x(tenths / 10, largest), f"{tenths / 10:.1f}")
            for tenths in range(int(largest * 10) + 1)
        ),
        words=_in_words(found),
    )


def _bars(distances: Sequence[float], largest: float) -> tuple[Bar, ...]:
    counts = [0] * BINS
    for distance in distances:
        counts[min(BINS - 1, int(distance / largest * BINS))] += 1
    fullest, wide = max(counts), (WIDTH - LEFT - RIGHT) / BINS
    bars = []
    for at, count in enumerate(counts):
        if count:
            height = (HEIGHT - TOP - BOTTOM) * count / fullest
            bars.append(
                Bar(
                    round(LEFT + at * wide, 1),
                    round(HEIGHT - BOTTOM - height, 1),
                    round(wide - 1, 1),
                    round(height, 1),
                )
            )
    return tuple(bars)


def _x(distance: float, largest: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * distance / largest, 1)


def _in_words(found: PeopleFound) -> str:
    told = []
    if found.own_distances:
        told.append(f"Pictures of one person are {_range(found.own_distances)} apart.")
    if found.other_distances:
        told.append(f"Pictures of two people are {_range(found.other_distances)} apart.")
    if found.max_distance is not None:
        beyond = sum(one > found.max_distance for one in found.own_distances)
        within = sum(one <= found.max_distance for one in found.other_distances)
        told.append(
            f"The bound is {found.max_distance:.2f}: {beyond} of {len(found.own_distances)} own distances "
            f"lie beyond it, {within} of {len(found.other_distances)} between people within."
        )
    return " ".join(told)


def _range(distances: Sequence[float]) -> str:
    least, most = min(distances), max(distances)
    return f"{least:.2f}" if least == most else f"{least:.2f} to {most:.2f}"
