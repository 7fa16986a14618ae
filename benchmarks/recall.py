"""Which faces the detectors find: small ones, turned ones, half-covered ones; and what they take for faces.

Each portrait of a folder is placed on a canvas so that its face is of a known size and place, then tilted or
covered. Where the face is in the portrait is what HOG and the convolutional detector agree on at full size;
portraits without agreement are left out and counted. Detectors look for faces of 40 pixels and more, on one
core, and see the same pictures.

    taskset -c 1 python -m benchmarks.recall PORTRAITS [--quick] [--json FILE]
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import dlib
import numpy as np

from benchmarks.face_folders import pictures_in
from benchmarks.report import Cell, Report, parser, stay_on_one_core
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect.cnn import CnnDetector
from turnstile.vision.detect.hog import HogDetector
from turnstile.vision.detect.search import Detector, overlap
from turnstile.vision.models import cache

CANVAS_PX = (320, 240)
MIN_FACE_PX = 40
MIN_SCORE = 0.3
PORTRAITS = 60
SAME_PLACE = 0.3
GREY = (110, 110, 110)

Look = Callable[[PictureRgb], Sequence[Box]]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How a face is shown."""

    name: str
    face_px: int
    tilt_deg: float = 0.0
    covered: tuple[float, float, float, float] | None = None
    """Left, top, right and bottom of a grey block, in parts of the face's box."""


CONDITIONS = (
    Condition(name="80 px wide", face_px=80),
    Condition(name="60 px wide", face_px=60),
    Condition(name="45 px wide", face_px=45),
    Condition(name="80 px, tilted by 20 degrees", face_px=80, tilt_deg=20),
    Condition(name="80 px, tilted by 40 degrees", face_px=80, tilt_deg=40),
    Condition(name="80 px, mouth and nose covered", face_px=80, covered=(-0.1, 0.5, 1.1, 1.2)),
    Condition(name="80 px, one side covered", face_px=80, covered=(-0.1, -0.2, 0.5, 1.2)),
)


@dataclass(kw_only=True)
class Contender:
    """A detector and what it found."""

    name: str
    look: Look
    hits: list[bool] = field(default_factory=list)
    false: int = 0
    times_ms: list[float] = field(default_factory=list)

    def see(self, picture: PictureRgb, truth: Box) -> None:
        """Look at a picture and keep what came of it."""
        started = time.perf_counter()
        boxes = self.look(picture)
        self.times_ms.append((time.perf_counter() - started) * 1e3)
        there = [overlap(box, truth) > SAME_PLACE for box in boxes]
        self.hits.append(any(there))
        self.false += there.count(False)


def detectors() -> tuple[HogDetector, CnnDetector]:
    """Return ours."""
    cnn = CnnDetector(
        cache.detector(),
        cache.detector_windows(),
        min_face_px=MIN_FACE_PX,
        min_score=MIN_SCORE,
    )
    return HogDetector(min_face_px=MIN_FACE_PX, second_look=cnn), cnn


def contenders(hog: Detector, cnn: Detector) -> list[Contender]:
    """Return all that are compared, `face_recognition`'s way first."""
    dlibs = dlib.get_frontal_face_detector()

    def upsampled(picture: PictureRgb) -> list[Box]:
        return [
            Box(left=place.left(), top=place.top(), right=place.right() + 1, bottom=place.bottom() + 1)
            for place in dlibs(picture, 1)
        ]

    return [
        Contender(name="face_recognition's HOG", look=upsampled),
        Contender(name="our HOG", look=lambda picture: [found.box_px for found in hog.scan(picture)]),
        Contender(name="our CNN", look=lambda picture: [found.box_px for found in cnn.scan(picture)]),
    ]


def face_of(picture: PictureRgb, hog: Detector, cnn: Detector) -> Box | None:
    """Return where both detectors see the only face; none if they do not agree."""
    mine, theirs = hog.scan(picture), cnn.scan(picture)
    if len(mine) != 1 or len(theirs) != 1 or overlap(mine[0].box_px, theirs[0].box_px) <= SAME_PLACE:
        return None
    return mine[0].box_px


def shown(picture: PictureRgb, face: Box, condition: Condition) -> tuple[PictureRgb, Box]:
    """Return the canvas with the portrait under a condition, and the face's place on it."""
    covered = picture.copy()
    if condition.covered is not None:
        left, top, right, bottom = condition.covered
        corner = (round(face.left + left * face.width), round(face.top + top * face.height))
        other = (round(face.left + right * face.width), round(face.top + bottom * face.height))
        cv2.rectangle(covered, corner, other, GREY, -1)
    scale = condition.face_px / face.width
    middle = ((face.left + face.right) / 2, (face.top + face.bottom) / 2)
    width, height = CANVAS_PX
    turn = cv2.getRotationMatrix2D(middle, condition.tilt_deg, scale)
    turn[:, 2] += np.array([width / 2 - middle[0], height / 2 - middle[1]])
    canvas = cv2.warpAffine(covered, turn, CANVAS_PX, flags=cv2.INTER_AREA, borderValue=GREY)
    half = condition.face_px / 2
    truth = Box(
        left=round(width / 2 - half),
        top=round(height / 2 - half),
        right=round(width / 2 + half),
        bottom=round(height / 2 + half),
    )
    return np.asarray(canvas, np.uint8), truth


def portraits(folder: Path, limit: int) -> list[PictureRgb]:
    """Return at most `limit` pictures of a folder, evenly spread, none longer than 800 pixels."""
    files = pictures_in(folder)
    if not files:
        raise SystemExit(f"{folder} holds no pictures")
    found = []
    for file in files[:: max(1, len(files) // limit)][:limit]:
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise SystemExit(f"{file} is not a picture")
        scale = min(1.0, 800 / max(picture.shape[:2]))
        smaller = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found.append(np.asarray(smaller, np.uint8))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    arguments = parser(__doc__)
    arguments.add_argument("portraits", type=Path)
    options = arguments.parse_args(argv)
    stay_on_one_core()
    cv2.setNumThreads(1)
    report = Report("recall", options)
    hog, cnn = detectors()
    pictures = portraits(options.portraits, 4 if options.quick else PORTRAITS)
    faces = [(picture, face) for picture in pictures if (face := face_of(picture, hog, cnn)) is not None]
    rows: list[list[Cell]] = []
    names: list[str] = []
    for condition in CONDITIONS:
        everybody = contenders(hog, cnn)
        names = [one.name for one in everybody]
        for picture, face in faces:
            canvas, truth = shown(picture, face, condition)
            for contender in everybody:
                contender.see(canvas, truth)
        shares = [f"{statistics.fmean(one.hits):.3f}" for one in everybody]
        false = [one.false for one in everybody]
        times = [f"{statistics.median(one.times_ms):.1f}" for one in everybody]
        rows.append([condition.name, *shares, *false, *times])
    columns = [f"{what}, {name}" for what in ("found", "false", "ms") for name in names]
    report.table(
        f"{len(faces)} portraits on {CANVAS_PX[0]}x{CANVAS_PX[1]}, faces from {MIN_FACE_PX} pixels",
        ["face", *columns],
        rows,
    )
    report.note(
        f"{len(pictures) - len(faces)} portraits were left out: the detectors did not agree on one face."
    )
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
