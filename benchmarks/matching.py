"""How long finding the nearest person takes: the gallery's own product against faiss and the memory's speed.

Galleries of 1,000, 100,000 and 1,000,000 encodings, three a person, and frames of one and of eight faces;
with crowds counted, as by default, and by the plain distance, the only one that faiss knows. Times are
processor time on one thread. The limit is the time that reading the whole matrix once takes (a copy of it,
halved, since a copy also writes). faiss searches its exact index for as many encodings as are needed to see
a second person.

    python -m benchmarks.matching [--quick] [--json FILE]
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.report import Cell, Goal, Report, parse, stay_on_one_core
from turnstile.people.gallery import Gallery

SIZES = (1_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 100_000)
FACES = (1, 8)
PICTURES_A_PERSON = 3
ROUNDS = 7
NEIGHBOURS = PICTURES_A_PERSON + 1
"""Among so many nearest encodings there is one of a second person."""

Floats = npt.NDArray[np.float32]


def a_gallery(size: int, *, engine: str) -> Gallery:
    """Return a gallery of random encodings of unit length; raw ones are compared as faiss does."""
    owners = np.arange(size) // PICTURES_A_PERSON
    return Gallery(
        version="benchmark",
        engine=engine,
        persons=tuple(f"person {at}" for at in range(int(owners[-1]) + 1)),
        owners=owners.astype(np.intp),
        encodings=some_encodings(size, seed=1),
    )


def some_encodings(count: int, *, seed: int) -> Floats:
    """Return random encodings of unit length, float32 `(count, 128)`."""
    encodings = np.random.default_rng(seed).standard_normal((count, 128), np.float32)
    encodings /= np.linalg.norm(encodings, axis=1, keepdims=True)
    return encodings


def faiss_index(encodings: Floats) -> faiss.IndexFlatL2:
    """Return faiss's exact index of a gallery."""
    index = faiss.IndexFlatL2(encodings.shape[1])
    index.add(encodings)
    return index


def median_ms(*ways: Callable[[], object]) -> list[float]:
    """Return the median processor time of each way; they take turns, so that other work slows all alike."""
    times: list[list[float]] = [[] for _ in ways]
    for round_ in range(ROUNDS + 1):
        for at, way in enumerate(ways):
            started = time.process_time()
            way()
            if round_:
                times[at].append((time.process_time() - started) * 1e3)
    return [statistics.median(own) for own in times]


def agrees(gallery: Gallery, index: faiss.IndexFlatL2, faces: Floats) -> bool:
    """Tell whether both find the same nearest person at the same distance."""
    squares, rows = index.search(faces, NEIGHBOURS)
    return all(
        match.person == gallery.persons[gallery.owners[row[0]]]
        and abs((match.distance or 0.0) - float(np.sqrt(square[0]))) < 1e-3
        for match, square, row in zip(gallery.match(faces), squares, rows, strict=True)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = parse(__doc__, argv)
    stay_on_one_core()
    faiss.omp_set_num_threads(1)
    report = Report("matching", options)
    rows: list[list[Cell]] = []
    thousand_ms = hundred_thousand = float("nan")
    for size in QUICK_SIZES if options.quick else SIZES:
        gallery, plain = a_gallery(size, engine="mirror"), a_gallery(size, engine="mirror/raw")
        index = faiss_index(gallery.encodings)
        room = np.empty_like(gallery.encodings)
        for count in FACES:
            faces = some_encodings(count, seed=2)
            if not agrees(plain, index, faces):
                raise SystemExit(f"our match and faiss's differ at {size} encodings")
            ours, ours_plain, theirs, copy = median_ms(
                lambda: gallery.match(faces),  # noqa: B023 - called before the next round of the loop
                lambda: plain.match(faces),  # noqa: B023
                lambda: index.search(faces, NEIGHBOURS),  # noqa: B023
                lambda: np.copyto(room, gallery.encodings),  # noqa: B023
            )
            thousand_ms = ours if (size, count) == (SIZES[0], 1) else thousand_ms
            hundred_thousand = ours / theirs if (size, count) == (SIZES[1], 1) else hundred_thousand
            rows.append(
                [
                    f"{size:,}",
                    count,
                    *(f"{one:.3f}" for one in (ours, ours_plain, theirs, copy / 2)),
                    f"{ours / theirs:.2f}",
                ]
            )
    report.table(
        "Nearest and second-best person, ms",
        [
            "encodings",
            "faces",
            "Gallery.match",
            "plain",
            "faiss IndexFlatL2",
            "memory's limit",
            "ours / faiss",
        ],
        rows,
    )
    report.goal(Goal(what="one face among 1,000 encodings", unit="ms", measured=thousand_ms, at_most=0.5))
    what = "one face among 100,000 encodings, ours : faiss"
    report.goal(Goal(what=what, unit="", measured=hundred_thousand, at_most=1.0))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
