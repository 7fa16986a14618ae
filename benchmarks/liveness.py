"""How many pictures of people pass for living ones, and how many living people do not, with intervals.

A folder holds one folder for each kind: `live`, and attacks by any other name. In them lie clips of one face
each, or a folder for each person with that person's clips. With `--stills` attacks are made besides: a
picture of each person is moved on a plane before a camera, tilted, bent, lit by a lamp that wanders, walked
up with and shaken. With `--replays` the living clips are shown on such a plane again. Each clip is cut into
windows of 2.4 s at ten results a second, and judged as a door with `liveness: passive` does: by the spread of
the encodings, by the answers of the owner's network (`--network`), and by both.

Both bounds are also set on half of the people and reported on the others, several times.

    python -m benchmarks.liveness FOLDER [--network FILE] [--stills FOLDER] [--replays] [--people 40]

Clopper-Pearson intervals need quantiles of the beta distribution. scipy has them and weighs 100 MB, for one
number; here they are found by bisecting the binomial sum, which is exact.
"""

import argparse
import hashlib
import math
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.moved_stills import KINDS, frames_of
from benchmarks.report import Cell, Report, parser
from turnstile.liveness import sequence
from turnstile.liveness.sequence import MOST_FRAMES, FaceSequence, is_alive, with_face
from turnstile.protocol.fields import Box
from turnstile.protocol.messages import Face
from turnstile.site.document import build
from turnstile.vision.encode.liveness import AliveNetwork
from turnstile.vision.engines.engine import Engine
from turnstile.vision.engines.selection import make_engine

RATE = 10.0
LIVE = "live"
NEAR = 0.5
"""Frames of a clip are of one face as long as it moves less than so many widths between two."""

RECOGNISED_WITHIN = 0.32
"""Farther from the window's mean, a frame would not recognise the person, so it does not count."""

SPREADS = tuple(round(0.05 + 0.0025 * step, 4) for step in range(21))
ANSWERS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
SPLITS = 10
REPLAY = "replay"
CLIPS = {".mkv", ".mp4", ".avi", ".mov", ".webm", ".gif"}
PICTURES = {".jpg", ".jpeg", ".png"}

Picture = npt.NDArray[np.uint8]
Window = tuple[Face, ...]
"""The faces of one visit, ten a second."""


class Clip(NamedTuple):
    """One clip's windows, and whose face it shows."""

    person: str
    windows: tuple[Window, ...]


class Bounds(NamedTuple):
    """From where on a face is alive."""

    spread: float = sequence.ALIVE_SPREAD
    """0: whatever the spread."""
    answers: float | None = sequence.LEAST_ALIVE
    """`None`: the network is not asked."""


SPREAD_ALONE = Bounds(answers=None)
NETWORK_ALONE = Bounds(spread=0.0)


class Eyes(NamedTuple):
    """What looks at frames."""

    engine: Engine
    network: AliveNetwork | None


class Rate(NamedTuple):
    """How many of how many, with the bounds of its exact interval of 95 %."""

    part: int
    whole: int

    @property
    def interval(self) -> tuple[float, float]:
        """Return the bounds by Clopper and Pearson."""
        low = _bisect(lambda p: 1 - _at_most(self.part - 1, self.whole, p) - 0.025) if self.part else 0.0
        high = (
            _bisect(lambda p: 0.025 - _at_most(self.part, self.whole, p)) if self.part < self.whole else 1.0
        )
        return low, high

    def __str__(self) -> str:
        if not self.whole:
            return "-"
        low, high = self.interval
        return f"{self.part}/{self.whole} ({low:.2f} to {high:.2f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and return 0."""
    made = parser(__doc__)
    made.add_argument("folder", type=Path, help="folders of clips: live, and attacks by other names")
    made.add_argument("--network", type=Path, metavar="FILE", help="MiniFASNetV2's file, the owner's")
    made.add_argument("--stills", type=Path, help="a folder of pictures, one person each, to make attacks of")
    made.add_argument("--replays", action="store_true", help="show the living clips on a plane, too")
    made.add_argument("--people", type=int, default=40, help="pictures used for each kind of attack")
    options = made.parse_args(sys.argv[1:] if argv is None else argv)
    report = Report("liveness", options)
    site = build({"site": "liveness", "cameras": {"clip": {"source": 0}}})
    network = options.network and AliveNetwork(options.network, sha256=sha256_of(options.network))
    clips = read_all(options, Eyes(make_engine(site.recognition), network))
    report_kinds(report, clips, asked=network is not None)
    report_splits(report, clips, asked=network is not None)
    return report.finish()


