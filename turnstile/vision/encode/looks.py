"""What an enrolment picture's face looks like, in numbers that `turnstile.people.quality` judges."""

import cv2
import numpy as np

from turnstile.people.encodings import Encodings
from turnstile.protocol.fields import Box, Looks
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.encode.landmarks import CHIP_PX, Landmarks, pose_of
from turnstile.vision.pictures import sharpness

_PADDING = 0.25
_EDGE_PX = CHIP_PX // 6
"""Margin of a chip left out of its light: hair and background."""


def looks_of(picture_rgb: PictureRgb, box_px: Box, landmarks: Landmarks, chips: Encodings) -> Looks:
    """Return what a face looks like.

    Args:
        picture_rgb: the whole picture.
        box_px: where the face is in it.
        landmarks: dlib's model of five points.
        chips: the network's output for each cut-out of the face, `(n, 128)`; one tells nothing of the spread.
    """
    found, (points,) = landmarks.chips(picture_rgb, [box_px], paddings=[_PADDING])
    grey = cv2.cvtColor(found[0, 0], cv2.COLOR_RGB2GRAY)[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX].astype(
        np.float64
    )
    left, right = np.array_split(grey, 2, axis=1)
    mean = float(grey.mean())
    turn, nod = pose_of(points)
    return Looks(
        width_px=box_px.width,
        sharpness=sharpness(picture_rgb, box_px),
        brightness=mean,
        contrast=float(grey.std()),
        side_light=abs(float(left.mean() - right.mean())) / max(1.0, mean),
        turn=turn,
        nod=nod,
        spread=_spread(chips),
    )


def _spread(chips: Encodings) -> float:
    """Return the mean distance of the cut-outs' encodings to their mean, each of unit length; 0 for one."""
    rows = chips / np.maximum(np.linalg.norm(chips, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return float(np.linalg.norm(rows - rows.mean(axis=0), axis=1).mean())
