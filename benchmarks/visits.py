"""Whether visits on real clips are decided rightly, and how fast, with many other people enrolled.

Each clip is a visit. It is played to its end, after which nobody is in view, against two kinds of galleries:
its person enrolled from three frames of another clip of theirs, or somebody else of the clips enrolled in the
same way; the portraits are enrolled beside them, one person each. Then one person takes the place of another
without an empty frame between them, and two stand side by side, for each pair of clips of two people.

All of it is done at each of `RATES` results a second, or at one. The clips folder holds a `labels.csv` of
clip and person.

    python -m benchmarks.visits --clips FOLDER --portraits FOLDER [--engine accelerated] [--rate 10]
                                [--keep FILE] [--quick] [--json FILE]

With `--keep`, encodings are kept in that file and taken from it the next time.
"""

import argparse
import csv
import datetime as dt
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import numpy as np

from benchmarks.report import Cell, Goal, Report, parse, percentiles
from turnstile.access.decider import Decider, Now
from turnstile.errors import PictureError
from turnstile.people.gallery import Gallery, build_gallery, templates
from turnstile.people.risk import risk_of
from turnstile.protocol.fields import Box, Timings
from turnstile.protocol.messages import Access, Face, Result
from turnstile.site.document import build
from turnstile.site.settings import DecisionSettings, LockoutSettings, Site
from turnstile.vision.engines.engine import Engine
from turnstile.vision.engines.selection import make_engine

ENROLMENT_FRAMES = 3
GOAL_S, GRANT_GOAL_S = 0.7, 0.5
GOAL_RATE = 10.0
"""From so many results a second on, the goals hold."""
EMPTY_S = 3.0
RATES = (15.0, 10.0, 5.0, 3.0)
"""Results a second."""
SOMEBODY = "Somebody"
PORTRAIT_LONG_SIDE_PX = 1000
SIDE_BY_SIDE_PX = 400
LOCAL = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a clip, analysed."""

    at_s: float
    boxes_px: tuple[Box, ...]
    encodings: tuple[bytes, ...]
    turns: tuple[float, ...]
    sharpness: tuple[float, ...]


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """All encodings of a run."""

    encoding: str
    clips: dict[str, tuple[Look, ...]]
    portraits: dict[str, bytes]


class Visit(NamedTuple):
    """What came of a clip played against a gallery."""

    clip: str
    right: bool
    verdicts: tuple[Access, ...]
    began_ns: int


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and return 0."""
    options, own = options_of(argv)
    report = Report("visits", options)
    if own.clips is None or own.portraits is None:
        report.note("Nothing to measure: it needs --clips and --portraits.")
        return report.finish()
    site = build({"site": "clips", "cameras": {"clip": {"source": 0}}, "recognition": {"engine": own.engine}})
    material = prepared(site, own)
    people = labels(own.clips)
    for rate in [own.rate] if own.rate else RATES:
        trial = Trial(material=material, settings=site.decision, people=people, rate=rate)
        phases = range(1 if options.quick else trial.step)
        measure_visits(report, trial, phases)
        measure_pairs(report, trial, phases)
    return report.finish()


class Trial:
    """The clips, and how they are played."""

    def __init__(
        self, *, material: Material, settings: DecisionSettings, people: dict[str, str], rate: float
    ) -> None:
        self.material, self.people = material, people
        self.settings = msgspec.structs.replace(settings, lockout=LockoutSettings(max_denials=0))
        fps = 1 / (next(iter(material.clips.values()))[1].at_s or 1.0)
        self.step = max(1, round(fps / rate))
        self.rate = fps / self.step
        self._galleries: dict[str, Gallery] = {}

    def pairs(self, *, same: bool) -> Iterator[tuple[str, str]]:
        """Give the pairs of two clips, of one person or of two."""
        for clip in self.material.clips:
            for other in self.material.clips:
                if clip != other and (self.people[clip] == self.people[other]) is same:
                    yield clip, other

    def gallery(self, clip: str) -> Gallery:
        """Return the gallery of a clip's person, enrolled from that clip, and all portraits."""
        if clip not in self._galleries:
            clear = [look for look in self.material.clips[clip] if look.encodings]
            at = np.linspace(0, len(clear) - 1, ENROLMENT_FRAMES + 2)[1:-1]
            enrolled = [(SOMEBODY, clear[int(one)].encodings[0]) for one in at]
            portraits = [(name, encoding) for name, encoding in self.material.portraits.items()]
            pictures = build_gallery(self.material.encoding, [*enrolled, *portraits])
            self._galleries[clip] = templates(pictures, risk_of(self.settings))
        return self._galleries[clip]

    def looks(self, clip: str, phase: int) -> list[Look]:
        """Return the frames of a clip at the rate of results, beginning with a later one for each phase."""
        return list(self.material.clips[clip][phase :: self.step])

    def play(self, frames: Sequence[Sequence[Look]], enrolled: str) -> tuple[list[Access], int]:
        """Return the verdicts on frames with a clip's person enrolled, and when a face was seen."""
        return play(frames, self.gallery(enrolled), self.settings, rate=self.rate)


