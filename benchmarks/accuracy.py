"""How well each encoding policy tells people apart: one to one, and one to many with a gallery of strangers.

One to one: the pairs of `LFW/pairs.csv`. Accuracy is by ten-fold cross-validation of the threshold. True
pairs are accepted at distances that accept one in 1,000 and one in 10,000 of all impostor pairs. One to
many: galleries of 100 people drawn at random. Live faces and enrolment pictures have a policy each, as in a
site file. A stranger who is taken for anybody is a false accept. `benchmarks.precisions` adds what int8 and
bfloat16 cost.

    python -m benchmarks.accuracy --lfw FOLDER [--strangers FOLDER] [--quick] [--json FILE]
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.face_folders import (
    Faces,
    Floats,
    Pairs,
    calibration_people,
    encode_all,
    load_pairs,
    pictures_in,
)
from benchmarks.precisions import show_precisions
from benchmarks.report import Cell, Goal, Report, parser
from turnstile.people.calibration import Admissions, Pictures, admissions, distance_for, false_accepts
from turnstile.people.crowding import crowding
from turnstile.people.encodings import distances_between
from turnstile.people.gallery import means
from turnstile.vision.encode.encoder import POLICIES

FOLDS = 10
GALLERY_SIZE = 100
GALLERIES = 40
PICTURES_A_PERSON = 3
RESAMPLES = 1000
MARGINS = (0.0, 0.04)
RATES = (0.01, 0.003, 0.001)
WAYS = (
    ("raw", "raw", False),
    ("mirror", "mirror", True),
    ("mirror", "paddings", False),
    ("mirror", "paddings", True),
    ("paddings", "paddings", True),
)
"""Live policy, enrolment policy, and whether a person is the mean of the pictures or each of them."""

QUICK_PAIRS = 150

GAINS = {
    "unit": (0.0007, 0.024, 0.089),
    "mirror": (0.0022, 0.037, 0.120),
    "paddings": (0.0024, 0.042, 0.139),
}
"""What a trial on LFW's ten folds gained over raw: accuracy, true accepts at 1e-3 and at 1e-4."""


@dataclass(frozen=True, kw_only=True)
class OneToOne:
    """How a policy does on pairs."""

    accuracy: float
    accepts_at_1e3: float
    accepts_at_1e4: float
    distance_at_1e3: float
    distance_at_1e4: float


def one_to_one(encodings: Floats, people: Sequence[str], pairs: Pairs) -> OneToOne:
    """Return the figures of a policy whose encodings these are."""
    distances = np.linalg.norm(encodings[pairs.first] - encodings[pairs.second], axis=1)
    true_pairs = distances[pairs.same]
    at_1e3, at_1e4 = impostor_quantiles(encodings, people, (1e-3, 1e-4))
    return OneToOne(
        accuracy=cross_validated(distances, pairs.same),
        accepts_at_1e3=float((true_pairs <= at_1e3).mean()),
        accepts_at_1e4=float((true_pairs <= at_1e4).mean()),
        distance_at_1e3=at_1e3,
        distance_at_1e4=at_1e4,
    )


def cross_validated(distances: Floats, same: npt.NDArray[np.bool_]) -> float:
    """Return the mean accuracy over folds, each at the threshold that is best on the others."""
    fold = np.arange(len(distances)) % FOLDS
    thresholds = np.unique(distances)
    scores = []
    for held_out in range(FOLDS):
        train, test = fold != held_out, fold == held_out
        right = [np.mean((distances[train] <= threshold) == same[train]) for threshold in thresholds[::5]]
        best = thresholds[::5][int(np.argmax(right))]
        scores.append(float(np.mean((distances[test] <= best) == same[test])))
    return float(np.mean(scores))


def impostor_quantiles(encodings: Floats, people: Sequence[str], rates: Sequence[float]) -> list[float]:
    """Return the distances below which these shares of all pairs of different people lie."""
    owners = np.unique(np.asarray(people), return_inverse=True)[1]
    found = []
    for at in range(0, len(encodings), 512):
        rows = slice(at, at + 512)
        distances = distances_between(encodings[rows], encodings)
        later = np.arange(len(encodings))[None] > np.arange(at, at + len(distances))[:, None]
        found.append(distances[later & (owners[rows, None] != owners[None])])
    return [float(value) for value in np.quantile(np.concatenate(found), rates)]


