"""How many pictures of people pass for living ones, and how many living people do not, with intervals.

A folder holds one folder for each kind: `live`, and attacks by any other name. In them lie clips, or folders
of clips, each of one face. With `--stills` attacks are made besides: a picture of each person is moved on a
plane before a camera, tilted, bent, lit by a lamp that wanders, walked up with and shaken. With `--replays`
the living clips are shown on such a plane again. Each clip is cut into windows of 2.4 s at ten results a
second, and judged as a door with `liveness: passive` does.

The threshold is also set on half of the clips and reported on the others, several times.

    python -m benchmarks.liveness FOLDER [--stills FOLDER] [--replays] [--people 40] [--quick] [--json FILE]

Clopper-Pearson intervals need quantiles of the beta distribution. scipy has them and weighs 100 MB, for one
number; here they are found by bisecting the binomial sum, which is exact.
"""

import argparse
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
from turnstile.vision.engines.engine import Engine
from turnstile.vision.engines.selection import make_engine

RATE = 10.0
LIVE = "live"
NEAR = 0.5
"""Frames of a clip are of one face as long as it moves less than so many widths between two."""

RECOGNISED_WITHIN = 0.32
"""Farther from the window's mean, a frame would not recognise the person, so it does not count."""

SPREADS = tuple(round(0.05 + 0.0025 * step, 4) for step in range(21))
SPLITS = 10
CLIPS = {".mkv", ".mp4", ".avi", ".mov", ".webm", ".gif"}
PICTURES = {".jpg", ".jpeg", ".png"}

Picture = npt.NDArray[np.uint8]
Window = tuple[Face, ...]
"""The faces of one visit, ten a second."""


class Clip(NamedTuple):
    """One clip's windows."""

    name: str
    windows: tuple[Window, ...]


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
    made.add_argument("--stills", type=Path, help="a folder of pictures, one person each, to make attacks of")
    made.add_argument("--replays", action="store_true", help="show the living clips on a plane, too")
    made.add_argument("--people", type=int, default=40, help="pictures used for each kind of attack")
    options = made.parse_args(sys.argv[1:] if argv is None else argv)
    report = Report("liveness", options)
    site = build({"site": "liveness", "cameras": {"clip": {"source": 0}}})
    clips = read_all(options, make_engine(site.recognition))
    report_kinds(report, clips)
    report_splits(report, clips)
    return report.finish()


def read_all(options: argparse.Namespace, engine: Engine) -> Mapping[str, list[Clip]]:
    """Return the clips of each kind, those that lie there and those made."""
    clips: dict[str, list[Clip]] = defaultdict(list)
    for folder in sorted(path for path in options.folder.iterdir() if path.is_dir()):
        for path in sorted(one for one in folder.rglob("*") if one.suffix.lower() in CLIPS):
            clips[folder.name].append(Clip(path.name, tuple(windows(every_frame(path), engine))))
            if options.replays and folder.name == LIVE:
                clips["replay"] += shown_again(path, list(every_frame(path)), "tilt", engine)
    people = 4 if options.quick else options.people
    for kind in KINDS if options.stills else ():
        for path in stills(options.stills, people):
            still = cv2.imread(str(path))
            if still is not None:
                clips[kind] += shown_again(path, [np.asarray(still, np.uint8)] * MOST_FRAMES, kind, engine)
    return clips


def shown_again(path: Path, pictures: Sequence[Picture], kind: str, engine: Engine) -> list[Clip]:
    """Return the clip of pictures shown on a plane; none where the first has no face."""
    boxes = engine.analyse(jpeg_of(pictures[0])).boxes_px
    if not boxes:
        return []
    shown = frames_of(pictures, boxes[0], kind, seed=zlib.crc32(f"{kind} {path.name}".encode()))
    return [Clip(path.name, tuple(windows(shown, engine)))]


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


