"""Whether visits of unknown people are sorted by whose face they show: the source of `SAME_FACE`.

The people of a folder such as LFW are halved three times. Each picture is a visit, and visits come in random
order. The smallest and largest figure of the six halves is printed for some bounds.

    python -m benchmarks.strangers --people FOLDER [--keep FILE] [--quick] [--json FILE]

With `--keep`, encodings are kept in that file (`.npz`) and taken from it the next time. Without, a picture
takes 0.13 s on one core.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.face_folders import Floats, encode_all, pictures_in
from benchmarks.report import Cell, Report, parse_with_people
from turnstile.strangers.groups import FaceGroups
from turnstile.vision.encode.encoder import POLICIES

ENCODING = "dlib-resnet-v1/mirror"
LIMITS = (0.26, 0.28, 0.30, 0.32, 0.34, 0.36)
SPLITS = 3
COLUMNS = (
    "visits with most of their group",
    "groups of one person",
    "pairs of one person together",
    "joined pairs of two people",
    "groups a person",
)

Owners = npt.NDArray[np.intp]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and return 0."""
    options = parse_with_people(__doc__, argv)
    report = Report("strangers", options)
    if options.people is None:
        report.note("Nothing to measure: it needs --people.")
        return report.finish()
    encodings, owners = prepared(options.people, options.keep)
    rows: list[list[Cell]] = []
    for limit in LIMITS[2:3] if options.quick else LIMITS:
        figures = np.array([figures_of(*half, limit) for half in halves(encodings, owners)])
        rows.append(
            [
                limit,
                *(
                    f"{low:.4f} to {high:.4f}"
                    for low, high in zip(figures.min(0), figures.max(0), strict=True)
                ),
            ]
        )
    report.table("Lowest and highest of all halves", ("limit", *COLUMNS), rows)
    return report.finish()


def halves(encodings: Floats, owners: Owners) -> Iterator[tuple[Floats, Owners]]:
    """Give both halves of some splits by people, their visits in random order."""
    dice = np.random.default_rng(1)
    for _ in range(SPLITS):
        chosen = dice.permutation(owners.max() + 1) < (owners.max() + 1) // 2
        for is_first in (True, False):
            visits = dice.permutation(np.flatnonzero(chosen[owners] == is_first))
            yield encodings[visits], owners[visits]


def figures_of(encodings: Floats, owners: Owners, limit: float) -> list[float]:
    """Return what `COLUMNS` names of visits in this order."""
    groups = FaceGroups(ENCODING, limit=limit)
    for number, row in enumerate(encodings):
        groups.add(f"{number}", row.tobytes())
    found = [owners[[int(event) for event in group.visits]] for group in groups.groups]
    most = [int(np.bincount(one).max()) for one in found]
    several = [(one, count) for one, count in zip(found, most, strict=True) if len(one) > 1]
    right = sum(pairs(int(count)) for one in found for count in np.bincount(one))
    joined = sum(pairs(len(one)) for one in found)
    there = sum(pairs(int(count)) for count in np.bincount(owners))
    return [
        sum(most) / len(owners),
        sum(count == len(one) for one, count in several) / max(1, len(several)),
        right / max(1, there),
        (joined - right) / max(1, joined),
        len(found) / len(set(owners.tolist())),
    ]


def pairs(count: int) -> int:
    """Return how many pairs there are of so many."""
    return count * (count - 1) // 2


def prepared(folder: Path, keep: Path | None) -> tuple[Floats, Owners]:
    """Return the encodings of a folder's pictures and whose each is."""
    if keep is not None and keep.exists():
        with np.load(keep) as kept:
            return kept["encodings"], kept["owners"]
    people = [person for person in sorted(folder.iterdir()) if person.is_dir()]
    files = [(number, file) for number, person in enumerate(people) for file in pictures_in(person)]
    faces = encode_all([file for _, file in files], [f"{number}" for number, _ in files])
    encodings, owners = faces.encode(POLICIES["mirror"]), np.array([number for number, _ in files])
    if keep is not None:
        np.savez(keep, encodings=encodings, owners=owners)
    return encodings, owners


if __name__ == "__main__":
    sys.exit(main())