@dataclass(frozen=True, kw_only=True)
class OneToMany:
    """Trials of strangers and of enrolled people against galleries."""

    strangers: Admissions
    members: Floats
    """For each, the distance from which on the person is recognised as themselves; infinite where never."""


def one_to_many(
    faces: Faces,
    strangers: Faces | None,
    *,
    live: str,
    enrolled: str,
    averaged: bool,
    margin: float,
    min_pictures: int,
) -> OneToMany:
    """Return trials against galleries drawn at random: the same ones for every policy and margin.

    Each gallery enrols people by at least `min_pictures` and at most `PICTURES_A_PERSON` pictures; one more
    is kept out as the live one. Strangers are everybody else, and the pictures of the second folder.
    """
    live_encodings, enrol_encodings = faces.encode(POLICIES[live]), faces.encode(POLICIES[enrolled])
    others = None if strangers is None else strangers.encode(POLICIES[live])
    people = np.asarray(faces.people)
    names, counts = np.unique(people, return_counts=True)
    random = np.random.default_rng(2026)
    stranger_trials, member_trials = [], []
    for _ in range(GALLERIES):
        members = random.choice(names[counts > min_pictures], GALLERY_SIZE, replace=False)
        rows = [
            random.permutation(np.flatnonzero(people == name))[: PICTURES_A_PERSON + 1] for name in members
        ]
        enrolled_rows = np.concatenate([own[1:] for own in rows])
        gallery = Pictures(
            persons=tuple(people[enrolled_rows]),
            files=tuple("" for _ in enrolled_rows),
            encodings=enrol_encodings[enrolled_rows],
            averaged=averaged,
        )
        outside = random.choice(np.flatnonzero(~np.isin(people, members)), 500, replace=False)
        unknown = (
            live_encodings[outside] if others is None else np.concatenate([live_encodings[outside], others])
        )
        stranger_trials.append(admissions(gallery, unknown, min_margin=margin))
        own_rows = np.asarray([own[0] for own in rows])
        member_trials.append(recognised_from(gallery, people[own_rows], live_encodings[own_rows], margin))
    tried = Admissions(*(np.concatenate(parts) for parts in zip(*stranger_trials, strict=True)))
    return OneToMany(strangers=tried, members=np.concatenate(member_trials))


def recognised_from(gallery: Pictures, names: npt.NDArray[np.str_], live: Floats, margin: float) -> Floats:
    """Return for each live face the distance from which on it is taken for its own person."""
    persons, encodings = np.asarray(gallery.persons), gallery.encodings
    if gallery.averaged:
        persons, owners = np.unique(persons, return_inverse=True)
        encodings = means(encodings, owners)
    distances = np.linalg.norm(live[:, None] - encodings[None], axis=2)
    if gallery.averaged:
        distances += crowding(live)[:, None] + crowding(encodings)[None]
    own = persons[None] == names[:, None]
    to_own = np.where(own, distances, np.inf).min(axis=1)
    to_other = np.where(own, np.inf, distances).min(axis=1)
    return np.asarray(np.where(to_other - to_own >= margin, to_own, np.inf), np.float32)


def show_one_to_one(report: Report, faces: Faces, pairs: Pairs) -> Mapping[str, OneToOne]:
    """Print the table of policies."""
    figures = {
        name: one_to_one(faces.encode(policy), faces.people, pairs) for name, policy in POLICIES.items()
    }
    report.table(
        f"One to one: {len(pairs.same)} pairs, {len(faces.people)} pictures",
        ["policy", "chips", "accuracy", "accepted at 1e-3", "at 1e-4", "distance at 1e-3", "at 1e-4"],
        [
            [
                name,
                POLICIES[name].chips,
                f"{one.accuracy:.4f}",
                f"{one.accepts_at_1e3:.3f}",
                f"{one.accepts_at_1e4:.3f}",
                f"{one.distance_at_1e3:.3f}",
                f"{one.distance_at_1e4:.3f}",
            ]
            for name, one in figures.items()
        ],
    )
    report.note(f"No face was found in {faces.undetected} pictures; there the middle was taken for one.")
    return figures


