"""What a lower precision of the encoder costs in accuracy, as the site uses it.

Faces of frames are encoded in the precision, enrolment pictures in float32. Every difference to float32 comes
with its interval. For it people are drawn anew, all their pictures together. For each draw the distances are
found anew that accept one in 1,000 and one in 10,000 of all impostor pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.face_folders import Faces, Floats, Pairs
from benchmarks.report import Cell, Goal, Report
from turnstile.people.encodings import distances_between
from turnstile.vision.encode.encoder import POLICIES
from turnstile.vision.models.runtime import PrecisionName

RATES = (1e-3, 1e-4)
RESAMPLES = 500
NEAREST_PART = 0.01
"""Only so many of the nearest impostor pairs can lie below the distance of a resample."""

MOST_LOST = 0.01
"""A precision may be taken whose loss of true accepts at one in 1,000 is surely less."""

Whole = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Distances between faces in frames and enrolment pictures."""

    own: Floats
    """Between two pictures of one person."""
    owner: Whole
    """Whose, for each of `own`."""
    near: Floats
    """Between different people, the nearest ones in ascending order."""
    first: Whole
    second: Whole
    """Whose, for each of `near`."""


def compared(live: Floats, enrolled: Floats, owners: Whole, pairs: Pairs) -> Compared:
    """Return the distances of all pairs, each picture once as a frame and once as enrolled."""
    distances = distances_between(live, enrolled)
    others = owners[:, None] != owners[None]
    bound = np.quantile(distances[others][::7], NEAREST_PART)
    rows, columns = np.nonzero(others & (distances <= bound))
    order = np.argsort(distances[rows, columns], kind="stable")
    frames = np.concatenate([pairs.first[pairs.same], pairs.second[pairs.same]])
    pictures = np.concatenate([pairs.second[pairs.same], pairs.first[pairs.same]])
    return Compared(
        own=distances[frames, pictures],
        owner=owners[frames],
        near=distances[rows, columns][order],
        first=owners[rows][order],
        second=owners[columns][order],
    )


def accepted(one: Compared, people: Floats, pictures: Floats) -> list[tuple[float, float]]:
    """Return, for each of `RATES`, the share of true pairs accepted and the distance.

    Args:
        one: the distances.
        people: how often each person was drawn.
        pictures: how many pictures each person has.
    """
    pairs = (people @ pictures) ** 2 - (people**2) @ (pictures**2)
    so_far = np.cumsum(people[one.first] * people[one.second])
    weights = people[one.owner]
    found = []
    for rate in RATES:
        distance = one.near[min(int(np.searchsorted(so_far, rate * pairs)), len(one.near) - 1)]
        found.append((float(weights @ (one.own <= distance) / weights.sum()), float(distance)))
    return found


def show_precisions(report: Report, faces: Faces, pairs: Pairs, *, left_out: Sequence[str]) -> None:
    """Print the table of precisions; people whose faces set the ranges of int8 are left out."""
    kept = ~np.isin(np.asarray(faces.people), left_out)
    place = np.cumsum(kept) - 1
    inside = kept[pairs.first] & kept[pairs.second]
    its = Pairs(first=place[pairs.first[inside]], second=place[pairs.second[inside]], same=pairs.same[inside])
    owners = np.unique(np.asarray(faces.people)[kept], return_inverse=True)[1]
    pictures = np.bincount(owners).astype(np.float32)
    enrolled = faces.encode(POLICIES["paddings"])[kept]
    exact = faces.encode(POLICIES["mirror"])[kept]
    live = {name: faces.encode(POLICIES["mirror"], name)[kept] for name in faces.chips}
    distances = {name: compared(one, enrolled, owners, its) for name, one in live.items()}
    gains = _gains(distances, pictures)
    found = {name: accepted(one, np.ones_like(pictures), pictures) for name, one in distances.items()}
    report.table(
        f"Faces in frames in a lower precision, enrolled in float32: {kept.sum()} pictures of {len(pictures)}"
        f" people, {2 * its.same.sum()} true pairs, {RESAMPLES} resamples of the people",
        [
            "precision",
            *("moved, median", "most"),
            *("accepted at 1e-3", "distance", "against float32", "2.5 %", "97.5 %"),
            *("at 1e-4", "against float32", "2.5 %", "97.5 %"),
        ],
        [_row(name, live[name] - exact, found[name], found["float32"], gains[name]) for name in distances],
    )
    for name in distances.keys() - {"float32"}:
        worst = float(np.quantile(gains[name][:, 0], 0.025))
        report.goal(
            Goal(what=f"{name}, accepted at 1e-3, at worst", unit="", measured=worst, at_least=-MOST_LOST)
        )


def _gains(
    distances: dict[PrecisionName, Compared], pictures: Floats
) -> dict[PrecisionName, npt.NDArray[np.float64]]:
    """Return `(resamples, rates)` for each precision: what it accepts more than float32 does."""
    random = np.random.default_rng(2026)
    drawn = random.multinomial(len(pictures), np.full(len(pictures), 1 / len(pictures)), RESAMPLES)
    shares = {
        name: np.array([[share for share, _ in accepted(one, people, pictures)] for people in drawn * 1.0])
        for name, one in distances.items()
    }
    return {name: share - shares["float32"] for name, share in shares.items()}


def _row(
    name: str,
    moved: Floats,
    found: list[tuple[float, float]],
    in_float32: list[tuple[float, float]],
    gains: npt.NDArray[np.float64],
) -> list[Cell]:
    by = np.linalg.norm(moved, axis=1)
    row: list[Cell] = [name, f"{np.median(by):.3f}", f"{by.max():.3f}"]
    for at, (share, distance) in enumerate(found):
        row += [f"{share:.4f}", *([f"{distance:.3f}"] if at == 0 else [])]
        low, high = np.quantile(gains[:, at], (0.025, 0.975))
        row += [f"{share - in_float32[at][0]:+.4f}", f"{low:+.4f}", f"{high:+.4f}"]
    return row
