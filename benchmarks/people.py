"""Does the gallery tell people apart whom nobody tuned it on, and is the stated risk the real one?

The people of a folder laid out as `NAME/NAME_0001.jpg` are halved several times. Typical faces and tables
(`turnstile.people.crowding`, `turnstile.people.risk`) are made anew from one half; galleries, their people's
other pictures, and strangers come from the other, and then the other way round. Each trial is one frame.

1. Recognised: who is nearest to their own template, within the distance at which 1 stranger in 1,000 is taken
   for somebody, by the plain distance and with crowds counted.
2. Promised: what share of strangers each person's own limit lets in, beside the share stated, without and
   with the cap of the defaults.
3. Each person: how false accepts fall on the people enrolled, at one rate for all of them together.
4. Alike: galleries and strangers from around one typical face, without and with stricter limits for it.
5. Tables: those made of everybody, which `turnstile.people.risk` ships.

    python -m benchmarks.people FOLDER [--keep FILE] [--quick] [--json FILE]
"""

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.face_folders import Floats, encode_all
from benchmarks.halves import Drawn, Fitted, Half, Shares, distances, draw, fit, halves, interval
from benchmarks.report import Cell, Goal, Report, parser
from turnstile.people.crowding import crowding_about
from turnstile.people.risk import Limits, Risk, limits, nearest_others
from turnstile.site.settings import UNIT_BOUNDS
from turnstile.vision.encode.encoder import POLICIES

SPLITS, GALLERIES = 5, 10
QUICK_PICTURES = 400
TWO_NAMES = {"Joseph_Blatter": "Sepp_Blatter"}
"""One man, whom LFW has under two names. As a stranger he is taken for himself, once in 1,000."""
MARGIN = UNIT_BOUNDS["min_margin"]
RATE = UNIT_BOUNDS["stranger_rate"]
NO_CAP = 0.40
RISKS = (
    Risk(0.01, NO_CAP, MARGIN),
    Risk(RATE, NO_CAP, MARGIN),
    Risk(RATE, UNIT_BOUNDS["max_distance"], MARGIN),
)
MOST_ENROLLED = 0.6
"""Share of a half."""
SMALL = 5
"""Galleries of 10 people for each of more."""
GOALS = {(100, 1): 0.74, (100, 3): 0.91, (500, 3): 0.67}
ENROLLED = 100
ALIKE, ALIKE_ENROLLED = 125, 50
"""People around one typical face, and how many of them are enrolled."""


class Fold(NamedTuple):
    """One half that was learnt from, and the other."""

    fitted: Fitted
    other: Half
    random: np.random.Generator


class Trial(NamedTuple):
    """One gallery's distances, plain or with crowds counted."""

    drawn: Drawn
    own: Floats
    """For each probe, to its own template; infinite where another is nearer."""
    nearest: Floats
    """For each stranger's picture, to the nearest template."""
    margins: Floats
    whom: npt.NDArray[np.intp]
    """Which template that is."""
    strangers: npt.NDArray[np.intp]
    """Whose picture it is, of everybody in the folder."""


def folds(whole: Half, splits: int) -> Iterator[Fold]:
    """Yield each half once as the one that is learnt from."""
    for split in range(splits):
        random = np.random.default_rng(2026 + split)
        one, other = halves(whole, random)
        yield Fold(fit(one, random), other, random)
        yield Fold(fit(other, random), one, random)


def tried(half: Half, drawn: Drawn, centres: Floats | None) -> Trial:
    """Return the distances of a gallery's trials."""
    to_members = distances(half.live[drawn.probes], drawn.templates, centres)
    own = to_members[np.arange(len(drawn.owners)), drawn.owners]
    apart = distances(half.live[drawn.strangers], drawn.templates, centres)
    nearest, second = np.partition(apart, 1, axis=1)[:, :2].T
    return Trial(
        drawn=drawn,
        own=np.where(own <= to_members.min(axis=1), own, np.float32(np.inf)),
        nearest=nearest,
        margins=second - nearest,
        whom=apart.argmin(axis=1),
        strangers=half.numbers[half.owners[drawn.strangers]],
    )


