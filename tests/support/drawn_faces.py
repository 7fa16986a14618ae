"""Faces drawn by a few ellipses, of nobody: for screenshots that are published."""

import io
from functools import cache

from PIL import Image, ImageDraw

_SKINS = ("#f0c8a0", "#c98d5f", "#8a5a3b", "#e8b58e", "#5f3d2a")
_HAIRS = ("#3b2a20", "#171310", "#8f6a3a", "#5a5a60", "#70331c")
_WALLS = ("#7f8fa3", "#9c8f7d", "#6f8577", "#8a7f96", "#7a7f86")


@cache
def a_drawn_face(seed: int, *, size_px: int = 160) -> bytes:
    """Return a JPEG of a drawn face."""
    picture = Image.new("RGB", (size_px * 2, size_px * 2), _WALLS[seed % 5])
    draw = ImageDraw.Draw(picture)
    side = size_px * 2

    def oval(middle_x: float, middle_y: float, wide: float, high: float, colour: str) -> None:
        box = (
            (middle_x - wide) * side,
            (middle_y - high) * side,
            (middle_x + wide) * side,
            (middle_y + high) * side,
        )
        draw.ellipse(box, fill=colour)

    skin, hair = _SKINS[seed % 5], _HAIRS[(seed * 3 + 1) % 5]
    oval(0.5, 1.08, 0.44, 0.3, ("#2d4a6a", "#6a3d3d", "#3f5a46", "#444c5a", "#5b4a70")[seed * 2 % 5])
    oval(0.5, 0.78, 0.11, 0.17, skin)
    oval(0.5, 0.42, 0.29, 0.33 + 0.02 * (seed % 3), hair)
    oval(0.5, 0.5, 0.235, 0.31, skin)
    oval(0.5, 0.2, 0.22, 0.08 + 0.02 * (seed % 2), hair)
    for x in (0.41, 0.59):
        oval(x, 0.47, 0.045, 0.025, "#ffffff")
        oval(x, 0.47, 0.02, 0.022, ("#2f4f2f", "#3a2a1a", "#33506e")[seed % 3])
        oval(x, 0.425, 0.055, 0.011, hair)
    oval(0.5, 0.57, 0.028, 0.05, skin)
    oval(0.5, 0.585, 0.03, 0.014, _darker(skin))
    oval(0.5, 0.68, 0.075, 0.02 + 0.006 * (seed % 2), "#a8534f")
    file = io.BytesIO()
    picture.resize((size_px, size_px), Image.Resampling.LANCZOS).save(file, "JPEG", quality=85)
    return file.getvalue()


def _darker(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) * 4 // 5 for at in (1, 3, 5))
    return f"#{red:02x}{green:02x}{blue:02x}"
