"""Local detection by OpenCV's Haar cascade, the display's fallback. It finds faces but recognises nobody."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from turnstile.errors import ModelError
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureBgr

CASCADE = "haarcascade_frontalface_alt2.xml"

LONG_SIDE_PX = 480
"""Pictures are searched at this size. At 640, `alt2` takes 1.4 times as long and finds no more."""

SCALE_STEP = 1.1
MIN_NEIGHBOURS = 3
"""Windows that must agree on a face. Measured on 201 frames of clips, demo and portraits with 167 faces
(2026-11): `default` with 4 finds .982 and 24 false boxes in 47 ms, `alt2` with 3 finds .964 and 8 in 51 ms,
with 5 it finds .928 and 3. Five of the 8 are collars and shirts, which `_is_below` drops."""

COLLAR_SHARE = 0.25
"""A place below a face, with fewer than this share of its windows, is the person's collar or shirt."""

COLLAR_REACH = 1.5
"""How far below a face its collar may begin, in heights of the face."""

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
        places, windows = self._cascade.detectMultiScale2(
            cv2.cvtColor(small, cv2.COLOR_BGR2GRAY),
            scaleFactor=SCALE_STEP,
            minNeighbors=MIN_NEIGHBOURS,
            minSize=(MIN_FACE_PX, MIN_FACE_PX),
        )
        across, down = width / reduced[0], height / reduced[1]
        found = [
            _Place(
                Box(
                    left=round(x * across),
                    top=round(y * down),
                    right=round((x + wide) * across),
                    bottom=round((y + high) * down),
                ),
                count,
            )
            for (x, y, wide, high), count in zip(
                np.asarray(places, np.int64).reshape(-1, 4).tolist(), windows, strict=True
            )
        ]
        faces = [one.box_px for one in found if not any(_is_below(one, other) for other in found)]
        return tuple(sorted(faces, key=lambda box: -box.width * box.height))


class _Place(NamedTuple):
    """Where a face may be, and how many windows of the cascade agree on it."""

    box_px: Box
    windows: int


def _is_below(one: _Place, face: _Place) -> bool:
    """Tell whether a place is the collar or shirt of a much surer face above it."""
    box, above = one.box_px, face.box_px
    return (
        one.windows < COLLAR_SHARE * face.windows
        and above.left < (box.left + box.right) / 2 < above.right
        and (above.top + above.bottom) / 2 < box.top < above.bottom + COLLAR_REACH * above.height
    )
