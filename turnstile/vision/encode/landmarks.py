"""From a box to face chips: landmarks, and the face cut out upright at a fixed size."""

from collections.abc import Sequence
from typing import NamedTuple

import dlib
import numpy as np
import numpy.typing as npt

from turnstile.errors import ModelError
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.models import cache

CHIP_PX = 150

MARGIN = 0.75
"""Surroundings of a box, in widths on each side, in which its landmarks are found. Those of 1,413 faces of
`lfw_dev` and portraits, half of them tilted, are the same as in the whole picture; with 0.5 10 differ."""

Chips = npt.NDArray[np.uint8]
"""uint8 `(n, 150, 150, 3)`, red first."""

Points = npt.NDArray[np.float64]
"""float64 `(points, 2)`, across and down. Of five: the corners of one eye, of the other one, and the base of
the nose."""


class Pose(NamedTuple):
    """How a head is held, in distances of the eyes; see `Looks`."""

    turn: float
    nod: float


def pose_of(points: Points) -> Pose:
    """Return how far the nose lies beside the middle of the eyes, and below it, by five points."""
    one, other, nose = points[:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    axis = other - one
    apart = max(1.0, float(np.linalg.norm(axis)))
    across = axis / apart
    from_middle = nose - (one + other) / 2
    beside = abs(float(from_middle @ across)) / apart
    below = abs(float(from_middle @ np.array([-across[1], across[0]]))) / apart
    return Pose(min(4.0, beside), min(4.0, below))


class Landmarks:
    """One of dlib's landmark models, loaded."""

    def __init__(self, file_name: str = cache.LANDMARKS_5_FILE) -> None:
        path = cache.model_file(file_name)
        try:
            self._model = dlib.shape_predictor(str(path))
        except RuntimeError as error:
            raise ModelError(f"{path} is not a landmark model of dlib: {error}") from error

    def chips(
        self, picture_rgb: PictureRgb, boxes_px: Sequence[Box], *, paddings: Sequence[float]
    ) -> tuple[npt.NDArray[np.uint8], tuple[Points, ...]]:
        """Return each face turned upright and scaled to 150x150, once for each padding, and its points.

        The landmarks of all faces come first, while the model is in the processor's cache.

        Args:
            picture_rgb: the whole picture.
            boxes_px: where the faces are in it.
            paddings: the margins to add, as parts of the face's size; the network was trained on 0.25.

        Returns:
            uint8 `(faces, paddings, 150, 150, 3)`, and where the model's points lie in the picture.
        """
        faces = [self._find(picture_rgb, box) for box in boxes_px]
        chips = [
            [dlib.get_face_chip(picture_rgb, found, size=CHIP_PX, padding=padding) for padding in paddings]
            for found in faces
        ]
        return np.asarray(chips, np.uint8), tuple(map(_points, faces))

    def points(self, picture_rgb: PictureRgb, box_px: Box) -> Points:
        """Return where the model's points lie in the picture."""
        return _points(self._find(picture_rgb, box_px))

    def _find(self, picture_rgb: PictureRgb, box_px: Box) -> dlib.full_object_detection:
        """Return the landmarks of a face, found in its surroundings: that takes half as long."""
        margin = round(MARGIN * box_px.width)
        left, top = max(0, box_px.left - margin), max(0, box_px.top - margin)
        part = np.ascontiguousarray(picture_rgb[top : box_px.bottom + margin, left : box_px.right + margin])
        place = dlib.rectangle(box_px.left, box_px.top, box_px.right, box_px.bottom)
        found = self._model(part, dlib.translate_rect(place, dlib.point(-left, -top)))
        return dlib.full_object_detection(place, [point + dlib.point(left, top) for point in found.parts()])


def _points(found: dlib.full_object_detection) -> Points:
    return np.array([(point.x, point.y) for point in found.parts()], np.float64)
