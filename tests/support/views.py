"""What cameras of system tests see: sample faces, close up, or nobody."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from turnstile.commands.demo import samples
from turnstile.commands.demo.clip import APPEARANCES

OBAMA, OBAMA_AGAIN, BIDEN, NOBODY = "obama2.jpg", "obama3.jpg", "biden.jpg", "nobody"
"""Who can stand at a door: sample pictures that no test enrols for them, and an empty hall."""

SIZE_PX, FACE_PX = (320, 240), 110


def put(path: Path, contents: bytes) -> None:
    """Put a file in its place whole."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(contents)
    partial.replace(path)


@cache
def a_view(who: str) -> bytes:
    """Return what a camera sees: a face in the middle, 110 pixels wide, or nobody."""
    width_px, height_px = SIZE_PX
    picture = np.full((height_px, width_px, 3), 96, np.uint8)
    if who != NOBODY:
        picture = _close_up(who)
    done, jpeg = cv2.imencode(".jpg", picture)
    assert done
    return jpeg.tobytes()


def _close_up(who: str) -> npt.NDArray[np.uint8]:
    left, top, right, bottom = next(one.face_px for one in APPEARANCES if one.still == who)
    still = cv2.imread(str(samples.folder() / who))
    assert still is not None
    scale = FACE_PX / (right - left)
    across = SIZE_PX[0] / 2 - scale * (left + right) / 2
    down = SIZE_PX[1] / 2 - scale * (top + bottom) / 2
    matrix = np.array([[scale, 0, across], [0, scale, down]])
    return np.asarray(
        cv2.warpAffine(still, matrix, SIZE_PX, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )
