"""Stills as visits: pictures of people shaken, scaled, lit and compressed as before a camera, and encoded.

A visit of a still is harder than one of a living person: its frames agree on everything that is wrong with
the picture. So look-alikes are tried as the worst case, at any rate of results.
"""

import functools
import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.face_folders import face_in
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.encode.encoder import POLICIES, Encoder
from turnstile.vision.models import precision

FRAMES = 12
FACE_PX = (55, 90)
"""How wide the face is in the camera's picture."""

SWAY = 0.7
"""How much of a frame's disturbance the next one keeps."""

Floats = npt.NDArray[np.float32]


class Disturbance(NamedTuple):
    """How far a frame differs from the still, in standard deviations of each kind."""

    turn: float
    scale: float
    right: float
    down: float
    light: float
    contrast: float
    box: float
    blur: float


def encode_visits(files: Sequence[Path]) -> Floats:
    """Return float32 `(files, FRAMES, 128)`: each still as the frames of a visit.

    It takes about 10 ms a frame and core.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count()) as pool:
        return np.stack(pool.map(_encode_visit, list(enumerate(files)), chunksize=8))


@functools.cache
def _encoder() -> Encoder:
    return Encoder(precision.networks()["float32"], POLICIES["mirror"])


def _encode_visit(numbered: tuple[int, Path]) -> Floats:
    number, file = numbered
    picture, box = face_in(file)
    dice = np.random.default_rng(number)
    width_px = dice.uniform(*FACE_PX)
    state = dice.normal(size=len(Disturbance._fields))
    frames: list[Floats] = []
    for _ in range(FRAMES):
        state = SWAY * state + np.sqrt(1 - SWAY**2) * dice.normal(size=len(state))
        shown, place = frame_of(picture, box, Disturbance(*state), width_px=width_px, dice=dice)
        frames.append(_encoder().encode(shown, [place])[0])
    return np.stack(frames)


def frame_of(
    still: PictureRgb, box: Box, how: Disturbance, *, width_px: float, dice: np.random.Generator
) -> tuple[PictureRgb, Box]:
    """Return a still as a camera sees it, with its face about `width_px` wide, and where the face is."""
    scale = width_px / box.width * (1 + 0.03 * how.scale)
    centre = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    turned = cv2.getRotationMatrix2D(centre, 3 * how.turn, scale)
    side = round(3 * width_px)
    shift_px = 0.05 * width_px * np.array([how.right, how.down])
    turned[:, 2] = turned[:, 2] + side / 2 - np.array(centre) + shift_px
    frame = cv2.warpAffine(
        still, turned, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101
    )
    if how.blur > 0:
        frame = cv2.GaussianBlur(frame, (0, 0), 0.2 + 0.5 * how.blur)
    lit = (frame.astype(np.float64) - 128) * (1 + 0.08 * how.contrast) + 128 + 10 * how.light
    rgb = np.clip(lit + dice.normal(0, 3, lit.shape), 0, 255).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    seen = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB), np.uint8)
    half = width_px / 2 * (1 + 0.04 * how.box)
    shift = 0.05 * np.array([how.right, how.down]) + 0.02 * dice.normal(size=2)
    left, top = (round(float(at - half)) for at in side / 2 + width_px * shift)
    size = round(2 * half)
    return seen, Box(left=left, top=top, right=left + size, bottom=top + size)
