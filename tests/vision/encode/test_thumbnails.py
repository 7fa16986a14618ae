"""The picture of a face that goes into the log stays small, whatever the frame holds."""

import cv2
import numpy as np
import pytest

from turnstile.protocol.fields import MAX_THUMBNAIL_BYTES, Box
from turnstile.protocol.jpeg import check_jpeg
from turnstile.vision.encode.thumbnails import LONG_SIDE_PX, thumbnail

FRAME = np.random.default_rng(4).integers(0, 255, (480, 640, 3), np.uint8)
"""Noise: the hardest picture to compress."""


def a_box(*, left: int = 100, top: int = 100, size: int = 80) -> Box:
    """Return a square face."""
    return Box(left=left, top=top, right=left + size, bottom=top + size)


@pytest.mark.parametrize("size", [1, 20, 80, 400])
def test_a_thumbnail_is_a_small_baseline_jpeg(size: int) -> None:
    """Even noise fits into the bytes that a message has for it."""
    jpeg = thumbnail(FRAME, a_box(size=size))
    assert len(jpeg) <= MAX_THUMBNAIL_BYTES
    width, height = check_jpeg(jpeg, max_bytes=MAX_THUMBNAIL_BYTES, max_px=LONG_SIDE_PX**2)
    assert max(width, height) <= LONG_SIDE_PX


def test_a_thumbnail_keeps_colours_in_order() -> None:
    """A red face stays red."""
    red = np.zeros((200, 200, 3), np.uint8)
    red[..., 0] = 200
    pixels = cv2.imdecode(np.frombuffer(thumbnail(red, a_box(left=50, top=50)), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels[10, 10, 2] > 180
    assert pixels[10, 10, 0] < 20


@pytest.mark.parametrize(("left", "top"), [(-40, -40), (600, 440)])
def test_a_face_at_the_edge_is_cut_to_the_picture(left: int, top: int) -> None:
    """Detectors may give boxes that reach beyond the frame."""
    assert thumbnail(FRAME, a_box(left=left, top=top))


@pytest.mark.parametrize(("left", "top"), [(-500, 0), (0, -500), (5000, 0), (0, 5000)])
def test_a_face_outside_the_picture_has_no_thumbnail(left: int, top: int) -> None:
    """There is nothing to show, and no error."""
    assert thumbnail(FRAME, a_box(left=left, top=top)) == b""
