"""Whether people who look alike are told apart: stills as visits, and look-alikes who take a place.

The people of a folder such as LFW are halved several times. On one half the largest distance is set at which
`STRANGER_RATE` of the strangers' frames are taken for one of 100 people. On the other half 100 people are
enrolled from up to three pictures. Another picture of each comes as a visit, and so does everybody else. Then
each person's nearest look-alike takes the person's place.

    python -m benchmarks.look_alikes --people FOLDER [--keep FILE] [--quick] [--json FILE]

With `--keep`, encodings are kept in that file (`.npz`) and taken from it the next time. Without, a picture
takes 0.13 s and a visit 0.2 s on one core.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.face_folders import encode_all
from benchmarks.report import Cell, Goal, Report, parse_with_people
from benchmarks.stills import Floats, encode_visits
from benchmarks.visits import RATES, Look, play
from turnstile.people.crowding import crowding
from turnstile.people.gallery import Gallery, build_gallery, templates
from turnstile.protocol.fields import Box
from turnstile.protocol.messages import Access
from turnstile.site.document import build
from turnstile.site.settings import DecisionSettings, LockoutSettings
from turnstile.vision.encode.encoder import POLICIES

ENCODING = "dlib-resnet-v1/mirror+paddings"
ENROLLED, PICTURES = 100, 3
STRANGER_RATE = 0.001
SPLITS = 4
PLACE = Box(left=280, top=180, right=350, bottom=250)
SHARP = 200.0


class Stills(NamedTuple):
    """A picture of each person as a visit, and what the person is enrolled from."""

    people: npt.NDArray[np.str_]
    visits: Floats
    """float32 `(people, frames, 128)`."""
    means: Floats
    """float32 `(people, 128)`: of up to `PICTURES` other pictures; zeros for who has none."""

    def of(self, chosen: npt.NDArray[np.intp]) -> "Stills":
        """Return some of the people."""
        return Stills(self.people[chosen], self.visits[chosen], self.means[chosen])


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and return 0."""
    options = parse_with_people(__doc__, argv)
    report = Report("look_alikes", options)
    if options.people is None:
        report.note("Nothing to measure: it needs --people.")
        return report.finish()
    stills = prepared(options.people, options.keep)
    dice = np.random.default_rng(1)
    splits: list[Split] = []
    for _ in range(1 if options.quick else SPLITS):
        shuffled = dice.permutation(len(stills.people))
        middle = len(shuffled) // 2
        limit = limit_of(stills.of(shuffled[:middle]))
        splits.append(Split(stills.of(shuffled[middle:]), limit))
    measure_visits(report, splits)
    measure_places(report, splits)
    return report.finish()


class Split:
    """One half of the people, some of them enrolled, at the limit that the other half set."""

    def __init__(self, stills: Stills, limit: float) -> None:
        self.stills = stills
        with_means = np.flatnonzero(np.any(stills.means != 0, axis=1))
        self.enrolled = with_means[:ENROLLED]
        self.strangers = np.setdiff1d(np.arange(len(stills.people)), self.enrolled)
        site = build(
            {"site": "stills", "cameras": {"door": {"source": 0}}, "decision": {"max_distance": limit}}
        )
        self.settings: DecisionSettings = msgspec.structs.replace(
            site.decision, lockout=LockoutSettings(max_denials=0)
        )
        pictures = [(str(stills.people[at]), stills.means[at].tobytes()) for at in self.enrolled]
        self.gallery: Gallery = templates(build_gallery(ENCODING, pictures))
        apart = distances(stills.visits[self.strangers].mean(axis=1), stills.means[self.enrolled])
        self.look_alikes = self.strangers[apart.argmin(axis=0)]

    def play(self, *who: int, rate: float = 10.0) -> list[Access]:
        """Return the verdicts on people who come one directly after the other."""
        looks = [look for at in who for look in looks_of(self.stills.visits[at])]
        return play([[look] for look in looks], self.gallery, self.settings, rate=rate)[0]

    def taken_at_once(self, at: int) -> bool:
        """Tell whether the first frame of a visit is taken for somebody."""
        (match,) = self.gallery.match(self.stills.visits[at, :1])
        second = match.second_distance or np.inf
        near = match.distance is not None and match.distance <= self.settings.max_distance
        return near and second - (match.distance or 0.0) >= self.settings.min_margin


