"""The demo's attack: a photograph of an enrolled person, held before the side door's camera by a hand.

The hand moves, turns and tilts it, as nobody holds a picture quite still.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from turnstile.commands.demo import clip
from turnstile.commands.demo.clip import Appearance, Picture

SHOWN = Appearance(still="obama2.jpg", face_px=(171, 290, 438, 558), person="Barack Obama", stay_s=9.0)
COMES_S, ENDS_S = 3.0, 15.0
"""When it comes into view, and when the clip ends."""

HEIGHT_PX, BORDER_PX = 330, 10
FAR_PX = 900.0
"""How far away the hand is, in pixels of the picture."""


def render(path: Path, *, stills: Path) -> None:
    """Write the side door's clip: the empty hall, the photograph for a while, and the empty hall.

    Raises:
        PictureError: the still is missing, or the clip cannot be written.
    """
    clip.write(path, _frames(stills))


def view(at_s: float, *, stills: Path, shown: Appearance = SHOWN) -> Picture:
    """Return one picture of a still in the hand.

    Raises:
        PictureError: the still is missing.
    """
    sheet = _sheet(stills, shown)
    height, width, _ = sheet.shape
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2.0
    tilted = np.c_[corners, np.zeros(4)] @ _turn(at_s).T
    near = FAR_PX / (FAR_PX * (1 + 0.03 * np.sin(1.1 * at_s)) + tilted[:, 2])
    middle = [clip.WIDTH_PX / 2 + 9 * np.sin(2.3 * at_s), clip.HEIGHT_PX / 2 + 6 * np.sin(3.1 * at_s + 1)]
    seen = (tilted[:, :2] * near[:, None] + middle).astype(np.float32)
    flat = (corners - corners[0]).astype(np.float32)
    warp = cv2.getPerspectiveTransform(flat, seen)
    hall = clip.hall()
    size = (clip.WIDTH_PX, clip.HEIGHT_PX)
    seen_in = cv2.warpPerspective(sheet, warp, size, hall, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    return np.asarray(seen_in, np.uint8)


def _turn(at_s: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return how the hand has turned the sheet: up to 12 degrees aside, 8 to the back and 4 in the plane."""
    angles = np.deg2rad([8 * np.sin(1.7 * at_s + 2), 12 * np.sin(1.3 * at_s), 4 * np.sin(0.9 * at_s)])
    return np.asarray(cv2.Rodrigues(angles)[0], np.float64)


@cache
def _sheet(stills: Path, shown: Appearance) -> Picture:
    person = clip.person_in(stills, shown)
    scale = HEIGHT_PX / person.shape[0]
    picture = cv2.resize(person, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width, _ = picture.shape
    sheet = np.full((height + 2 * BORDER_PX, width + 2 * BORDER_PX, 3), 235, np.uint8)
    sheet[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = picture
    return sheet


def _frames(stills: Path) -> Iterator[Picture]:
    for number in range(round(ENDS_S * clip.FPS)):
        at_s = number / clip.FPS
        held = COMES_S <= at_s < COMES_S + SHOWN.stay_s
        yield clip.noisy(view(at_s, stills=stills) if held else clip.hall(), number)
