"""Local detection by OpenCV's Haar cascade, the display's fallback. It finds faces but recognises nobody."""

from pathlib import Path

import cv2
import numpy as np

from turnstile.errors import ModelError
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureBgr

CASCADE = "haarcascade_frontalface_default.xml"

LONG_SIDE_PX = 480
"""Pictures are searched at this size: 37 ms of one core for 25 of 32 faces. At 640 it is 56 ms for 28 of 32.

The trial had four portraits at 30 to 100 % of the height in scenes of 1280x720."""

SCALE_STEP = 1.1
MIN_NEIGHBOURS = 4
MIN_FACE_PX = 20
"""At the reduced size; the cascade was trained on 20x20 pixels. Of 1280 pixels this is 53."""


class HaarDetector:
    """Finds upright frontal faces. One detector serves one thread.

    The histogram is not equalised: that took twice the time in the same scenes and found 16 of 32 faces.
    """

    def __init__(self) -> None:
        """Load the cascade that OpenCV's wheel brings.

        Raises:
            ModelError: it is missing or OpenCV cannot read it.
        """
        path = Path(cv2.__file__).parent / "data" / CASCADE
        if not path.is_file():
            raise ModelError(f"{path} is missing; it comes with opencv-python 4: run `make setup`")
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise ModelError(f"{path} cannot be read by OpenCV {cv2.__version__}; run `make setup`")

    def find(self, picture_bgr: PictureBgr) -> tuple[Box, ...]:
        """Return where faces might be, in the picture's own pixels, biggest first.

        Args:
            picture_bgr: uint8 `(height, width, 3)`, of any size.
        """
        height, width = picture_bgr.shape[:2]
        scale = min(1.0, LONG_SIDE_PX / max(height, width))
        reduced = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture_bgr, reduced, interpolation=cv2.INTER_AREA)
        found = self._cascade.detectMultiScale(
            cv2.cvtColor(small, cv2.COLOR_BGR2GRAY),
            scaleFactor=SCALE_STEP,
            minNeighbors=MIN_NEIGHBOURS,
            minSize=(MIN_FACE_PX, MIN_FACE_PX),
        )
        rectangles = sorted(
            np.asarray(found, np.int64).reshape(-1, 4).tolist(), key=lambda one: -one[2] * one[3]
        )
        across, down = width / reduced[0], height / reduced[1]
        return tuple(
            Box(
                left=round(x * across),
                top=round(y * down),
                right=round((x + wide) * across),
                bottom=round((y + high) * down),
            )
            for x, y, wide, high in rectangles
        )