def measure_visits(report: Report, splits: Sequence[Split]) -> None:
    """Play the visits of enrolled people, strangers and look-alikes."""
    rows: list[list[Cell]] = []
    for number, split in enumerate(splits, 1):
        own = [split.play(at) for at in split.enrolled]
        right = sum(
            [(one.verdict, one.person) for one in verdicts] == [("granted", str(split.stills.people[at]))]
            for at, verdicts in zip(split.enrolled, own, strict=True)
        )
        taken = [granted_as(split.play(at)) for at in split.strangers]
        alike = [granted_as(split.play(at)) for at in split.look_alikes]
        by_person = Counter(person for person in taken if person is not None)
        rows.append(
            [
                number,
                split.settings.max_distance,
                right / len(own),
                sum(map(split.taken_at_once, split.strangers)) / len(taken),
                sum(by_person.values()) / len(taken),
                max(by_person.values(), default=0) / len(taken),
                sum(person is not None for person in alike) / len(alike),
            ]
        )
    report.table(
        f"{ENROLLED} people enrolled from up to {PICTURES} pictures, {len(splits[0].strangers)} strangers; "
        f"limit set on the other half for {STRANGER_RATE:g} of strangers a frame",
        (
            "split",
            "limit",
            "recognised",
            "strangers, a frame",
            "granted, a visit",
            "as one person",
            "look-alikes granted",
        ),
        rows,
    )
    rate = float(np.mean([row[4] for row in rows]))
    report.goal(Goal(what="strangers granted a visit", unit="", measured=rate, at_most=2 * STRANGER_RATE))


def measure_places(report: Report, splits: Sequence[Split]) -> None:
    """Let each person's look-alike take the person's place."""
    counts: dict[float, Counter[str]] = defaultdict(Counter)
    for rate in RATES:
        for split in splits:
            for at, other in zip(split.enrolled, split.look_alikes, strict=True):
                person = str(split.stills.people[at])
                if granted_as(split.play(at, rate=rate)) == person:
                    counts[rate][outcome(split.play(at, other, rate=rate), person)] += 1
    columns = ("both right", "granted as the person", "granted as another", "one entry", "other")
    report.table(
        "The nearest look-alike takes the place of a person who was granted",
        ("results a second", *columns, "of"),
        [[rate, *(found[name] for name in columns), found.total()] for rate, found in counts.items()],
    )
    lost = sum(found["one entry"] for found in counts.values())
    report.goal(Goal(what="look-alikes without an entry", unit="", measured=lost, at_most=0))


def outcome(verdicts: Sequence[Access], person: str) -> str:
    """Return what the log says of a person and whoever took the place."""
    said = [(one.verdict, one.person) for one in verdicts]
    match said:
        case [("granted", first), ("denied", None)] if first == person:
            return "both right"
        case [("granted", first)] if first == person:
            return "one entry"
        case [("granted", first), ("granted", second)] if first == person:
            return "granted as the person" if second == person else "granted as another"
    return "other"


def granted_as(verdicts: Sequence[Access]) -> str | None:
    """Return whom somebody was granted as."""
    return next((one.person for one in verdicts if one.verdict == "granted"), None)


def looks_of(visit: Floats) -> Iterator[Look]:
    """Give the frames of a visit."""
    for encoding in visit:
        yield Look(
            at_s=0.0,
            boxes_px=(PLACE,),
            encodings=(encoding.tobytes(),),
            turns=(0.0,),
            sharpness=(SHARP,),
        )


def limit_of(half: Stills) -> float:
    """Return the distance at which strangers' frames are taken for one of the enrolled people."""
    enrolled = np.flatnonzero(np.any(half.means != 0, axis=1))
    apart = np.concatenate([distances(frames, half.means[enrolled]) for frames in half.visits.swapaxes(0, 1)])
    others = np.tile(np.arange(len(half.people)), half.visits.shape[1])[:, None] != enrolled[None]
    return round(float(np.quantile(apart[others], STRANGER_RATE / ENROLLED)), 4)


def distances(rows: Floats, columns: Floats) -> Floats:
    """Return `(rows, columns)` distances of unit encodings, crowds counted."""
    rows = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    squares = np.maximum(2 - 2 * rows @ columns.T, 0)
    return np.asarray(np.sqrt(squares) + crowding(rows)[:, None] + crowding(columns)[None], np.float32)


def prepared(folder: Path, keep: Path | None) -> Stills:
    """Return the encodings of a folder's people, from the file that keeps them if there is one."""
    if keep is not None and keep.exists():
        with np.load(keep) as kept:
            return Stills(kept["people"], kept["visits"], kept["means"])
    pictures = {
        person.name: sorted(person.glob("*.jpg")) for person in sorted(folder.iterdir()) if person.is_dir()
    }
    visits = encode_visits([files[-1] for files in pictures.values()])
    others = [(name, file) for name, files in pictures.items() for file in files[:-1][:PICTURES]]
    faces = encode_all([file for _, file in others], [name for name, _ in others])
    encodings = faces.encode(POLICIES["paddings"])
    owners = np.array(faces.people)
    means = np.zeros((len(pictures), encodings.shape[1]), np.float32)
    for at, name in enumerate(pictures):
        if (total := encodings[owners == name].sum(axis=0)).any():
            means[at] = total / np.linalg.norm(total)
    stills = Stills(np.array(list(pictures)), visits, means)
    if keep is not None:
        np.savez(keep, **stills._asdict())
    return stills


if __name__ == "__main__":
    sys.exit(main())