def play(
    frames: Sequence[Sequence[Look]], gallery: Gallery, settings: DecisionSettings, *, rate: float
) -> tuple[list[Access], int]:
    """Return the verdicts on frames, each of one or more looks side by side, and when a face was seen.

    After them nobody is in view for long enough to end the visit.
    """
    empty: list[Sequence[Look]] = [()] * round(EMPTY_S * rate)
    decider = Decider(settings=settings, encoding=gallery.engine)
    verdicts, began_ns = list[Access](), 0
    for seq, looks in enumerate([*frames, *empty]):
        at_ns = 1_000_000_000 + round(seq / rate * 1e9)
        faces = [face for place, look in enumerate(looks) for face in faces_of(look, gallery, place=place)]
        began_ns = began_ns or (at_ns if faces else 0)
        result = Result(
            token="",
            name="benchmark",
            instance="benchmark",
            camera="clip",
            seq=seq,
            captured_ns=at_ns,
            gallery_version=gallery.version,
            faces=tuple(faces),
            timings=Timings(),
        )
        now = Now(at_ns, at_ns, LOCAL)
        verdicts += decider.decide(result, came_ns=at_ns, age_s=1 / rate, now=now)
    return verdicts, began_ns


def measure_visits(report: Report, trial: Trial, phases: range) -> None:
    """Play every clip alone, its person enrolled or not."""
    rows: list[list[Cell]] = []
    decided_s: list[float] = []
    granted_s: list[float] = []
    wrong = false_grants = 0
    for clip in trial.material.clips:
        own = play_all(trial, clip, phases, same=True)
        strange = play_all(trial, clip, phases, same=False)
        granted = [one for visit in own for one in visit.verdicts if one.verdict == "granted"]
        grants = [one for visit in strange for one in visit.verdicts if one.verdict == "granted"]
        false_here = len(grants) + sum(one.person != SOMEBODY for one in granted)
        false_grants += false_here
        wrong += sum(not visit.right for visit in (*own, *strange))
        own_s, strange_s = times_s(own), times_s(strange)
        decided_s += own_s + strange_s
        granted_s += own_s
        distances = [one.distance for one in granted if one.distance is not None]
        margins = [one.margin for one in granted if one.margin is not None]
        rows.append(
            [
                clip,
                f"{sum(visit.right for visit in own)}/{len(own)}",
                f"{sum(visit.right for visit in strange)}/{len(strange)}",
                false_here,
                max(distances, default=None),
                min(margins, default=None),
                *percentiles(own_s, (50,)),
                *percentiles(strange_s, (50,)),
            ]
        )
    columns = ("clip", "own right", "strange right", "false grants", "distance at most", "margin at least")
    settings, rate = trial.settings, trial.rate
    report.table(
        f"Visits, {trial.material.encoding}, {len(trial.material.portraits)} portraits enrolled too, "
        f"{rate:g} results a second, distance at most {settings.max_distance}, margin {settings.min_margin}",
        (*columns, "s to grant", "s to denial"),
        rows,
    )
    report.goal(Goal(what="wrong visits", unit="", measured=wrong, at_most=0))
    report.goal(Goal(what="false grants", unit="", measured=false_grants, at_most=0))
    p50, p95 = percentiles(decided_s, (50, 95))
    report.note(
        f"From first face to verdict: p50 {p50:.2f} s, p95 {p95:.2f} s, of {len(decided_s)} verdicts."
    )
    if rate >= GOAL_RATE:
        to_grant = percentiles(granted_s, (50,))[0]
        report.goal(Goal(what="time from first face to verdict p50", unit="s", measured=p50, at_most=GOAL_S))
        report.goal(Goal(what="to a grant p50", unit="s", measured=to_grant, at_most=GRANT_GOAL_S))


def play_all(trial: Trial, clip: str, phases: range, *, same: bool) -> list[Visit]:
    """Play a clip against galleries in which its person is enrolled, or somebody else."""
    wanted = [("granted", SOMEBODY)] if same else [("denied", None)]
    visits: list[Visit] = []
    for played, enrolled in trial.pairs(same=same):
        for phase in phases if played == clip else ():
            verdicts, began_ns = trial.play([[look] for look in trial.looks(clip, phase)], enrolled)
            right = [(one.verdict, one.person) for one in verdicts] == wanted
            visits.append(Visit(clip, right, tuple(verdicts), began_ns))
    return visits