def distance_at(trials: Sequence[Trial], rate: float) -> float:
    """Return the distance at which this share of strangers is taken for somebody; each person weighs one."""
    nearest = np.concatenate([one.nearest for one in trials])
    weights = np.concatenate([1 / np.bincount(one.strangers)[one.strangers] for one in trials])
    order = np.argsort(nearest)
    reached = np.searchsorted(np.cumsum(weights[order]), rate * weights.sum())
    return float(nearest[order][max(0, reached - 1)])


def recognised(fold: Fold, drawn: Sequence[Drawn], centres: Floats | None) -> float:
    """Return the share of probes recognised where 1 stranger in 1,000 is taken for somebody."""
    trials = [tried(fold.other, one, centres) for one in drawn]
    return float((np.concatenate([one.own for one in trials]) <= distance_at(trials, RATE)).mean())


def show_recognised(report: Report, all_folds: Sequence[Fold], galleries: int) -> None:
    """Print who is recognised where 1 stranger in 1,000 is taken for somebody, and judge the goals."""
    rows: list[list[Cell]] = []
    means: dict[tuple[int, int], float] = {}
    for people, pictures in _sizes(all_folds, ((100, 1), (100, 2), (100, 3), (500, 1), (500, 3))):
        plain, counted = [], []
        for fold in all_folds:
            drawn = [draw(fold.other, people, pictures, fold.random) for _ in range(galleries)]
            plain.append(recognised(fold, drawn, None))
            counted.append(recognised(fold, drawn, fold.fitted.centres))
        cells = [f"{np.mean(one):.3f} ({min(one):.3f} to {max(one):.3f})" for one in (plain, counted)]
        means[people, pictures] = float(np.mean(counted))
        gain = f"{means[people, pictures] - np.mean(plain):+.3f}"
        rows.append([f"{people} people, up to {pictures}", *cells, gain])
    halves_tried = f"{len(all_folds)} halves, mean and range"
    report.table(
        f"Recognised where 1 stranger in 1,000 is taken for somebody: {halves_tried}",
        ["gallery, pictures each", "plain distance", "crowds counted", "gain"],
        rows,
    )
    for people, pictures in _sizes(all_folds, GOALS):
        what = f"recognised among {people} people with up to {pictures} pictures"
        report.goal(
            Goal(what=what, unit="", measured=means[people, pictures], at_least=GOALS[people, pictures])
        )


def _sizes(all_folds: Sequence[Fold], wanted: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return those numbers of people, and of pictures, that leave strangers in every half."""
    most = MOST_ENROLLED * min(len(one.other.rows) for one in all_folds)
    return [size for size in wanted if size[0] <= most]


def own_limits(drawn: Drawn, fold: Fold, risk: Risk, *, closer: bool = True) -> Limits:
    """Return each person's limit, by the tables of the other half."""
    crowded = crowding_about(drawn.templates, fold.fitted.centres)
    around = nearest_others(drawn.templates, np.arange(len(crowded)), crowded)
    if not closer:
        around = around._replace(close_couples=0)
    return limits(drawn.pictures, around, risk, tables=fold.fitted.tables)


class Judged(NamedTuple):
    """What the limits of one gallery do."""

    strangers: npt.NDArray[np.intp]
    taken: Shares
    """The share of each stranger's pictures taken for somebody."""
    recognised: npt.NDArray[np.bool_]
    """`(probes,)`."""
    loosest: float
    """The largest limit."""


def judged(trial: Trial, own: Limits) -> Judged:
    """Return what limits do in a trial."""
    hits = (trial.nearest <= own[trial.whom]) & (trial.margins >= MARGIN)
    known = trial.own <= own[trial.drawn.owners]
    return Judged(*by_stranger(trial, hits), known, float(own.max()))


def by_stranger(trial: Trial, hits: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], Shares]:
    """Return the strangers, and which share of each one's pictures are hits."""
    strangers, number = np.unique(trial.strangers, return_inverse=True)
    return strangers, np.asarray(np.bincount(number, hits) / np.bincount(number))


