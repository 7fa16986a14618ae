"""How much of a camera's picture differs from its slow background.

A picture becomes cells of 16x16 pixels, each the mean of 16 of them. A cell has changed when it differs from
its background by more than its own noise. The background's gain is fitted to each picture first, row by row,
so that automatic exposure changes nothing. A lamp that flickers and the noise of night change
cells from frame to frame. These have a wider bound, of `MOST_NOISE` at most. An older
background is remembered beside the slow one, so that nobody leaves a ghost.

OpenCV's own subtractors (MOG2, KNN) were tried at quarter scale: 0.2 and 0.3 ms a frame of 640x480 against
0.24 here, and a step of exposure is foreground to both (2026-11). Times are arguments.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from turnstile.vision.arrays import PictureBgr

STEP_PX = 4
"""One pixel of so many in each direction is read: the picture at a quarter of its scale."""

CELL_PX = 16
"""A face of the smallest size to be found, 40 px, covers six cells."""

LEARNING_FRAMES = 10
"""So many frames are needed before anything can be said."""

LEAST_NOISE, MOST_NOISE = 4.0, 20.0
"""Bounds, in grey levels of 256, on the difference within which a cell is unchanged. Unmeasured."""

DEVIATIONS = 5.0
"""A cell is unchanged within so many standard deviations of its noise."""

SETTLES_S, ABSORBS_S = 5.0, 10.0
"""Time constants: of the noise and the background of unchanged cells, and of the background of changed ones.
Something new and still becomes background in about half a minute."""

REMEMBERS_S = 300.0
"""Time constant of the older background, which learns nothing of what comes and goes."""

LONGEST_STEP_S = 0.5
"""A longer pause between two frames teaches no more than this."""

DARK = 16.0
"""Cells darker than this say nothing about gain."""

Cells = npt.NDArray[np.float32]
"""float32 `(rows, columns)`: mean brightness, 0 to 255."""

Flags = npt.NDArray[np.bool_]
"""bool `(rows, columns)`."""


def cells_of(picture_bgr: PictureBgr) -> Cells:
    """Return the cells of a picture, from its green; 15 microseconds for 640x480."""
    height, width = picture_bgr.shape[:2]
    green = np.ascontiguousarray(picture_bgr[STEP_PX // 2 :: STEP_PX, STEP_PX // 2 :: STEP_PX, 1])
    size = max(1, width // CELL_PX), max(1, height // CELL_PX)
    if not green.size:
        green = np.ascontiguousarray(picture_bgr[:, :, 1])
    return np.asarray(cv2.resize(green, size, interpolation=cv2.INTER_AREA), np.float32)


class Background:
    """The slow background of one camera's cells, an even slower one, and the noise of each cell."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._frames = 0
        self._seen_s = 0.0
        self._last = self._cells = self._old = self._variance = np.zeros((0, 0), np.float32)
        self._steady = np.zeros((0, 0), np.bool_)

    def change(self, cells: Cells, *, at_s: float) -> float | None:
        """Return the share of cells that changed, 0 to 1, and learn from them.

        Returns:
            `None` while the background is not known: at the beginning, or when the size has changed.
        """
        if cells.shape != self._cells.shape:
            self._frames, self._seen_s = 0, at_s
            self._last = self._cells = self._old = cells
            self._steady = np.ones(cells.shape, np.bool_)
            self._variance = np.full_like(cells, (MOST_NOISE / DEVIATIONS) ** 2)
        step_s = min(max(0.0, at_s - self._seen_s), LONGEST_STEP_S)
        self._frames, self._seen_s = self._frames + 1, at_s
        settled = self._learnt(step_s, SETTLES_S)
        background = _with_gain(self._cells, self._steady, of=cells)
        old = _with_gain(self._old, self._steady, of=cells)
        bound = np.clip(DEVIATIONS * np.sqrt(self._variance), LEAST_NOISE, MOST_NOISE)
        known, known_before = np.abs(cells - background) <= bound, np.abs(cells - old) <= bound
        # where somebody stood for a while, what is behind them is background at once when they have gone
        background = np.where(known_before & ~known, old, background)
        changed = ~(known | known_before)
        is_learning = self._frames <= LEARNING_FRAMES
        absorbed = settled if is_learning else _share(step_s, ABSORBS_S)
        self._cells = _towards(cells, background, changed, absorbed, settled)
        self._old = _towards(cells, old, changed, 0.0, self._learnt(step_s, REMEMBERS_S))
        self._learn_noise(cells, settled)
        self._steady = ~changed
        return float(changed.mean()) if self._frames > LEARNING_FRAMES else None

    def _learn_noise(self, cells: Cells, settled: float) -> None:
        """Learn each cell's noise from its last two frames: what stands still after a change is no noise."""
        flutter = np.square(cells - _with_gain(self._last, self._steady, of=cells)) / 2
        self._variance = self._variance + np.float32(settled) * (flutter - self._variance)
        self._last = cells

    def _learnt(self, step_s: float, constant_s: float) -> float:
        """Return how much a frame teaches; each of the first frames as much as all before it on average."""
        return max(_share(step_s, constant_s), 1 / self._frames)


def _towards(cells: Cells, background: Cells, changed: Flags, if_changed: float, if_not: float) -> Cells:
    """Return a background that has learnt from a picture, cells that changed at a pace of their own."""
    pace = np.where(changed, np.float32(if_changed), np.float32(if_not))
    return np.asarray(background + pace * (cells - background), np.float32)


def _with_gain(background: Cells, steady: Flags, *, of: Cells) -> Cells:
    """Return a background as bright as a picture is, going by the median of each row of cells.

    A lamp that flickers brightens bands of rows, as a shutter that rolls exposes one after the other. Cells
    before which somebody stands already tell nothing of the light.
    """
    telling = steady & (background > DARK)
    if np.count_nonzero(telling) < background.size // 4:
        return background
    ratios = of / np.maximum(background, np.float32(1))
    ratios[~telling] = np.median(ratios[telling])
    gains = np.asarray(np.median(ratios, axis=1, keepdims=True), np.float32)
    return np.asarray(np.minimum(background * gains, 255), np.float32)


def _share(step_s: float, constant_s: float) -> float:
    return 1 - math.exp(-step_s / constant_s)
