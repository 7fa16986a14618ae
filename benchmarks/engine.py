"""What finding and encoding faces costs, and what is found: `face_recognition` and our engines.

All of them see the same frames, one after the other and on one core. Times are processor time, so that
whatever else the machine does slows all alike. Frames are those of the clips in a folder, as JPEG of quality
85, ten a second. A face counts as there when two of three detectors see it: face_recognition's, ours by
HOG, and CNN. When none do in a frame, the nearest frame of the clip counts. A box where no face is there
counts as false. Followed faces come with a hint of their own last boxes, as the broker gives it. Decided
faces are encoded once in half a second.

    taskset -c 1 python -m benchmarks.engine CLIPS [--quick] [--json FILE]
"""

import itertools
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import cv2
import msgspec
import numpy as np

from benchmarks.encoder import show_encoder
from benchmarks.report import Cell, Goal, Report, parser, stay_on_one_core
from turnstile.protocol.fields import Box, Hint, overlap_of
from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.engines.engine import Analysis, Engine
from turnstile.vision.engines.selection import make_engine
from turnstile.vision.pictures import checked, decode_frame

FRAMES_A_SECOND = 10
CONFIRM_EVERY = 5
"""Frames of a decided face from one that is encoded to the next: half a second."""

MIN_FACE_PX = 60
SAME_PLACE = 0.3
DEFAULTS, BY_CNN = "face_recognition", "in full, raw, cnn"
JUDGES = (DEFAULTS, "in full, raw", BY_CNN)
"""A face is there where two of these see it."""

GOALS: Mapping[str, float] = MappingProxyType({"in full": 20, "followed": 25, "decided": 45})
"""How many times as fast as face_recognition's defaults."""

SUFFIXES = {".mkv", ".mp4", ".avi", ".mov", ".webm", ".gif"}

Analyse = Callable[[bytes, Hint | None], Analysis]


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One frame of a clip."""

    clip: str
    jpeg: bytes


@dataclass(kw_only=True)
class Contender:
    """One way of analysing frames, and what came of it."""

    name: str
    analyse: Analyse
    follows_hints: bool = False
    is_decided: bool = False
    analyses: list[Analysis] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)
    _since_full_scan: int = 0

    def see(self, shot: Shot, *, at: int) -> None:
        """Analyse a frame, the `at`-th of its clip, and keep what came of it."""
        hint = self._hint(at) if self.follows_hints and at else None
        started = time.process_time()
        analysis = self.analyse(shot.jpeg, hint)
        self.total_ms.append((time.process_time() - started) * 1e3)
        self.analyses.append(analysis)
        self._since_full_scan = 0 if analysis.full_scan else self._since_full_scan + 1

    def _hint(self, at: int) -> Hint:
        last = self.analyses[-1].boxes_px
        finds_only = self.is_decided and at % CONFIRM_EVERY
        return Hint(
            boxes_px=last,
            age_s=1 / FRAMES_A_SECOND,
            frames_since_full_scan=self._since_full_scan,
            find_only=tuple(range(len(last))) if finds_only else (),
        )

    @property
    def mean_ms(self) -> float:
        """Return the mean time of a frame, full scans included."""
        return statistics.fmean(self.total_ms)


def shots_of(folder: Path, *, limit: int | None) -> list[Shot]:
    """Return the frames of all clips in a folder, ten a second, at most `limit` of each."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    shots = [shot for file in files for shot in itertools.islice(_shots_of_clip(file), limit)]
    if not shots:
        raise SystemExit(f"{folder} holds no clip ({', '.join(sorted(SUFFIXES))})")
    return shots


