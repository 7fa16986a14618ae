"""Pictures as arrays: the shape, type and colour order of each."""

from typing import Literal

import numpy as np
import numpy.typing as npt

PictureRgb = npt.NDArray[np.uint8]
"""uint8 `(height, width, 3)`, red first."""

PictureBgr = npt.NDArray[np.uint8]
"""uint8 `(height, width, 3)`, blue first, as OpenCV has it."""

PictureGrey = npt.NDArray[np.uint8]
"""uint8 `(height, width)`."""

Reduction = Literal[1, 2, 4, 8]
"""The factor by which a JPEG is decoded smaller."""

REDUCTIONS: tuple[Reduction, ...] = (1, 2, 4, 8)

ENROLMENT_LONG_SIDE_PX = 1600
"""Enrolment pictures are scaled down to this: a face that fills a tenth of it is still 160 pixels wide."""