def show_gains(report: Report, figures: Mapping[str, OneToOne]) -> None:
    """Print whether the policies gain over raw here what they gained in the trial."""
    raw = figures["raw"]
    for policy, (accuracy, at_1e3, at_1e4) in GAINS.items():
        own = figures[policy]
        for what, gained, wanted in (
            ("accuracy", own.accuracy - raw.accuracy, accuracy),
            ("true accepts at 1e-3", own.accepts_at_1e3 - raw.accepts_at_1e3, at_1e3),
            ("true accepts at 1e-4", own.accepts_at_1e4 - raw.accepts_at_1e4, at_1e4),
        ):
            report.goal(Goal(what=f"{policy} over raw, {what}", unit="", measured=gained, at_least=wanted))


def show_chance(report: Report, faces: Faces, pairs: Pairs) -> None:
    """Print how far the gains could lie from those of other pairs of the same kind, by resampling them."""
    random = np.random.default_rng(2026)
    draws = random.integers(0, len(pairs.same), (RESAMPLES, len(pairs.same)))
    right, accepted = {}, {}
    for name in ("raw", *GAINS):
        encodings = faces.encode(POLICIES[name])
        distances = np.linalg.norm(encodings[pairs.first] - encodings[pairs.second], axis=1)
        best = max(distances, key=lambda threshold: np.mean((distances <= threshold) == pairs.same))
        (strict,) = impostor_quantiles(encodings, faces.people, (1e-3,))
        right[name] = (distances <= best) == pairs.same
        accepted[name] = (distances <= strict) & pairs.same
    rows: list[list[Cell]] = []
    for name in GAINS:
        gained = right[name].astype(float) - right["raw"]
        admitted = accepted[name].astype(float) - accepted["raw"]
        trues = pairs.same[draws].sum(axis=1)
        bounds = [
            *np.quantile(gained[draws].mean(axis=1), (0.025, 0.975)),
            *np.quantile(admitted[draws].sum(axis=1) / trues, (0.025, 0.975)),
        ]
        rows.append([name, *(f"{bound:+.4f}" for bound in bounds)])
    report.table(
        f"Gains over raw on {RESAMPLES} resamples of the pairs, at the best threshold and at 1e-3",
        ["policy", "accuracy, 2.5 %", "97.5 %", "true accepts, 2.5 %", "97.5 %"],
        rows,
    )


def show_one_to_many(report: Report, faces: Faces, strangers: Faces | None, *, min_pictures: int) -> None:
    """Print, for each policy, margin and rate, the distance and how many enrolled people it recognises."""
    rows: list[list[Cell]] = []
    for live, enrolled, averaged in WAYS:
        for margin in MARGINS:
            trials = one_to_many(
                faces,
                strangers,
                live=live,
                enrolled=enrolled,
                averaged=averaged,
                margin=margin,
                min_pictures=min_pictures,
            )
            for rate in RATES:
                distance = distance_for(trials.strangers, rate=rate)
                if distance is None:
                    continue
                got = false_accepts(trials.strangers, max_distance=distance)
                known = float((trials.members <= distance).mean())
                rows.append(
                    [
                        f"{live} / {enrolled}",
                        "mean" if averaged else "nearest",
                        margin,
                        rate,
                        f"{distance:.3f}",
                        f"{got.at_most:.4f}",
                        f"{known:.3f}",
                    ]
                )
    report.table(
        f"One to many, one frame: {GALLERIES} galleries of {GALLERY_SIZE} people,"
        f" each with {min_pictures} to {PICTURES_A_PERSON} pictures",
        [
            "live / enrolled",
            "pictures",
            "margin",
            "strangers let in",
            "distance",
            "at most (95 %)",
            "enrolled recognised",
        ],
        rows,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    arguments = parser(__doc__)
    arguments.add_argument("--lfw", type=Path, required=True)
    arguments.add_argument("--strangers", type=Path)
    options = arguments.parse_args(argv)
    report = Report("accuracy", options)
    files, pairs = load_pairs(options.lfw, limit=QUICK_PAIRS if options.quick else None)
    faces = encode_all(files, [file.parent.name for file in files])
    strangers = None
    if options.strangers is not None:
        pictures = pictures_in(options.strangers)[: 20 if options.quick else None]
        strangers = encode_all(pictures, [picture.stem for picture in pictures])
    figures = show_one_to_one(report, faces, pairs)
    if not options.quick:
        show_gains(report, figures)
        show_chance(report, faces, pairs)
        left_out = [folder.name for folder in calibration_people(options.lfw)]
        show_precisions(report, faces, pairs, left_out=left_out)
        for min_pictures in (1, PICTURES_A_PERSON):
            show_one_to_many(report, faces, strangers, min_pictures=min_pictures)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