def _shots_of_clip(file: Path) -> Iterator[Shot]:
    clip = cv2.VideoCapture(str(file))
    every = max(1, round((clip.get(cv2.CAP_PROP_FPS) or 30) / FRAMES_A_SECOND))
    at = 0
    while clip.grab():
        if at % every == 0:
            jpeg = cv2.imencode(".jpg", clip.retrieve()[1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
            yield Shot(clip=file.name, jpeg=jpeg.tobytes())
        at += 1
    clip.release()


def face_recognition_as_it_comes() -> Analyse:
    """Return the library with its defaults: HOG upsampled once, 5 points, raw encodings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import face_recognition  # noqa: PLC0415 - it takes a second and warns

    def analyse(jpeg: bytes, _hint: Hint | None) -> Analysis:
        started = time.perf_counter()
        frame = decode_frame(checked(jpeg))
        decoded = time.perf_counter()
        places = face_recognition.face_locations(frame)
        detected = time.perf_counter()
        encodings = face_recognition.face_encodings(frame, places)
        encoded = time.perf_counter()
        return Analysis(
            boxes_px=tuple(
                Box(left=place[3], top=place[0], right=place[1], bottom=place[2]) for place in places
            ),
            encodings=np.asarray(encodings, np.float32).reshape(-1, 128),
            turns=(0.0,) * len(places),
            sharpness=(0.0,) * len(places),
            decode_ms=(decoded - started) * 1e3,
            detect_ms=(detected - decoded) * 1e3,
            encode_ms=(encoded - detected) * 1e3,
        )

    return analyse


def contenders() -> list[Contender]:
    """Return everything that is compared, the library's defaults first."""

    def site(**fields: object) -> RecognitionSettings:
        return msgspec.convert({"min_face_px": MIN_FACE_PX, **fields}, RecognitionSettings)

    def of(engine: Engine) -> Analyse:
        return lambda jpeg, hint: engine.analyse(jpeg, hint=hint)

    raw = of(make_engine(site(engine="accelerated", policy="raw")))
    mirror = of(make_engine(site(engine="accelerated")))
    return [
        Contender(name=DEFAULTS, analyse=face_recognition_as_it_comes()),
        Contender(name="reference engine", analyse=of(make_engine(site(engine="reference")))),
        Contender(name="in full", analyse=mirror),
        Contender(name="followed", analyse=mirror, follows_hints=True),
        Contender(name="decided", analyse=mirror, follows_hints=True, is_decided=True),
        Contender(name="in full, raw", analyse=raw),
        Contender(name="followed, raw", analyse=raw, follows_hints=True),
        Contender(
            name=BY_CNN,
            analyse=of(make_engine(site(engine="accelerated", policy="raw", detector="cnn"))),
        ),
    ]


def where_faces_are(shots: Sequence[Shot], all_of_them: Sequence[Contender]) -> list[list[Box]]:
    """Return for each frame the boxes that two see, or those of the clip's nearest frame that has any."""
    seen = [_agreed([one.analyses[at].boxes_px for one in all_of_them]) for at in range(len(shots))]
    truth = []
    for at, boxes in enumerate(seen):
        same_clip = [other for other, shot in enumerate(shots) if shot.clip == shots[at].clip and seen[other]]
        nearest = min(same_clip, key=lambda other: abs(other - at), default=None)
        truth.append(boxes or ([] if nearest is None else seen[nearest]))
    return truth


def _agreed(boxes_of_each: Sequence[Sequence[Box]]) -> list[Box]:
    agreed: list[Box] = []
    for at, boxes in enumerate(boxes_of_each):
        others = [box for index, other in enumerate(boxes_of_each) if index != at for box in other]
        for box in boxes:
            is_new = all(overlap_of(box, other) <= SAME_PLACE for other in agreed)
            if is_new and any(overlap_of(box, other) > SAME_PLACE for other in others):
                agreed.append(box)
    return agreed


def found_and_false(contender: Contender, truth: Sequence[Sequence[Box]]) -> tuple[float, float]:
    """Return the share of faces found, and false boxes a frame."""
    hits = faces = false = 0
    for analysis, boxes in zip(contender.analyses, truth, strict=True):
        hits += sum(any(overlap_of(box, mine) > SAME_PLACE for mine in analysis.boxes_px) for box in boxes)
        false += sum(all(overlap_of(box, mine) <= SAME_PLACE for box in boxes) for mine in analysis.boxes_px)
        faces += len(boxes)
    return hits / max(1, faces), false / len(truth)


def row_of(contender: Contender, truth: Sequence[Sequence[Box]], defaults_ms: float) -> list[Cell]:
    """Return a contender's line in the table."""
    found, false = found_and_false(contender, truth)
    stages = [
        statistics.median(getattr(analysis, stage) for analysis in contender.analyses)
        for stage in ("decode_ms", "detect_ms", "encode_ms")
    ]
    return [
        contender.name,
        *(f"{stage:.1f}" for stage in stages),
        f"{contender.mean_ms:.1f}",
        f"{1000 / contender.mean_ms:.1f}",
        f"{defaults_ms / contender.mean_ms:.1f}",
        f"{found:.3f}",
        f"{false:.3f}",
        f"{statistics.fmean(analysis.full_scan for analysis in contender.analyses):.2f}",
    ]


START = """
import pathlib, re, resource, sys, time
started = time.perf_counter()
from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.engines.selection import make_engine
engine = make_engine(RecognitionSettings(engine=sys.argv[1], min_face_px=60))
engine.analyse(sys.stdin.buffer.read())
seconds = time.perf_counter() - started
status = pathlib.Path("/proc/self/status")
peak = re.search(r"VmHWM:\\s+(\\d+)", status.read_text()) if status.exists() else None
print(seconds, peak[1] if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def start_up(engine: str, jpeg: bytes) -> tuple[float, float]:
    """Return seconds from the first import to the first frame done, in a fresh process, and its MB."""
    command = [sys.executable, "-W", "ignore", "-c", START, engine]
    done = subprocess.run(command, input=jpeg, capture_output=True, check=True)
    seconds, kilobytes = done.stdout.split()
    return float(seconds), float(kilobytes) / 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    arguments = parser(__doc__)
    arguments.add_argument("clips", type=Path)
    options = arguments.parse_args(argv)
    stay_on_one_core()
    cv2.setNumThreads(1)
    report = Report("engine", options)
    shots = shots_of(options.clips, limit=3 if options.quick else None)
    everybody = contenders()
    for _, clip in itertools.groupby(shots, key=lambda shot: shot.clip):
        for at, shot in enumerate(clip):
            for contender in everybody:
                contender.see(shot, at=at)
    show_engines(report, shots, everybody)
    show_encoder(report, quick=options.quick)
    started = [(name, *start_up(name, shots[0].jpeg)) for name in ("reference", "accelerated")]
    report.table(
        "A fresh process, networks cached: until its first frame is done, and its memory",
        ["engine", "s", "MB"],
        [[name, f"{seconds:.2f}", f"{megabytes:.0f}"] for name, seconds, megabytes in started],
    )
    report.goal(Goal(what="start-up, accelerated", unit="s", measured=started[1][1], at_most=1.0))
    return report.finish()


def show_engines(report: Report, shots: Sequence[Shot], everybody: Sequence[Contender]) -> None:
    """Print what a frame costs and what is found in it."""
    truth = where_faces_are(shots, [one for one in everybody if one.name in JUDGES])
    defaults = next(one for one in everybody if one.name == DEFAULTS)
    report.table(
        f"{len(shots)} frames of {len({shot.clip for shot in shots})} clips on one core:"
        " medians of the stages, mean of the whole",
        [
            "",
            "decode ms",
            "detect ms",
            "encode ms",
            "frame ms",
            "frames/s",
            "times",
            "found",
            "false",
            "full scans",
        ],
        [row_of(contender, truth, defaults.mean_ms) for contender in everybody],
    )
    found_by_default, _ = found_and_false(defaults, truth)
    for contender in (one for one in everybody if one.name in GOALS):
        report.goal(
            Goal(
                what=f"{contender.name}, frames against face_recognition",
                unit="times",
                measured=defaults.mean_ms / contender.mean_ms,
                at_least=GOALS[contender.name],
            )
        )
        found, _ = found_and_false(contender, truth)
        report.goal(
            Goal(what=f"{contender.name}, faces found", unit="", measured=found, at_least=found_by_default)
        )


if __name__ == "__main__":
    sys.exit(main())
