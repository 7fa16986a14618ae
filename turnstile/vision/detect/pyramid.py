"""dlib's tiled image pyramid: a picture in ever smaller copies, laid out on one canvas.

A network with a window of fixed size finds faces of all sizes in one run over the canvas. Sizes, places and
interpolation are dlib's own, so its boxes can be reproduced. Source: dlib 20.0,
`image_transforms/image_pyramid.h` (`compute_tiled_image_pyramid_details`, `pyramid_down<6>`) and
`dnn/input.h` (`input_image_pyramid`).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from turnstile.vision.arrays import PictureRgb

RATE = 5 / 6
"""Scale of each copy against the previous one."""

PADDING_PX = 10
OUTER_PADDING_PX = 11
MIN_HEIGHT_PX = 5

Planes = npt.NDArray[np.float32]
"""float32 `(1, 3, height, width)`, red first, 0 to 255."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """Where a copy lies on the canvas."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A canvas and the copies on it, largest first."""

    width: int
    height: int
    tiles: tuple[Tile, ...]

    def nearest(self, x: float, y: float) -> int:
        """Return the index of the tile that holds a point of the canvas, or lies nearest to it."""
        distances = [
            max(tile.left - x, x - (tile.left + tile.width - 1), 0) ** 2
            + max(tile.top - y, y - (tile.top + tile.height - 1), 0) ** 2
            for tile in self.tiles
        ]
        return distances.index(min(distances))

    def to_picture(self, x: float, y: float, *, tile: int) -> tuple[float, float]:
        """Return the point of the picture that a point of the canvas shows as part of a tile."""
        x, y = x - self.tiles[tile].left, y - self.tiles[tile].top
        for _ in range(tile):
            x, y = x / RATE + 0.3, y / RATE + 0.3
        return x, y


def lay_out(width: int, height: int, *, levels: int | None = None) -> Layout:
    """Return how the copies of a picture of that size are laid out: down one column, then up beside it.

    Args:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        levels: most copies, the picture itself included; `None` for all.
    """
    sizes = [(width, height)]
    while len(sizes) != levels:
        smaller = math.floor(RATE * sizes[-1][0]), math.floor(RATE * sizes[-1][1])
        if smaller[0] == 0 or smaller[1] < MIN_HEIGHT_PX:
            break
        sizes.append(smaller)
    column = _column_height(sizes)
    tiles: list[Tile] = []
    top = OUTER_PADDING_PX
    while top < column + OUTER_PADDING_PX and len(tiles) < len(sizes):
        wide, high = sizes[len(tiles)]
        tiles.append(Tile(left=OUTER_PADDING_PX, top=top, width=wide, height=high))
        top += high + PADDING_PX
    bottom = top - PADDING_PX
    for wide, high in sizes[len(tiles) :]:
        tile = Tile(left=OUTER_PADDING_PX + width - wide, top=bottom - high, width=wide, height=high)
        if tile.top < OUTER_PADDING_PX + height and tile.left < OUTER_PADDING_PX + width:
            break
        tiles.append(tile)
        bottom -= high + PADDING_PX
    return Layout(
        width=width + 2 * OUTER_PADDING_PX, height=column + 2 * OUTER_PADDING_PX, tiles=tuple(tiles)
    )


def _column_height(sizes: list[tuple[int, int]]) -> int:
    """Return the height of the first column: it ends when the next copy fits beside the previous one."""
    first_width, first_height = sizes[0]
    total = sum(high + PADDING_PX for _, high in sizes) - 2 * PADDING_PX
    column = previous_width = 0
    for wide, high in sizes:
        fits_beside = wide <= first_width - previous_width - PADDING_PX
        if fits_beside and (column - first_height) * 2 >= total - first_height:
            break
        column += high + PADDING_PX
        previous_width = wide
    return column - PADDING_PX


def draw(picture_rgb: PictureRgb, layout: Layout, *, background: tuple[float, float, float]) -> Planes:
    """Return the canvas; `background` is the colour that means nothing to the network."""
    canvas = np.empty((layout.height, layout.width, 3), np.float32)
    canvas[:] = background
    copy = picture_rgb.astype(np.float32)
    for tile in layout.tiles:
        if copy.shape[:2] != (tile.height, tile.width):
            copy = _shrink(copy, tile)
        canvas[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = copy
    return np.ascontiguousarray(canvas.transpose(2, 0, 1)[None])


def _shrink(copy: npt.NDArray[np.float32], tile: Tile) -> npt.NDArray[np.float32]:
    """Interpolate bilinearly so that corners fall on corners, as dlib does and `cv2.resize` does not."""
    height, width = copy.shape[:2]
    step_x, step_y = (width - 1) / max(tile.width - 1, 1), (height - 1) / max(tile.height - 1, 1)
    matrix = np.array([[step_x, 0, 0], [0, step_y, 0]])
    size, flags = (tile.width, tile.height), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shrunk = cv2.warpAffine(copy, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shrunk, np.float32)
