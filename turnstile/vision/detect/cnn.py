"""dlib's convolutional face detector (MMOD) on a model runtime.

It also finds faces that are not upright or frontal, and returns dlib's own boxes. On a processor without
bfloat16 it costs about three times as much as HOG for the same picture size. Source: dlib 20.0, `dnn/loss.h`
(`loss_mmod_`), `image_processing/box_overlap_testing.h`; King, "Max-Margin Object Detection", 2015.
"""

from typing import NamedTuple

import cv2
import numpy as np

from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect import pyramid
from turnstile.vision.detect.search import AREA_BELOW, Detection, Region, part_around
from turnstile.vision.models import dlib_file
from turnstile.vision.models.runtime import Network

CELL_PX = 8
FIRST_CELL_PX = 14
"""Score `(row, column)` belongs to the window around canvas point 8 * column + 14, 8 * row + 14.

Three convolutions of 5x5 have stride 2 and no padding; all later ones keep the place."""

CLOSE_FACE_PX = 90
CLOSE_LEVELS = 3
"""Width of a face when it is searched near a box, and the number of pyramid copies searched there: those in
which the window shows 80 to 115 of these pixels."""

BACKGROUND = (122.782, 117.001, 104.298)
"""The mean colour, which the network subtracts from its input."""


class _SlidingWindow(NamedTuple):
    """One place where the network sees a face; right and bottom are inclusive, as dlib's are."""

    score: float
    left: int
    top: int
    right: int
    bottom: int


class CnnDetector:
    """Finds faces of `min_face_px` and more that score at least `min_score`."""

    def __init__(
        self, network: Network, windows: dlib_file.Windows, *, min_face_px: int, min_score: float
    ) -> None:
        self._network = network
        self._windows = windows
        self._scale = windows.width_px / min_face_px
        self._min_score = min_score

    @property
    def description(self) -> str:
        """Return the detector's name and runtime, for people."""
        return f"cnn, scan at {self._scale:.2f}, {self._network.description}"

    def scan(self, picture_rgb: PictureRgb) -> list[Detection]:
        """Return the faces of a picture, clipped to it."""
        height, width = picture_rgb.shape[:2]
        everything = Region(left=0, top=0, right=width, bottom=height, scale=self._scale)
        return self._run(everything, picture_rgb, levels=None)

    def search(self, picture_rgb: PictureRgb, around: Box) -> list[Detection]:
        """Return faces at and close to a box, of about its size."""
        part = part_around(around, within=picture_rgb, face_px=CLOSE_FACE_PX)
        return self._run(part, picture_rgb, levels=CLOSE_LEVELS)

    def _run(self, part: Region, whole: PictureRgb, *, levels: int | None) -> list[Detection]:
        pixels = whole[part.top : part.bottom, part.left : part.right]
        width, height = (round(side * part.scale) for side in (pixels.shape[1], pixels.shape[0]))
        if pixels.size == 0 or width < CELL_PX or height < CELL_PX:
            return []
        if part.scale != 1:
            method = cv2.INTER_AREA if part.scale < AREA_BELOW else cv2.INTER_LINEAR
            pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=method), np.uint8)
        found = []
        for face in self.windows(pixels, levels=levels):
            box = part.box(face.left, face.top, face.right + 1, face.bottom + 1, within=whole.shape)
            if box is not None:
                found.append(Detection(box_px=box, score=face.score))
        return found

    def windows(self, picture_rgb: PictureRgb, *, levels: int | None = None) -> list[_SlidingWindow]:
        """Return what dlib's `cnn_face_detection_model_v1` returns for a picture without upsampling.

        Args:
            picture_rgb: the picture.
            levels: number of copies, largest first; `None` for all.
        """
        layout = pyramid.lay_out(picture_rgb.shape[1], picture_rgb.shape[0], levels=levels)
        scores = self._network.run(pyramid.draw(picture_rgb, layout, background=BACKGROUND))[0][0, 0]
        rows, columns = np.nonzero(scores > self._min_score)
        places = [
            self._place(layout, float(scores[row, column]), int(row), int(column))
            for row, column in zip(rows, columns, strict=True)
        ]
        return self._distinct(sorted(places, reverse=True))

    def _place(self, layout: pyramid.Layout, score: float, row: int, column: int) -> _SlidingWindow:
        x, y = column * CELL_PX + FIRST_CELL_PX, row * CELL_PX + FIRST_CELL_PX
        reach_x, reach_y = (self._windows.width_px - 1) / 2, (self._windows.height_px - 1) / 2
        tile = layout.nearest(x, y)
        left, top = layout.to_picture(x - reach_x, y - reach_y, tile=tile)
        right, bottom = layout.to_picture(x + reach_x, y + reach_y, tile=tile)
        return _SlidingWindow(score, _round(left), _round(top), _round(right), _round(bottom))

    def _distinct(self, surest_first: list[_SlidingWindow]) -> list[_SlidingWindow]:
        kept: list[_SlidingWindow] = []
        for place in surest_first:
            if not any(self._is_the_same(place, other) for other in kept):
                kept.append(place)
        return kept

    def _is_the_same(self, one: _SlidingWindow, other: _SlidingWindow) -> bool:
        """Tell whether two windows show one face: they share enough of the rectangle around both."""
        width = min(one.right, other.right) - max(one.left, other.left) + 1
        height = min(one.bottom, other.bottom) - max(one.top, other.top) + 1
        if width <= 0 or height <= 0:
            return False
        shared = width * height
        around = (max(one.right, other.right) - min(one.left, other.left) + 1) * (
            max(one.bottom, other.bottom) - min(one.top, other.top) + 1
        )
        covered = shared / min(_area(one), _area(other))
        return shared / around > self._windows.max_overlap or covered > self._windows.max_covered


def _area(place: _SlidingWindow) -> int:
    return (place.right - place.left + 1) * (place.bottom - place.top + 1)


def _round(value: float) -> int:
    """Round halves away from zero, as C's `lround` does."""
    return int(np.floor(abs(value) + 0.5) * (1 if value >= 0 else -1))
