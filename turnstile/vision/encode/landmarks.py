"""From a box to face chips: landmarks, and the face cut out upright at a fixed size."""

from collections.abc import Sequence

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
    ) -> npt.NDArray[np.uint8]:
        """Return each face turned upright and scaled to 150x150, once for each padding.

        The landmarks of all faces come first, while the model is in the processor's cache.

        Args:
            picture_rgb: the whole picture.
            boxes_px: where the faces are in it.
            paddings: the margins to add, as parts of the face's size; the network was trained on 0.25.

        Returns:
            uint8 `(faces, paddings, 150, 150, 3)`.
        """
        chips = [
            [dlib.get_face_chip(picture_rgb, found, size=CHIP_PX, padding=padding) for padding in paddings]
            for found in [self._find(picture_rgb, box) for box in boxes_px]
        ]
        return np.asarray(chips, np.uint8)

    def points(self, picture_rgb: PictureRgb, box_px: Box) -> npt.NDArray[np.float64]:
        """Return where the model's points lie in the picture: float64 `(points, 2)`, across and down."""
        found = self._find(picture_rgb, box_px)
        return np.array([(point.x, point.y) for point in found.parts()], np.float64)

    def _find(self, picture_rgb: PictureRgb, box_px: Box) -> dlib.full_object_detection:
        """Return the landmarks of a face, found in its surroundings: that takes half as long."""
        margin = round(MARGIN * box_px.width)
        left, top = max(0, box_px.left - margin), max(0, box_px.top - margin)
        part = np.ascontiguousarray(picture_rgb[top : box_px.bottom + margin, left : box_px.right + margin])
        place = dlib.rectangle(box_px.left, box_px.top, box_px.right, box_px.bottom)
        found = self._model(part, dlib.translate_rect(place, dlib.point(-left, -top)))
        return dlib.full_object_detection(place, [point + dlib.point(left, top) for point in found.parts()])
