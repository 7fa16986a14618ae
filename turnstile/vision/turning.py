"""Turn a picture by right angles, for cameras that are not mounted upright."""

import cv2
import numpy as np
import numpy.typing as npt

_CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def turned(picture: npt.NDArray[np.uint8], degrees: int) -> npt.NDArray[np.uint8]:
    """Return a picture turned clockwise by 0, 90, 180 or 270 degrees."""
    return np.asarray(cv2.rotate(picture, _CODES[degrees]), np.uint8) if degrees else picture
