"""Text on pictures: smooth at any size, in any script that a font on this machine has.

OpenCV's own fonts have ASCII only. Pillow's typeface (Aileron) has ASCII only, too. Text with other letters
is set in DejaVu Sans, which OpenCV's Linux wheels bring, or in the first system font that has all letters. A
line is rendered once and kept as a mask, so drawing it again is cheap.
"""

import math
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from turnstile.vision.arrays import PictureBgr

Mask = npt.NDArray[np.uint8]
"""uint8 `(height, width)`: 0 leaves the picture, 255 covers it."""

Colour = tuple[int, int, int]
"""Blue, green, red, each 0 to 255."""

BOLDNESS = 0.018
"""Width added around a glyph for bold, as a part of the size: Aileron has one weight."""

OTHER_FONTS: Final = (
    *("DejaVuSansCondensed.ttf", "DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial.ttf"),
    *("NotoSansCJK-Regular.ttc", "PingFang.ttc", "msyh.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf"),
    *("Arial Unicode.ttf", "unifont.ttf"),
)
"""Fonts to look for in OpenCV's folder and in the system's, in this order."""

OTHER_FONTS_SCALE = 0.94
"""Scale of the other fonts, whose letters are larger than Aileron's at the same size."""

SMALL_PX = 18
"""Up to this size letters are set four times larger and reduced: set at whole pixels, words run together."""

_FINER = 4
_NEVER_A_LETTER = "\uffff"


def width_of(text: str, size_px: int, *, bold: bool = False) -> int:
    """Return how many pixels wide a line of text is."""
    return int(_line(text, size_px, bold).shape[1])


def line_height(size_px: int) -> int:
    """Return how many pixels high a line of text of this size is, whatever its letters."""
    ascent, descent = _font("", size_px).getmetrics()
    return int(ascent + descent)


@lru_cache(maxsize=512)
def shortened(text: str, size_px: int, max_width_px: int, *, bold: bool = False) -> str:
    """Return the text, cut with an ellipsis if it would be wider; empty if nothing fits."""
    if width_of(text, size_px, bold=bold) <= max_width_px:
        return text
    for end in range(len(text) - 1, 0, -1):
        cut = text[:end].rstrip() + "…"
        if width_of(cut, size_px, bold=bold) <= max_width_px:
            return cut
    return ""


def write(
    picture: PictureBgr, text: str, *, at: tuple[int, int], size_px: int, colour: Colour, bold: bool = False
) -> None:
    """Draw a line of text with its top left corner at `at`; parts outside of the picture are cut off."""
    blend(picture, _line(text, size_px, bold), at=at, colour=colour)


def blend(picture: PictureBgr, mask: Mask, *, at: tuple[int, int], colour: Colour) -> None:
    """Blend a colour into a picture by a mask, whose top left corner is at `at`."""
    left, top = at
    height, width = picture.shape[:2]
    from_x, from_y = max(0, -left), max(0, -top)
    mask = mask[from_y : max(from_y, height - top), from_x : max(from_x, width - left)]
    if mask.size == 0:
        return
    left, top = max(0, left), max(0, top)
    under = picture[top : top + mask.shape[0], left : left + mask.shape[1]]
    cover = cv2.merge((mask, mask, mask))
    solid = np.empty_like(under)
    cv2.rectangle(solid, (0, 0), mask.shape[::-1], colour, cv2.FILLED)
    over = cv2.multiply(solid, cover, scale=1 / 255)
    rest = cv2.multiply(under, cv2.bitwise_not(cover), scale=1 / 255)
    cv2.add(over, rest, dst=under)


@lru_cache(maxsize=512)
def _line(text: str, size_px: int, bold: bool) -> Mask:  # noqa: FBT001 - positional for the cache
    """Return a line of text as a mask; all lines of a size are equally high and share a baseline."""
    text = _printable(text)
    finer = _FINER if size_px <= SMALL_PX else 1
    family = _family(text)
    font = _font(family, round(size_px * finer * (OTHER_FONTS_SCALE if family else 1)))
    stroke = BOLDNESS * size_px * finer if bold else 0.0
    width = math.ceil((font.getlength(text) + 2 * stroke) / finer) + 1
    canvas = Image.new("L", (width * finer, line_height(size_px) * finer))
    baseline = (stroke, _font("", size_px).getmetrics()[0] * finer)
    ImageDraw.Draw(canvas).text(baseline, text, fill=255, font=font, anchor="ls", stroke_width=stroke)
    mask = np.asarray(canvas, np.uint8)
    if finer > 1:
        reduced = (canvas.width // finer, canvas.height // finer)
        mask = np.asarray(cv2.resize(mask, reduced, interpolation=cv2.INTER_AREA), np.uint8)
    mask.setflags(write=False)
    return mask


def _printable(text: str) -> str:
    """Return the text on one line in composed form (NFC); file names may hold accents apart."""
    return "".join(letter if letter.isprintable() else " " for letter in unicodedata.normalize("NFC", text))


def _family(text: str) -> str:
    """Return the first font that has all letters of a text, or else the font that has most of them."""
    letters = frozenset(text) - {" "}
    if all(_has("", letter) for letter in letters):
        return ""
    best, best_missing = "", len(letters) + 1
    for family in OTHER_FONTS:
        missing = sum(not _has(family, letter) for letter in letters)
        if missing == 0:
            return family
        if missing < best_missing:
            best, best_missing = family, missing
    return best


@lru_cache(maxsize=4096)
def _has(family: str, letter: str) -> bool:
    """Tell whether a font has a letter: it draws something other than its box for a missing letter."""
    try:
        font = _font(family, 24)
    except OSError:
        return False
    drawn, box = font.getmask(letter), font.getmask(_NEVER_A_LETTER)
    return drawn.size != box.size or bytes(drawn) != bytes(box)


@lru_cache(maxsize=128)
def _font(family: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Return a font, Pillow's own when no family is named.

    Raises:
        OSError: this machine has no such font.
    """
    if not family:
        font = ImageFont.load_default(size_px)
        assert isinstance(font, ImageFont.FreeTypeFont)  # noqa: S101 - so since Pillow 10.1, given FreeType
        return font
    brought = Path(cv2.__file__).parent / "qt" / "fonts" / family
    return ImageFont.truetype(brought if brought.is_file() else family, size_px)
