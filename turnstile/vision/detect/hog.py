"""dlib's HOG face detector, with a coarse scan and a second look.

dlib spends nearly all of its time on the gradients of the whole picture. So the whole picture is searched at
a small scale, with a threshold so low that it misses next to nothing. The convolutional detector then looks
closely at the doubtful places.

Faces found on eight clips of 640x480 with faces of 62 to 89 pixels, at `min_face_px` 60 (194 frames,
2026-11):

- face_recognition's way: 99.5 %;
- a second look by HOG itself, at a score of -0.1: 97.4 %, with a false box in 0.5 % of the frames;
- a second look by the convolutional detector, at any threshold from 0.3 to 0.6: all, with no false box.

Of portraits with mouth and nose covered it finds 90 %, face_recognition 68 %. With one side covered it finds
78 %, face_recognition 15 % (`benchmarks.recall`, 60 portraits, 2026-11).
"""

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np

from turnstile.protocol.fields import Box
from turnstile.vision.arrays import REDUCTIONS, PictureGrey, PictureRgb, Reduction
from turnstile.vision.detect.search import AREA_BELOW, Detection, Detector, Region, distinct, part_around
from turnstile.vision.models import cache as modelcache

COARSE_FACE_PX = 57
"""Smallest face, in pixels of the coarse scan, that scores over `COARSE_MIN_SCORE`. HOG's window is 80."""

COARSE_MIN_SCORE = -0.8
"""Below this score the coarse scan drops a place. At -0.8 it kept every face of the clips, and 0.6 other
places a frame."""

SURE_SCORE = 0.0
"""dlib's own threshold. Above it, a place of the coarse scan is a face without a second look."""

CLOSE_FACE_PX = 90
"""Width of a face when it is searched again: a little more than HOG's window. Wider finds no more in the
clips, and costs more."""

MAX_DOUBTS = 16
"""Most doubtful places that get a second look, surest first. It bounds the time of a strange picture."""


@cache
def frontal_face_detector() -> Any:
    """Return dlib's own detector. Unpacking it takes 0.5 s, reading it from a file 2 ms."""
    packed = modelcache.kept_or_made(f"frontal-hog-dlib-{dlib.__version__}.detector", _unpacked)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "detector")
        file.write_bytes(packed)
        return dlib.fhog_object_detector(str(file))


def _unpacked() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "detector")
        dlib.get_frontal_face_detector().save(str(file))
        return file.read_bytes()


class HogDetector:
    """Finds faces of `min_face_px` and more, and asks another detector about doubtful places."""

    def __init__(self, *, min_face_px: int, second_look: Detector) -> None:
        self._detector = frontal_face_detector()
        self._coarse_scale = COARSE_FACE_PX / min_face_px
        self._second_look = second_look

    @property
    def description(self) -> str:
        """Return the detector's name and runtime, for people."""
        return f"hog, coarse scan at {self._coarse_scale:.2f}, dlib {dlib.__version__}, in doubt cnn"

    @property
    def reduction(self) -> Reduction:
        """Return the factor by which a JPEG may be decoded smaller and still do for `coarse`."""
        return max(by for by in REDUCTIONS if by * self._coarse_scale <= 1 or by == 1)

    def scan(self, picture_rgb: PictureRgb) -> list[Detection]:
        """Return the faces of a picture, clipped to it."""
        grey = np.asarray(cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        return self.settle(picture_rgb, self.coarse(grey, reduced=1))

    def coarse(self, picture: PictureGrey, *, reduced: Reduction) -> list[Detection]:
        """Return where faces may be, in pixels of the whole picture, from one decoded smaller."""
        height, width = (side * reduced for side in picture.shape[:2])
        everything = Region(left=0, top=0, right=width, bottom=height, scale=self._coarse_scale)
        return self._run(picture, everything, (height, width), min_score=COARSE_MIN_SCORE)

    def settle(self, picture_rgb: PictureRgb, coarse: Sequence[Detection]) -> list[Detection]:
        """Return which of the places are faces, clipped, after another look at the doubtful ones."""
        sure = [found for found in coarse if found.score >= SURE_SCORE]
        doubts = sorted(
            (found for found in coarse if found.score < SURE_SCORE), key=lambda found: -found.score
        )
        again = [
            close
            for doubt in doubts[:MAX_DOUBTS]
            for close in self._second_look.search(picture_rgb, doubt.box_px)
        ]
        return distinct([*(_clipped(found, picture_rgb) for found in sure), *again])

    def search(self, picture_rgb: PictureRgb, around: Box) -> list[Detection]:
        """Return faces at and close to a box, of about its size."""
        part = part_around(around, within=picture_rgb, face_px=CLOSE_FACE_PX)
        pixels = picture_rgb[part.top : part.bottom, part.left : part.right]
        found = self._run(pixels, part, picture_rgb.shape, min_score=SURE_SCORE)
        return found or self._second_look.search(picture_rgb, around)

    def _run(
        self, pixels: PictureRgb | PictureGrey, part: Region, whole: tuple[int, ...], *, min_score: float
    ) -> list[Detection]:
        """Return what dlib finds in a part, scaled as the part says."""
        width, height = (
            round(side * part.scale) for side in (part.right - part.left, part.bottom - part.top)
        )
        if width < 1 or height < 1 or pixels.size == 0:
            return []
        method = cv2.INTER_AREA if part.scale < AREA_BELOW else cv2.INTER_LINEAR
        scaled = cv2.resize(pixels, (width, height), interpolation=method)
        places, scores, _ = self._detector.run(scaled, 0, min_score)
        found = []
        for place, score in zip(places, scores, strict=True):
            box = part.box(place.left(), place.top(), place.right() + 1, place.bottom() + 1, within=whole)
            if box is not None:
                found.append(Detection(box_px=box, score=score))
        return found


def _clipped(found: Detection, picture_rgb: PictureRgb) -> Detection:
    """Return a place clipped to the picture: one decoded smaller covers up to 7 pixels more."""
    height, width = picture_rgb.shape[:2]
    box = found.box_px
    inside = Box(left=box.left, top=box.top, right=min(box.right, width), bottom=min(box.bottom, height))
    return Detection(box_px=inside, score=found.score)
