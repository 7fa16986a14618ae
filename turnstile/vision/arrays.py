"""Pictures as arrays: shape, type and colour order of each, said once."""

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
"""By how much smaller than it is a JPEG is decoded."""

REDUCTIONS: tuple[Reduction, ...] = (1, 2, 4, 8)
