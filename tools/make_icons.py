"""Make the icons of the installable page, from the shapes of `icon.svg`, in the display's colours.

.venv/bin/python tools/make_icons.py
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from turnstile.drawing.draw import INK, MINT, WHITE
from turnstile.drawing.lettering import Colour
from turnstile.vision.arrays import PictureBgr

STATIC = Path(__file__).resolve().parent.parent / "turnstile" / "io" / "web" / "static"
SIZES_PX = (192, 512)
FINER = 4
LINE = 34
CORNER = ((116, 196), (116, 148), (120, 132), (132, 120), (148, 116), (196, 116))
"""Upper left corner of the frame around a face, on a canvas of 512."""
TICK = ((186, 264), (236, 314), (330, 208))


def make(size_px: int) -> bytes:
    """Return the icon as PNG; it fills its square, as platforms cut it to their own shapes."""
    side = size_px * FINER
    canvas = np.full((side, side, 3), INK, np.uint8)
    corner = np.array(CORNER, np.float64)
    across = np.array((512, 0)) + corner * (-1, 1)
    for line in (corner, across, 512 - corner, 512 - across):
        _stroke(canvas, line, MINT)
    _stroke(canvas, np.array(TICK, np.float64), WHITE)
    small = cv2.resize(canvas, (size_px, size_px), interpolation=cv2.INTER_AREA)
    done, png = cv2.imencode(".png", small, (cv2.IMWRITE_PNG_COMPRESSION, 9))
    assert done  # noqa: S101 - OpenCV has PNG
    return png.tobytes()


def _stroke(canvas: PictureBgr, line: npt.NDArray[np.float64], colour: Colour) -> None:
    scale = canvas.shape[0] / 512
    points = (line * scale).round().astype(np.int32)
    cv2.polylines(canvas, [points], False, colour, round(LINE * scale), cv2.LINE_AA)


def main() -> None:
    """Write them."""
    for size_px in SIZES_PX:
        (STATIC / f"icon-{size_px}.png").write_bytes(make(size_px))


if __name__ == "__main__":
    main()