def promise_in_words(stated: float, found: Sequence[Judged]) -> list[Cell]:
    """Return the cells of stated and measured rates, and of who is recognised."""
    strangers = np.concatenate([one.strangers for one in found])
    taken = np.concatenate([one.taken for one in found])
    hits = np.asarray(np.bincount(strangers, taken), np.float64)
    trials = np.bincount(strangers)
    low, high = interval(hits[trials > 0], trials[trials > 0], np.random.default_rng(2026))
    known = np.concatenate([one.recognised for one in found]).mean()
    return [f"{stated:.2%}", f"{hits.sum() / trials.sum():.3%}", f"{low:.3%} to {high:.3%}", f"{known:.3f}"]


def show_promised(report: Report, all_folds: Sequence[Fold], galleries: int) -> None:
    """Print stated and measured stranger rates, and who is recognised."""
    rows: list[list[Cell]] = []
    for people, pictures in _sizes(all_folds, itertools.product((10, 100, 500), (1, 3))):
        found: dict[Risk, list[Judged]] = {risk: [] for risk in RISKS}
        for fold in all_folds:
            for _ in range(galleries * (SMALL if people == 10 else 1)):
                trial = tried(
                    fold.other, draw(fold.other, people, pictures, fold.random), fold.fitted.centres
                )
                for risk, own in found.items():
                    own.append(judged(trial, own_limits(trial.drawn, fold, risk)))
        for risk, own in found.items():
            cap = "none" if risk.max_distance == NO_CAP else f"{risk.max_distance:g}"
            loosest = f"{np.mean([one.loosest for one in own]):.3f}"
            told = promise_in_words(risk.stranger_rate, own)
            rows.append([f"{people} people, up to {pictures}", cap, loosest, *told])
    report.table(
        "Promised: strangers taken for somebody, limits by the tables of the half that is not tried",
        ["gallery, pictures each", "cap", "loosest limit", "stated", "measured", "95 %", "recognised"],
        rows,
    )


def show_each_person(report: Report, all_folds: Sequence[Fold], galleries: int) -> None:
    """Print how false accepts fall on people, by one plain distance, one with crowds, and own limits."""
    rows: list[list[Cell]] = []
    for pictures in (1, 3):
        shares: dict[str, list[Shares]] = {}
        for fold in all_folds:
            drawn = [draw(fold.other, ENROLLED, pictures, fold.random) for _ in range(galleries)]
            for name, found in _by_limit(fold, drawn):
                shares.setdefault(name, []).extend(found)
        for name, found in shares.items():
            people = np.sort(np.concatenate(found))[::-1]
            half_at = int(np.searchsorted(np.cumsum(people), people.sum() / 2)) + 1
            cells = [
                f"{people.sum() / len(found):.3%}",
                f"{np.quantile(people, 0.99):.3%}",
                f"{people[0]:.2%}",
            ]
            rows.append([f"up to {pictures}: {name}", *cells, f"{half_at / len(people):.1%}"])
    report.table(
        f"Each of {ENROLLED} people: strangers taken for them, in {len(all_folds) * galleries} galleries",
        ["pictures each: limit", "for anybody", "for 1 % at least", "for the worst", "half of all fall on"],
        rows,
    )


def _by_limit(fold: Fold, drawn: Sequence[Drawn]) -> Iterator[tuple[str, list[Shares]]]:
    """Yield, for each kind of limit at one rate for all, how many strangers are taken for each person."""
    own = [own_limits(one, fold, RISKS[1]) for one in drawn]
    counted = [tried(fold.other, one, fold.fitted.centres) for one in drawn]
    plain = [tried(fold.other, one, None) for one in drawn]
    hits = [one.nearest <= each[one.whom] for one, each in zip(counted, own, strict=True)]
    rate = float(np.mean([by_stranger(*one)[1].mean() for one in zip(counted, hits, strict=True)]))
    for name, trials in (("plain distance", plain), ("crowds counted", counted)):
        limit = distance_at(trials, rate)
        yield name, [_taken_for(one, one.nearest <= limit) for one in trials]
    yield "own limits", [_taken_for(*one) for one in zip(counted, hits, strict=True)]


def _taken_for(trial: Trial, hits: npt.NDArray[np.bool_]) -> Shares:
    """Return for each person enrolled the share of strangers taken for them; each stranger weighs one."""
    weights = 1 / np.bincount(trial.strangers)[trial.strangers]
    counts = np.bincount(trial.whom[hits], weights[hits], minlength=len(trial.drawn.people))
    return np.asarray(counts / weights.sum())


