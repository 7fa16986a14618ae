"""An engine that a test plays."""

from collections.abc import Callable

import numpy as np

from tests.support.builders import a_box, some_encodings, some_looks
from turnstile.errors import PictureError
from turnstile.people.encodings import Encodings
from turnstile.protocol.fields import Box, Hint
from turnstile.protocol.jpeg import check_jpeg
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.engines.engine import Analysis, EncodedFace, EngineDescription

ENGINE = "a-test-engine/raw"


class FakeEngine:
    """Finds the faces it is told to find."""

    description = EngineDescription(encoding=ENGINE, detector="none", runtime="the test")

    def __init__(self) -> None:
        self.boxes_px: tuple[Box, ...] = ()
        self.encodings: Encodings = some_encodings(0)
        self.encoded: tuple[int, ...] | None = None
        self.left_out = 0
        self.error: PictureError | None = None
        self.while_working: Callable[[], object] = lambda: None
        self.hints: list[Hint | None] = []
        self.only_upright = False
        """Find one face in pictures that are higher than wide, and none in others."""

    def analyse(self, jpeg: bytes, *, hint: Hint | None = None) -> Analysis:
        """Return what it was told, or fail."""
        assert jpeg
        self.hints.append(hint)
        self.while_working()
        if self.error:
            raise self.error
        if self.only_upright:
            size = check_jpeg(jpeg, max_bytes=2**20, max_px=10**6)
            upright = int(size.height_px > size.width_px)
            self.boxes_px, self.encodings = (a_box(),) * upright, some_encodings(upright)
        return Analysis(
            boxes_px=self.boxes_px,
            encodings=self.encodings,
            turns=tuple(at / 10 for at in range(len(self.encodings))),
            encoded=self.encoded,
            left_out=self.left_out,
            sharpness=(50.0,) * len(self.boxes_px),
            picture_rgb=np.zeros((48, 64, 3), np.uint8),
        )

    def enrol(self, picture_rgb: PictureRgb) -> EncodedFace:
        """Return the encoding of seed 1, or fail."""
        assert picture_rgb.shape == (48, 64, 3)
        if self.error:
            raise self.error
        return EncodedFace(some_encodings(1), some_looks())
