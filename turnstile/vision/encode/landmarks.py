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

    def chips(self, picture_rgb: PictureRgb, box_px: Box, *, paddings: Sequence[float]) -> Chips:
        """Return the face turned upright and scaled to 150x150, once for each padding.

        Args:
            picture_rgb: the whole picture.
            box_px: where the face is in it.
            paddings: the margins to add, as parts of the face's size; the network was trained on 0.25.
        """
        found = self._find(picture_rgb, box_px)
        chips = [
            dlib.get_face_chip(picture_rgb, found, size=CHIP_PX, padding=padding) for padding in paddings
        ]
        return np.asarray(chips, np.uint8)

    def points(self, picture_rgb: PictureRgb, box_px: Box) -> npt.NDArray[np.float64]:
        """Return where the model's points lie in the picture: float64 `(points, 2)`, across and down."""
        found = self._find(picture_rgb, box_px)
        return np.array([(point.x, point.y) for point in found.parts()], np.float64)

    def _find(self, picture_rgb: PictureRgb, box_px: Box) -> dlib.full_object_detection:
        place = dlib.rectangle(box_px.left, box_px.top, box_px.right, box_px.bottom)
        return self._model(picture_rgb, place)