def windows(frames: Iterable[Picture], engine: Engine) -> Iterator[Window]:
    """Give the windows of the biggest face of a clip."""
    faces: list[Face] = []
    for frame in frames:
        analysis = engine.analyse(jpeg_of(frame))
        if len(analysis.encodings) and (not faces or _is_near(faces[-1].box_px, analysis.boxes_px[0])):
            encoding = analysis.encodings[0].astype("<f4").tobytes()
            faces.append(Face(box_px=analysis.boxes_px[0], encoding=encoding))
    for at in range(0, len(faces), MOST_FRAMES):
        window = recognised(faces[at : at + MOST_FRAMES])
        if len(window) >= sequence.LEAST_FRAMES:
            yield window


def recognised(faces: Sequence[Face]) -> Window:
    """Return the faces near the mean of all: the others would not be recognised as that person."""
    rows = np.array([np.frombuffer(face.encoding, "<f4") for face in faces])
    near = np.linalg.norm(rows - rows.mean(axis=0), axis=1) <= RECOGNISED_WITHIN
    return tuple(face for face, is_near in zip(faces, near, strict=True) if is_near)


def judged(window: Window, *, alive_spread: float) -> tuple[bool, int]:
    """Tell whether a window's face is alive, and after how many frames that was known."""
    seen = FaceSequence()
    for at, face in enumerate(window):
        seen = with_face(seen, face, round((1 + at / RATE) * 1e9))
        if is_alive(seen, alive_spread=alive_spread):
            return True, at + 1
    return False, len(window)


def rate_of(clips: Iterable[Clip], *, alive_spread: float, alive: bool) -> Rate:
    """Return how many windows are judged alive, or not."""
    verdicts = [judged(one, alive_spread=alive_spread)[0] for clip in clips for one in clip.windows]
    return Rate(sum(verdict is alive for verdict in verdicts), len(verdicts))


def report_kinds(report: Report, clips: Mapping[str, list[Clip]]) -> None:
    """Report the errors of each kind at the threshold in use."""
    rows: list[list[Cell]] = []
    for kind, ones in sorted(clips.items(), key=lambda item: (item[0] != LIVE, item[0])):
        wrong = rate_of(ones, alive_spread=sequence.ALIVE_SPREAD, alive=kind != LIVE)
        frames = [
            known
            for clip in ones
            for window in clip.windows
            for alive, known in [judged(window, alive_spread=sequence.ALIVE_SPREAD)]
            if alive
        ]
        rows.append([kind, len(ones), str(wrong), float(np.median(frames)) if frames else None])
    report.table(
        f"Wrong: living people denied, and attacks taken for them; spread at least {sequence.ALIVE_SPREAD}",
        ("kind", "clips", "wrong, interval of 95 %", "frames until alive, p50"),
        rows,
    )


def report_splits(report: Report, clips: Mapping[str, list[Clip]]) -> None:
    """Set the threshold on half of the clips of each kind, and report it on the others."""
    rows: list[list[Cell]] = []
    for split in range(SPLITS):
        dice = np.random.default_rng(split)
        halves: tuple[dict[str, list[Clip]], dict[str, list[Clip]]] = ({}, {})
        for kind, ones in clips.items():
            order = dice.permutation(len(ones))
            for half, places in zip(halves, np.array_split(order, 2), strict=True):
                half[kind] = [ones[at] for at in places]
        chosen = best_spread(halves[0])
        denied, passed = errors(halves[1], chosen)
        rows.append([str(split), chosen, str(denied), str(passed)])
    report.table(
        "Threshold set on half of the clips, errors on the others, all kinds of attack pooled",
        ("split", "spread", "living people denied", "attacks taken for living"),
        rows,
    )


def best_spread(clips: Mapping[str, list[Clip]]) -> float:
    """Return the largest threshold that denies at most one in fifty living people."""
    fits = [one for one in SPREADS if (rate := errors(clips, one)[0]).part <= rate.whole * 0.02]
    return max(fits, default=SPREADS[0])


def errors(clips: Mapping[str, list[Clip]], alive_spread: float) -> tuple[Rate, Rate]:
    """Return how many living people are denied and how many attacks are not."""
    attacks = [clip for kind, ones in clips.items() if kind != LIVE for clip in ones]
    denied = rate_of(clips.get(LIVE, []), alive_spread=alive_spread, alive=False)
    return denied, rate_of(attacks, alive_spread=alive_spread, alive=True)


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