def measure_pairs(report: Report, trial: Trial, phases: range) -> None:
    """Let two people take each other's place, and stand side by side; one of them is enrolled."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    granted, denied = ("granted", SOMEBODY), ("denied", None)
    for known, stranger in trial.pairs(same=False):
        for enrolled in [one for first, one in trial.pairs(same=True) if first == known]:
            for phase in phases:
                first, second = trial.looks(known, phase), trial.looks(stranger, phase)
                scenes = {
                    "a stranger takes the place of somebody known": [[one] for one in (*first, *second)],
                    "somebody known takes the place of a stranger": [[one] for one in (*second, *first)],
                    "side by side": [list(both) for both in zip(first, second, strict=False)],
                }
                for name, frames in scenes.items():
                    verdicts, _ = trial.play(frames, enrolled)
                    found = sorted(((one.verdict, one.person) for one in verdicts), key=str, reverse=True)
                    counts[name][0] += found == [granted, denied]
                    counts[name][1] += 1
    report.table(
        f"Two people, {trial.rate:g} results a second, linked up to {trial.settings.link_distance}",
        ("scene", "both right", "of"),
        [[name, *pair] for name, pair in counts.items()],
    )
    wrong = sum(total - right for right, total in counts.values())
    report.goal(Goal(what="wrong scenes of two people", unit="", measured=wrong, at_most=0))


def times_s(visits: Sequence[Visit]) -> list[float]:
    """Return how long after the first face each visit was decided."""
    return [(one.verdicts[0].captured_ns - one.began_ns) / 1e9 for one in visits if one.verdicts]


def faces_of(look: Look, gallery: Gallery, *, place: int) -> list[Face]:
    """Return a frame's faces as a recognizer sends them, at one of several places side by side."""
    encodings = np.array([np.frombuffer(one, "<f4") for one in look.encodings]).reshape(-1, 128)
    right_px = place * SIDE_BY_SIDE_PX
    return [
        Face(
            box_px=msgspec.structs.replace(box, left=box.left + right_px, right=box.right + right_px),
            person=match.person,
            distance=match.distance,
            second_distance=match.second_distance,
            limit=match.limit,
            sharpness=look.sharpness[at],
            encoding=look.encodings[at],
            turn=look.turns[at],
        )
        for at, (box, match) in enumerate(zip(look.boxes_px, gallery.match(encodings), strict=True))
    ]


def prepared(site: Site, own: argparse.Namespace) -> Material:
    """Return the encodings of all clips and portraits, from the file that keeps them if there is one."""
    wanted = site.recognition.encoding
    if own.keep is not None and own.keep.exists():
        kept = msgspec.msgpack.decode(own.keep.read_bytes(), type=Material)
        if kept.encoding == wanted:
            return kept
    engine = make_engine(site.recognition)
    clips = {path.name: tuple(looks_at(path, engine)) for path in sorted(own.clips.glob("*.mkv"))}
    material = Material(encoding=wanted, clips=clips, portraits=dict(portraits_in(own.portraits, engine)))
    if own.keep is not None:
        own.keep.write_bytes(msgspec.msgpack.encode(material))
    return material


def looks_at(path: Path, engine: Engine) -> Iterator[Look]:
    """Give the frames of a clip, analysed."""
    clip = cv2.VideoCapture(str(path))
    fps, count = clip.get(cv2.CAP_PROP_FPS), 0
    while (read := clip.read())[0]:
        jpeg = cv2.imencode(".jpg", read[1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        analysis = engine.analyse(jpeg)
        yield Look(
            at_s=count / fps,
            boxes_px=analysis.boxes_px,
            encodings=tuple(row.astype("<f4").tobytes() for row in analysis.encodings),
            turns=analysis.turns,
            sharpness=analysis.sharpness,
        )
        count += 1
    clip.release()


def portraits_in(folder: Path, engine: Engine) -> Iterator[tuple[str, bytes]]:
    """Give the encodings of a folder's pictures; those that cannot be enrolled are left out."""
    for path in sorted(folder.iterdir()):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            continue
        scale = min(1.0, PORTRAIT_LONG_SIDE_PX / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        try:
            yield path.stem, engine.enrol(np.asarray(small, np.uint8)).encoding.astype("<f4").tobytes()
        except PictureError:
            continue


def labels(clips: Path) -> dict[str, str]:
    """Return who is in each clip."""
    with (clips / "labels.csv").open(newline="") as file:
        return {row["clip"]: row["person"] for row in csv.DictReader(file)}


def options_of(argv: Sequence[str] | None) -> tuple[argparse.Namespace, argparse.Namespace]:
    """Return the options all benchmarks have, and this one's."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("--engine", choices=("reference", "accelerated"), default="accelerated")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--keep", type=Path)
    own, rest = parser.parse_known_args(sys.argv[1:] if argv is None else argv)
    return parse(__doc__, rest), own


if __name__ == "__main__":
    sys.exit(main())
