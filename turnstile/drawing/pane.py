"""A pane: one camera's tile on the canvas of a display, with its picture and what is drawn on it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from turnstile.drawing.draw import Fitted, draw_tile, fitted, tiles
from turnstile.protocol.fields import Box
from turnstile.protocol.messages import Frame
from turnstile.screen.scene import Scene, View
from turnstile.vision.arrays import PictureBgr, Reduction
from turnstile.vision.pictures import checked, decode_frame_bgr


@dataclass(kw_only=True)
class Pane:
    """A camera's scene, and the rectangle of the canvas it is drawn into."""

    scene: Scene
    tile: PictureBgr
    """A part of the canvas."""
    base: Fitted
    reduced: Reduction = 1
    """Pixels of the frame for one pixel of the decoded picture, in each direction."""
    view: View | None = None
    """As drawn last."""
    new_picture: bool = True

    def show(self, frame: Frame, *, now_s: float) -> PictureBgr:
        """Take a frame as the picture to draw on, and return its pixels, which are not to be changed.

        They come at full size, a half, a quarter or an eighth: the smallest that fills the tile.

        Raises:
            PictureError: it cannot be decoded; the previous picture stays.
        """
        size_px = self.tile.shape[1], self.tile.shape[0]
        self.reduced = _reduction(frame, size_px)
        picture = decode_frame_bgr(checked(frame.jpeg), reduced=self.reduced)
        self.base, self.new_picture = fitted(picture, size_px), True
        self.scene.frame(
            captured_ns=frame.captured_ns, size_px=(frame.width_px, frame.height_px), now_s=now_s
        )
        return picture

    def local(self, boxes_px: Sequence[Box], *, captured_ns: int) -> None:
        """Take the result of local detection in a picture that `show` returned."""
        k = self.reduced
        boxes = [
            Box(left=b.left * k, top=b.top * k, right=b.right * k, bottom=b.bottom * k) for b in boxes_px
        ]
        self.scene.local(boxes, captured_ns=captured_ns)

    def draw(self, view: View) -> bool:
        """Draw the tile if anything about it changed; return whether it was drawn."""
        if view == self.view and not self.new_picture:
            return False
        draw_tile(self.tile, self.base, view)
        self.view, self.new_picture = view, False
        return True


def make_panes(canvas: PictureBgr, scenes: Sequence[Scene]) -> dict[str, Pane]:
    """Return a pane for each camera, tiled over the canvas."""
    height, width = canvas.shape[:2]
    panes = {}
    for scene, at in zip(scenes, tiles(len(scenes), (width, height)), strict=True):
        tile = canvas[at.top : at.bottom, at.left : at.right]
        panes[scene.camera] = Pane(scene=scene, tile=tile, base=fitted(None, (at.width, at.height)))
    return panes


def make_canvas(size_px: tuple[int, int]) -> PictureBgr:
    """Return a black canvas of this width and height."""
    return np.zeros((size_px[1], size_px[0], 3), np.uint8)


def _reduction(frame: Frame, size_px: tuple[int, int]) -> Reduction:
    """Return the largest reduction at which a frame still fills a tile of this width and height."""
    spare = max(frame.width_px / size_px[0], frame.height_px / size_px[1])
    choices: tuple[Reduction, ...] = (8, 4, 2)
    return next((choice for choice in choices if spare >= choice), 1)