def sha256_of(file: Path) -> str:
    """Return the hash of whatever weights are to be measured."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def read_all(options: argparse.Namespace, eyes: Eyes) -> Mapping[str, list[Clip]]:
    """Return the clips of each kind, those that lie there and those made."""
    clips: dict[str, list[Clip]] = defaultdict(list)
    for folder in sorted(path for path in options.folder.iterdir() if path.is_dir()):
        for path in sorted(one for one in folder.rglob("*") if one.suffix.lower() in CLIPS):
            person = path.relative_to(folder).parts[0]
            clips[folder.name].append(Clip(person, tuple(windows(every_frame(path), eyes))))
            if options.replays and folder.name == LIVE:
                clips[REPLAY] += shown_again(path, list(every_frame(path)), "tilt", eyes, person=person)
    people = 4 if options.quick else options.people
    for kind in KINDS if options.stills else ():
        for path in stills(options.stills, people):
            still = cv2.imread(str(path))
            if still is not None:
                frames = [np.asarray(still, np.uint8)] * MOST_FRAMES
                clips[kind] += shown_again(path, frames, kind, eyes, person=path.name)
    return clips


def shown_again(path: Path, pictures: Sequence[Picture], kind: str, eyes: Eyes, *, person: str) -> list[Clip]:
    """Return the clip of pictures shown on a plane; none where the first has no face."""
    boxes = eyes.engine.analyse(jpeg_of(pictures[0])).boxes_px
    if not boxes:
        return []
    shown = frames_of(pictures, boxes[0], kind, seed=zlib.crc32(f"{kind} {path.name}".encode()))
    return [Clip(person, tuple(windows(shown, eyes)))]


def jpeg_of(frame: Picture) -> bytes:
    """Return a frame as cameras send it."""
    return bytes(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())


def stills(folder: Path, count: int) -> list[Path]:
    """Return pictures of different people, spread over the folder."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    return found[:: max(1, len(found) // count)][:count]


def every_frame(path: Path) -> Iterator[Picture]:
    """Give the frames of a clip, ten a second."""
    clip = cv2.VideoCapture(str(path))
    fps = clip.get(cv2.CAP_PROP_FPS) or RATE
    step = max(1, round(fps / RATE))
    count = 0
    while (read := clip.read())[0]:
        if count % step == 0:
            yield np.asarray(read[1], np.uint8)
        count += 1
    clip.release()


def windows(frames: Iterable[Picture], eyes: Eyes) -> Iterator[Window]:
    """Give the windows of the biggest face of a clip."""
    faces: list[Face] = []
    for frame in frames:
        analysis = eyes.engine.analyse(jpeg_of(frame))
        if len(analysis.encodings) and (not faces or _is_near(faces[-1].box_px, analysis.boxes_px[0])):
            box_px, picture = analysis.boxes_px[0], analysis.picture_rgb
            alive = None if eyes.network is None or picture is None else eyes.network.alive(picture, box_px)
            encoding = analysis.encodings[0].astype("<f4").tobytes()
            faces.append(Face(box_px=box_px, encoding=encoding, alive=alive))
    for at in range(0, len(faces), MOST_FRAMES):
        window = recognised(faces[at : at + MOST_FRAMES])
        if len(window) >= sequence.LEAST_FRAMES:
            yield window


def recognised(faces: Sequence[Face]) -> Window:
    """Return the faces near the mean of all: the others would not be recognised as that person."""
    rows = np.array([np.frombuffer(face.encoding, "<f4") for face in faces])
    near = np.linalg.norm(rows - rows.mean(axis=0), axis=1) <= RECOGNISED_WITHIN
    return tuple(face for face, is_near in zip(faces, near, strict=True) if is_near)


def judged(window: Window, bounds: Bounds) -> tuple[bool, int]:
    """Tell whether a window's face is alive, and after how many frames that was known."""
    seen = FaceSequence()
    for at, face in enumerate(window):
        seen = with_face(seen, face, round((1 + at / RATE) * 1e9))
        alive = is_alive(
            seen,
            asked=bounds.answers is not None,
            alive_spread=bounds.spread,
            least_alive=bounds.answers or 0.0,
        )
        if alive is not None:
            return alive, at + 1
    return False, len(window)


def rate_of(clips: Iterable[Clip], bounds: Bounds, *, alive: bool) -> Rate:
    """Return how many windows are judged alive, or not."""
    verdicts = [judged(one, bounds)[0] for clip in clips for one in clip.windows]
    return Rate(sum(verdict is alive for verdict in verdicts), len(verdicts))


