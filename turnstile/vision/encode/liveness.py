"""How likely a face is before the camera and not shown on something, by the owner's MiniFASNetV2.

The network was trained on cut-outs around the boxes of another detector, which take in the forehead. So a
box of dlib's kind is grown upwards first. Then it is scaled, moved into the picture and cut out as
Silent-Face does (`src/generate_patches.py`).
"""

from pathlib import Path

import cv2
import numpy as np

from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureBgr, PictureRgb
from turnstile.vision.models import minifasnet

SCALE = 2.7
"""Sides of the cut-out in those of the box; the network's file bears it in its name."""

GROWN_UPWARDS = 0.3
"""Part of its height that a box of dlib's kind is grown by, at its top."""


class AliveNetwork:
    """The network, loaded. It serves one thread."""

    def __init__(self, file: Path, *, sha256: str) -> None:
        self._network = minifasnet.network(file, sha256=sha256)

    def alive(self, picture_rgb: PictureRgb, box_px: Box) -> float:
        """Return how likely the face in a box is alive, 0 to 1."""
        return float(self._network.run(crop(picture_rgb, box_px)[None])[0][0])


def crop(picture_rgb: PictureRgb, box_px: Box) -> PictureBgr:
    """Return the face with what surrounds it: uint8 `(80, 80, 3)`, blue first."""
    height_px, width_px = picture_rgb.shape[:2]
    height = max(1.0, box_px.height * (1 + GROWN_UPWARDS))
    width = max(1.0, float(box_px.width))
    scale = min((height_px - 1) / height, (width_px - 1) / width, SCALE)
    left, right = _within((box_px.left + box_px.right) / 2, width * scale, width_px)
    top, bottom = _within(box_px.bottom - height / 2, height * scale, height_px)
    cut = np.ascontiguousarray(picture_rgb[top : bottom + 1, left : right + 1, ::-1])
    return np.asarray(cv2.resize(cut, (minifasnet.SIDE_PX, minifasnet.SIDE_PX)), np.uint8)


def _within(middle: float, side: float, picture_px: int) -> tuple[int, int]:
    """Return the first and the last pixel of a side around a middle, moved into the picture."""
    first = min(max(0.0, middle - side / 2), picture_px - 1 - side)
    return max(0, int(first)), min(picture_px - 1, int(first + side))
