"""Which faces the detectors find: small, turned, dark or half-covered ones; and what they take for faces.

Each portrait of a folder is placed on a canvas so that its face is of a known size and place. Then it is
tilted, covered, darkened or lit from one side. Where the face is in the portrait is what HOG and the
convolutional detector agree on at full size; portraits without agreement are left out and counted. Detectors
look for faces of 40 pixels and more, on one core, and see the same pictures. Times are processor time.

With `--frames` they also search pictures and every sixth frame of clips, in folders of any depth. A face
there is what at least two of them see, and a box that only one sees is listed as its own.

    taskset -c 1 python -m benchmarks.recall PORTRAITS [--frames FOLDER ...] [--quick] [--json FILE]
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import dlib
import numpy as np

from benchmarks.face_folders import pictures_in
from benchmarks.report import Report, parser, stay_on_one_core
from turnstile.protocol.fields import Box, overlap_of
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect.blazeface import BlazeFaceDetector
from turnstile.vision.detect.cnn import CnnDetector
from turnstile.vision.detect.hog import HogDetector
from turnstile.vision.detect.search import Detector
from turnstile.vision.models import cache

CANVAS_PX = (320, 240)
MIN_FACE_PX = 40
MIN_SCORE = 0.3
PORTRAITS = 60
SAME_PLACE = 0.3
GREY = (110, 110, 110)
DARK_SHARE = 0.18
SIDE_SHARE = 0.1
"""Light that is left in the dark, and on the side of the face that is turned from the lamp."""
NOISE = 4.0
Z = 1.96
CLIPS = {".mkv", ".mp4", ".avi", ".gif"}
EVERY = 6
FRAMES = 300
"""Most stills of a folder, and most frames of a clip."""

Look = Callable[[PictureRgb], Sequence[Box]]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How a face is shown."""

    name: str
    face_px: int
    tilt_deg: float = 0.0
    covered: tuple[float, float, float, float] | None = None
    """Left, top, right and bottom of a grey block, in parts of the face's box."""
    light: Literal["day", "dark", "side"] = "day"


CONDITIONS = (
    Condition(name="80 px wide", face_px=80),
    Condition(name="60 px wide", face_px=60),
    Condition(name="45 px wide", face_px=45),
    Condition(name="40 px wide", face_px=40),
    Condition(name="80 px, tilted by 20 degrees", face_px=80, tilt_deg=20),
    Condition(name="80 px, tilted by 40 degrees", face_px=80, tilt_deg=40),
    Condition(name="80 px, mouth and nose covered", face_px=80, covered=(-0.1, 0.5, 1.1, 1.2)),
    Condition(name="80 px, one side covered", face_px=80, covered=(-0.1, -0.2, 0.5, 1.2)),
    Condition(name="60 px, dark", face_px=60, light="dark"),
    Condition(name="60 px, lit from one side", face_px=60, light="side"),
)


@dataclass(kw_only=True)
class Contender:
    """A detector and what it found."""

    name: str
    look: Look
    hits: list[bool] = field(default_factory=list)
    false: int = 0
    times_ms: list[float] = field(default_factory=list)

    def boxes(self, picture: PictureRgb) -> Sequence[Box]:
        """Return what it finds in a picture, and keep the time."""
        started = time.process_time()
        found = self.look(picture)
        self.times_ms.append((time.process_time() - started) * 1e3)
        return found

    def see(self, picture: PictureRgb, truth: Box) -> None:
        """Look at a picture and keep what came of it."""
        there = [overlap_of(box, truth) > SAME_PLACE for box in self.boxes(picture)]
        self.hits.append(any(there))
        self.false += there.count(False)

    @property
    def found(self) -> str:
        """Return the share of faces that were found, and its 95 % interval after Wilson."""
        count = len(self.hits)
        if not count:
            return "none to find"
        share = statistics.fmean(self.hits)
        middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
        reach = Z / (1 + Z**2 / count) * (share * (1 - share) / count + Z**2 / (4 * count**2)) ** 0.5
        return f"{share:.3f} ({max(0.0, middle - reach):.3f} to {min(1.0, middle + reach):.3f})"

    @property
    def ms(self) -> str:
        """Return the median time."""
        return f"{statistics.median(self.times_ms):.1f}"


@dataclass(frozen=True, kw_only=True)
class Ours:
    """Our detectors."""

    hog: HogDetector
    cnn: CnnDetector
    blazeface: BlazeFaceDetector


def detectors() -> Ours:
    """Return ours."""
    cnn = CnnDetector(
        cache.detector(), cache.detector_windows(), min_face_px=MIN_FACE_PX, min_score=MIN_SCORE
    )
    return Ours(
        hog=HogDetector(min_face_px=MIN_FACE_PX, second_look=cnn),
        cnn=cnn,
        blazeface=BlazeFaceDetector(min_face_px=MIN_FACE_PX, second_look=cnn),
    )