def report_kinds(report: Report, clips: Mapping[str, list[Clip]], *, asked: bool) -> None:
    """Report the errors of each kind at the bounds in use."""
    rules = (SPREAD_ALONE, NETWORK_ALONE, Bounds()) if asked else (SPREAD_ALONE,)
    rows: list[list[Cell]] = []
    for kind, ones in sorted(clips.items(), key=lambda item: (item[0] != LIVE, item[0])):
        wrong = [str(rate_of(ones, rule, alive=kind != LIVE)) for rule in rules]
        verdicts = [judged(window, rules[-1]) for clip in ones for window in clip.windows]
        frames = [known for alive, known in verdicts if alive]
        people = len({clip.person for clip in ones})
        rows.append([kind, people, *wrong, float(np.median(frames)) if frames else None])
    by = ("by spread", "by the network", "by both")[: len(rules)]
    report.table(
        f"Wrong: living people denied, and attacks taken for them; spread at least {sequence.ALIVE_SPREAD}, "
        f"mean answer of the network at least {sequence.LEAST_ALIVE}; intervals of 95 %",
        ("kind", "people", *by, "frames until alive, p50"),
        rows,
    )


def report_splits(report: Report, clips: Mapping[str, list[Clip]], *, asked: bool) -> None:
    """Set the bounds on half of the people, and report them on the others."""
    rows: list[list[Cell]] = []
    for split in range(SPLITS):
        halves = halved(clips, np.random.default_rng(split))
        chosen = best_bounds(halves[0], asked=asked)
        found = errors(halves[1], chosen)
        people = len({clip.person for clip in halves[1].get(LIVE, [])})
        rows.append([str(split), chosen.spread, chosen.answers, people, *map(str, found)])
    report.table(
        "Bounds set on half of the people, errors on the others, all kinds of moved stills pooled",
        (
            *("split", "spread", "answers", "living people"),
            *("windows denied", "moved stills passed", "replays passed"),
        ),
        rows,
    )


def halved(
    clips: Mapping[str, list[Clip]], dice: np.random.Generator
) -> tuple[dict[str, list[Clip]], dict[str, list[Clip]]]:
    """Return the clips of one half of the people of each kind, and those of the other.

    A person's replays lie in the half of that person's living clips.
    """
    living = {clip.person for clip in clips.get(LIVE, [])}
    chosen: set[str] = set()
    for group in (living, {clip.person for ones in clips.values() for clip in ones} - living):
        chosen |= set(dice.permutation(sorted(group))[: (len(group) + 1) // 2])
    one, other = (
        {kind: [clip for clip in ones if (clip.person in chosen) is first] for kind, ones in clips.items()}
        for first in (True, False)
    )
    return one, other


def best_bounds(clips: Mapping[str, list[Clip]], *, asked: bool) -> Bounds:
    """Return the largest bounds that each deny at most one in fifty living people."""

    def largest(bounds: Iterable[Bounds]) -> Bounds:
        first, *others = bounds
        denied = ((one, rate_of(clips.get(LIVE, []), one, alive=False)) for one in others)
        fits = [one for one, rate in denied if rate.part <= rate.whole * 0.02]
        return max(fits, default=first)

    spread = largest(Bounds(spread, None) for spread in SPREADS).spread
    return Bounds(spread, largest(Bounds(0.0, one) for one in ANSWERS).answers if asked else None)


def errors(clips: Mapping[str, list[Clip]], bounds: Bounds) -> tuple[Rate, Rate, Rate]:
    """Return how many living people are denied, and how many moved stills and replays are not."""
    attacks = [clip for kind, ones in clips.items() if kind not in (LIVE, REPLAY) for clip in ones]
    return (
        rate_of(clips.get(LIVE, []), bounds, alive=False),
        rate_of(attacks, bounds, alive=True),
        rate_of(clips.get(REPLAY, []), bounds, alive=True),
    )


def _is_near(before: Box, now: Box) -> bool:
    apart = abs(before.left + before.right - now.left - now.right) / 2
    return apart <= NEAR * before.width


def _at_most(part: int, whole: int, p: float) -> float:
    return math.fsum(math.comb(whole, k) * p**k * (1 - p) ** (whole - k) for k in range(part + 1))


def _bisect(rising: Callable[[float], float]) -> float:
    """Return where a rising function of 0 to 1 crosses 0."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


if __name__ == "__main__":
    sys.exit(main())
