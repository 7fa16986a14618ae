"""Which enrolment pictures reject their person: weak ones by `turnstile.people.quality` against the others.

Each picture of a person enrols alone, and the person's other pictures stand for frames. Then two enrol of
which one is weak: with both, and with the good one alone. Figures are of the halves of three splits.

    python -m benchmarks.picture_quality LFW_FOLDER
"""

import functools
import itertools
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.face_folders import Floats, face_in, pictures_in
from benchmarks.report import Cell, Report, parser
from turnstile.people.crowding import crowding
from turnstile.people.quality import weaknesses
from turnstile.vision.encode.encoder import POLICIES, Encoder
from turnstile.vision.encode.looks import looks_of
from turnstile.vision.models import cache

MOST, SPLITS = 4, 3
LIMITS = (0.33, 0.322)
"""For one picture and for two, as for a few hundred people at one stranger in 1,000."""

FRAME_CHIPS = (1, 4)
"""Of the chips of `paddings`: those of `mirror`."""


class Judged(NamedTuple):
    """One picture."""

    enrolled: Floats
    frame: Floats
    weak: str
    """What is wrong with it."""


People = Sequence[Sequence[Judged]]
Figure = tuple[float, ...]


@functools.cache
def _encoder() -> Encoder:
    return Encoder(cache.encoder(), POLICIES["paddings"])


def judge(file: Path) -> Judged:
    """Return what a picture's face looks like, as an enrolment picture and as a frame."""
    picture, box = face_in(file)
    (enrolled,), chips = _encoder().encode_with_chips(picture, box)
    frame = chips[list(FRAME_CHIPS)].mean(axis=0)
    looks = looks_of(picture, box, _encoder().landmarks, chips)
    return Judged(enrolled, frame / np.linalg.norm(frame), "; ".join(one.words for one in weaknesses(looks)))


def rejected(enrolled: Sequence[Judged], others: Sequence[Judged]) -> float:
    """Return the share of the other pictures that lie beyond the limit of the mean of those enrolled."""
    mean = np.mean([one.enrolled for one in enrolled], axis=0)
    mean = (mean / np.linalg.norm(mean))[None].astype(np.float32)
    frames = np.stack([one.frame for one in others]).astype(np.float32)
    apart = np.linalg.norm(frames - mean, axis=1) + crowding(mean)[0] + crowding(frames)
    return float((apart > LIMITS[len(enrolled) - 1]).mean())


def alone(people: People, wanted: Callable[[str], bool]) -> Figure:
    """Return the share rejected where each picture that is wanted enrols alone."""
    shares = [
        rejected([one], [other for other in own if other is not one])
        for own in people
        for one in own
        if wanted(one.weak)
    ]
    return (float(np.mean(shares)),) if shares else ()


def in_pairs(people: People) -> Figure:
    """Return the shares rejected by two pictures of which one is weak, and by the good one alone."""
    shares = []
    for own in (own for own in people if len(own) > 2):
        for couple in itertools.combinations(own, 2):
            good = [one for one in couple if not one.weak]
            others = [one for one in own if not any(one is two for two in couple)]
            if len(good) == 1:
                shares.append((rejected(couple, others), rejected(good, others)))
    return tuple(np.mean(shares, axis=0).tolist()) if shares else ()


def over_halves(people: People, measure: Callable[[People], Figure]) -> list[list[float]]:
    """Return the lowest and highest of each of a measure's figures over the halves of the splits."""
    found = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(people))
        found += [measure([people[at] for at in half]) for half in np.array_split(order, 2)]
    rows = [one for one in found if one]
    return [[min(column), max(column)] for column in zip(*rows, strict=True)]


def main() -> int:
    """Measure the pictures of a folder."""
    asked = parser(__doc__)
    asked.add_argument("folder", type=Path, help="a folder for each person")
    asked.add_argument("--people", type=int, default=10_000, help="only so many people")
    options = asked.parse_args()
    report = Report("picture_quality", options)
    folders = [one for one in sorted(options.folder.iterdir()) if one.is_dir() and len(pictures_in(one)) > 1]
    files = [pictures_in(one)[:MOST] for one in folders[: options.people]]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        judged = iter(pool.map(judge, list(itertools.chain(*files)), chunksize=8))
    people = [[next(judged) for _ in own] for own in files]
    reasons = sorted({reason for own in people for one in own for reason in one.weak.split("; ") if reason})
    kinds: list[tuple[str, Callable[[str], bool]]] = [("not weak", lambda weak: not weak), ("weak", bool)]
    kinds += [(reason, _has(reason)) for reason in reasons]
    rows: list[list[Cell]] = []
    for name, wanted in kinds:
        count = sum(wanted(one.weak) for own in people for one in own)
        for low, high in over_halves(people, functools.partial(alone, wanted=wanted)):
            rows.append([name, count, f"{low:.3f}", f"{high:.3f}"])
    report.table("Rejected by one picture", ["picture", "pictures", "lowest half", "highest"], rows)
    figures = over_halves(people, in_pairs)
    names = ("with both", "with the good one alone")
    report.table(
        "Rejected by two pictures of which one is weak",
        ["enrolled", "lowest half", "highest"],
        [[name, f"{low:.3f}", f"{high:.3f}"] for name, (low, high) in zip(names, figures, strict=False)],
    )
    return report.finish()


def _has(reason: str) -> Callable[[str], bool]:
    return lambda weak: reason in weak


if __name__ == "__main__":
    sys.exit(main())