def contenders(ours: Ours) -> list[Contender]:
    """Return all that are compared, `face_recognition`'s way first."""
    dlibs = dlib.get_frontal_face_detector()

    def upsampled(picture: PictureRgb) -> list[Box]:
        return [
            Box(left=place.left(), top=place.top(), right=place.right() + 1, bottom=place.bottom() + 1)
            for place in dlibs(picture, 1)
        ]

    def looks(detector: Detector) -> Look:
        return lambda picture: [found.box_px for found in detector.scan(picture)]

    return [
        Contender(name="face_recognition's HOG", look=upsampled),
        Contender(name="our HOG", look=looks(ours.hog)),
        Contender(name="our CNN", look=looks(ours.cnn)),
        Contender(name="BlazeFace", look=looks(ours.blazeface)),
    ]


def face_of(picture: PictureRgb, ours: Ours) -> Box | None:
    """Return where both detectors see the only face; none if they do not agree."""
    mine, theirs = ours.hog.scan(picture), ours.cnn.scan(picture)
    if len(mine) != 1 or len(theirs) != 1 or overlap_of(mine[0].box_px, theirs[0].box_px) <= SAME_PLACE:
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
    return lit(np.asarray(canvas, np.uint8), truth, condition), truth


def lit(canvas: PictureRgb, face: Box, condition: Condition) -> PictureRgb:
    """Return the canvas in the light of a condition; little light is noisy."""
    if condition.light == "day":
        return canvas
    columns = np.arange(canvas.shape[1])
    shares = np.interp(columns, (face.left, face.right), (1.0, SIDE_SHARE))
    light = np.full_like(shares, DARK_SHARE) if condition.light == "dark" else shares
    noise = np.random.default_rng(2026).normal(0, NOISE, canvas.shape)
    return np.clip(canvas * light[None, :, None] + noise, 0, 255).astype(np.uint8)


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


def frames(folders: Sequence[Path], limit: int) -> Iterator[PictureRgb]:
    """Give pictures and every sixth frame of clips in folders of any depth, at most `limit` of each."""
    for folder in folders:
        files = sorted(file for file in folder.rglob("*") if file.suffix in CLIPS)
        stills = sorted(folder.rglob("*.jpg"))
        for file in stills[:: max(1, len(stills) // limit)]:
            picture = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
            if picture is not None:
                yield np.asarray(picture, np.uint8)
        for file in files:
            yield from clip_frames(file, limit)


def clip_frames(file: Path, limit: int) -> Iterator[PictureRgb]:
    """Give every sixth frame of a clip."""
    clip = cv2.VideoCapture(str(file))
    number = 0
    while number < limit * EVERY and (read := clip.read())[0]:
        if number % EVERY == 0:
            yield np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), np.uint8)
        number += 1


def judge(picture: PictureRgb, everybody: Sequence[Contender]) -> None:
    """Let all look at a frame; a face is what at least two see."""
    seen = [contender.boxes(picture) for contender in everybody]
    faces: list[Box] = []
    for at, boxes in enumerate(seen):
        others = [box for other, there in enumerate(seen) if other != at for box in there]
        for box in boxes:
            if not any(overlap_of(box, other) > SAME_PLACE for other in others):
                everybody[at].false += 1
            elif not any(overlap_of(box, face) > SAME_PLACE for face in faces):
                faces.append(box)
    for contender, boxes in zip(everybody, seen, strict=True):
        contender.hits += [any(overlap_of(box, face) > SAME_PLACE for box in boxes) for face in faces]


def show_frames(report: Report, folder: Path, ours: Ours, *, limit: int) -> None:
    """Print what each detector finds in a folder."""
    everybody = contenders(ours)
    for picture in frames([folder], limit):
        judge(picture, everybody)
    if not everybody[0].times_ms:
        raise SystemExit(f"{folder} holds neither clips nor pictures")
    report.table(
        f"{folder.name}: {len(everybody[0].times_ms)} frames, {len(everybody[0].hits)} faces that two see",
        ["detector", "found (95 %)", "seen by it alone", "ms"],
        [[one.name, one.found, one.false, one.ms] for one in everybody],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    arguments = parser(__doc__)
    arguments.add_argument("portraits", type=Path)
    arguments.add_argument("--frames", type=Path, nargs="+", default=[], metavar="FOLDER")
    options = arguments.parse_args(argv)
    stay_on_one_core()
    cv2.setNumThreads(1)
    report = Report("recall", options)
    ours = detectors()
    pictures = portraits(options.portraits, 4 if options.quick else PORTRAITS)
    faces = [(picture, face) for picture in pictures if (face := face_of(picture, ours)) is not None]
    for condition in CONDITIONS:
        everybody = contenders(ours)
        for picture, face in faces:
            canvas, truth = shown(picture, face, condition)
            for contender in everybody:
                contender.see(canvas, truth)
        report.table(
            f"{condition.name}: {len(faces)} portraits on {CANVAS_PX[0]}x{CANVAS_PX[1]}",
            ["detector", "found (95 %)", "false", "ms"],
            [[one.name, one.found, one.false, one.ms] for one in everybody],
        )
    report.note(
        f"{len(pictures) - len(faces)} portraits were left out: the detectors did not agree on one face."
    )
    for folder in options.frames:
        show_frames(report, folder, ours, limit=2 if options.quick else FRAMES)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