def show_alike(report: Report, all_folds: Sequence[Fold]) -> None:
    """Print what happens where people enrolled and strangers look alike."""
    rows: list[list[Cell]] = []
    for pictures in (1, 3):
        found: dict[bool, list[Judged]] = {False: [], True: []}
        for fold, half in _crowds(all_folds):
            trial = tried(half, draw(half, ALIKE_ENROLLED, pictures, fold.random), fold.fitted.centres)
            for closer, own in found.items():
                own.append(judged(trial, own_limits(trial.drawn, fold, RISKS[-1], closer=closer)))
        for closer, own in found.items():
            kind = "stricter" if closer else "as for others"
            rows.append([f"up to {pictures}: {kind}", *promise_in_words(RATE, own)])
    report.table(
        f"Alike: {ALIKE_ENROLLED} people, and strangers, of {ALIKE} around one typical face; with the cap",
        ["pictures each: limits", "stated", "measured", "95 %", "recognised"],
        rows,
    )


def show_tables(report: Report, whole: Half) -> None:
    """Print the tables that are made of everybody."""
    tables = fit(whole, np.random.default_rng(2026)).tables
    rows: list[list[Cell]] = []
    for pictures, (taken, missed) in enumerate(zip(tables.taken_for, tables.not_recognised, strict=True), 1):
        rows.append([f"{pictures}: taken for a person, in a million", *(f"{one:.3g}" for one in taken)])
        rows.append([f"{pictures}: not recognised, in a hundred", *(f"{one:.1f}" for one in missed)])
    report.table("Everybody", ["pictures", *(f"{one:g}" for one in tables.distances)], rows)
    report.note(f"In close couples: {', '.join(f'{one:.4f}' for one in tables.in_close_couples)}")


def _crowds(all_folds: Sequence[Fold]) -> Iterator[tuple[Fold, Half]]:
    """Yield the people nearest to each typical face."""
    for fold in all_folds:
        typical = distances(fold.other.live, fold.fitted.centres, None)
        for each in typical.T:
            mean = np.bincount(fold.other.owners, each) / fold.other.pictures
            yield fold, fold.other.of(np.argsort(mean)[:ALIKE])


def everybody_in(folder: Path, keep: Path | None, *, quick: bool) -> Half:
    """Return the people of a folder, from the file they are kept in if there is one."""
    if keep is not None and keep.is_file():
        kept = np.load(keep)
        return _everybody(kept["live"], kept["enrolled"], kept["owners"])
    people = sorted(path for path in folder.iterdir() if path.is_dir())
    files = [file for one in people for file in sorted(one.glob("*.jpg"))]
    if quick:
        files = files[:QUICK_PICTURES]
    faces = encode_all(files, [TWO_NAMES.get(file.parent.name, file.parent.name) for file in files])
    owners = np.unique(faces.people, return_inverse=True)[1]
    whole = _everybody(faces.encode(POLICIES["mirror"]), faces.encode(POLICIES["paddings"]), owners)
    if keep is not None:
        np.savez(keep, live=whole.live, enrolled=whole.enrolled, owners=whole.owners)
    return whole


def _everybody(live: Floats, enrolled: Floats, owners: npt.NDArray[np.intp]) -> Half:
    return Half(live, enrolled, owners, np.arange(int(owners.max()) + 1))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    arguments = parser(__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--keep", type=Path, metavar="FILE.npz", help="keep the encodings, or read them")
    options = arguments.parse_args(argv)
    report = Report("people", options)
    whole = everybody_in(options.folder, options.keep, quick=options.quick)
    galleries = 1 if options.quick else GALLERIES
    all_folds = list(folds(whole, 1 if options.quick else SPLITS))
    report.note(f"{len(whole.rows)} people, {len(whole.owners)} pictures; {galleries} galleries a half")
    show_recognised(report, all_folds, galleries)
    show_promised(report, all_folds, galleries)
    if _sizes(all_folds, [(ENROLLED, 1)]):
        show_each_person(report, all_folds, galleries)
        show_alike(report, all_folds)
    show_tables(report, whole)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
