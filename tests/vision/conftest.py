"""Pictures that the vision tests share."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from turnstile.commands.demo import samples
from turnstile.site.recognition import RecognitionSettings
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.engines.reference import ReferenceEngine
from turnstile.vision.pictures import decode_enrolment

Encode = Callable[[PictureRgb], bytes]


@pytest.fixture(scope="session")
def faces() -> Path:
    """Return the folder of sample faces."""
    return samples.folder()


@pytest.fixture(scope="session")
def obama(faces: Path) -> PictureRgb:
    """Return a portrait of one person."""
    return decode_enrolment((faces / "obama.jpg").read_bytes())


@pytest.fixture(scope="session")
def biden(faces: Path) -> PictureRgb:
    """Return a portrait of another person."""
    return decode_enrolment((faces / "biden.jpg").read_bytes())


@pytest.fixture(scope="session")
def two_people(obama: PictureRgb, biden: PictureRgb) -> PictureRgb:
    """Return a picture of both people side by side, their faces of different size."""
    side_by_side = np.zeros((600, 1000, 3), np.uint8)
    for picture, width_px, left in ((obama, 500, 0), (biden, 400, 550)):
        height_px = round(width_px * picture.shape[0] / picture.shape[1])
        scaled = cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_AREA)[:600]
        side_by_side[: scaled.shape[0], left : left + width_px] = scaled
    return side_by_side


@pytest.fixture
def as_jpeg() -> Encode:
    """Return a function that turns RGB pixels into a baseline JPEG."""

    def encode(picture_rgb: PictureRgb) -> bytes:
        done, data = cv2.imencode(".jpg", cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2BGR))
        assert done
        return data.tobytes()

    return encode


@pytest.fixture(scope="session")
def reference() -> ReferenceEngine:
    """Return the reference engine with default settings."""
    return ReferenceEngine(RecognitionSettings(encode_budget_ms=10_000))
