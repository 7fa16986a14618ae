"""MediaPipe's full-range BlazeFace: a convolutional detector that costs a fraction of HOG.

The whole picture is searched at a scale at which the smallest face is `COARSE_FACE_PX` wide. Places that
score too low to be sure are searched again, closer; what is still in doubt is shown to another detector.
Source: MediaPipe, `modules/face_detection/face_detection_full_range_common.pbtxt`; Bazarevsky et al.,
"BlazeFace", 2019.
"""

import functools
import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from turnstile.protocol.fields import Box
from turnstile.vision.arrays import REDUCTIONS, PictureRgb, Reduction
from turnstile.vision.detect.search import Detection, Detector, Region, distinct
from turnstile.vision.models import blazeface_file
from turnstile.vision.models.blazeface_file import CELL_PX, STEP_PX
from turnstile.vision.models.runtime import PrecisionName

COARSE_FACE_PX = 16
"""Width of the smallest face in the network's input when the whole picture is searched."""

COARSE_DOUBT = 0.15
"""Below this score the search of the whole picture drops a place.

Of 215 faces of LFW's development set, 42 pixels wide somewhere in a frame of 640x480, `COARSE_FACE_PX` 16
keeps all at 0.15, with 0.8 other places a frame. With 12 it keeps .995 and 1.3 others; our HOG finds .995
(2026-11)."""

MIN_BOX_SHARE = 0.8
"""A narrower box than this share of `min_face_px` is dropped. BlazeFace also sees faces of 14 pixels where 40
are asked for, and their encodings say nothing. Boxes vary by a tenth."""

SURE_SCORE = 0.6
"""Above it, a place is a face without another look. MediaPipe's own threshold is 0.5.

Faces of `lfw_dev`, 669 of them, lay somewhere in frames of 640x480, 43 and 61 pixels wide. For all 40 that
scored 0.5 to 0.6 the closer look gave more. The other detector saw all 4 for which that gave 0.5 to 0.6,
and 7 of 13 other places there, some of them people behind (2026-11)."""

CLOSE_DOUBT = 0.2
"""What the closer look gives less is no face; between this and `SURE_SCORE` another detector decides."""

CLOSE_FACE_PX = 28
CLOSE_SIDE_PX = 64
"""Width of a face that is searched near a box, and side of the input then."""

NATIVE_PX = 256
"""In a larger input the largest faces are searched in a copy `COARSER` times smaller besides."""

COARSER = 4

TILE_PX = 640
"""Longest side of an input. A larger picture is searched in tiles, which bounds memory."""

TILE_OVERLAP_PX = 96
"""Shared by two tiles: a face of `COARSER * COARSE_FACE_PX` and its surroundings lie whole in one of them."""

SHIFT_RIGHT, SHIFT_DOWN, RESIZE = -0.012, 0.030, 0.983
"""What makes HOG's box, which dlib's landmarks want, of BlazeFace's, in widths of it.

Medians of 1,681 pictures of one half of the people of LFW's development set, faces 28 pixels wide in the
input (2026-11). The other half gives -0.012, 0.032 and 0.982."""

MAX_DOUBTS = 16
"""Most doubtful places that get a second look, surest first. It bounds the time of a strange picture."""

MAX_SIZES = 8
"""Most sizes of input that are kept loaded, the latest used: one for each size of camera, and a few more."""

MIDDLE_GREY = 127


class BlazeFaceDetector:
    """Finds faces of `min_face_px` and more, and asks another detector about doubtful places."""

    def __init__(
        self, *, min_face_px: int, second_look: Detector, precision: PrecisionName = "float32"
    ) -> None:
        self._scale = COARSE_FACE_PX / min_face_px
        self._min_box_px = MIN_BOX_SHARE * min_face_px
        self._second_look = second_look
        self._network = functools.lru_cache(MAX_SIZES)(
            functools.partial(blazeface_file.network, precision=precision)
        )
        self._runtime = self._network(CLOSE_SIDE_PX, CLOSE_SIDE_PX).description

    @property
    def description(self) -> str:
        """Return the detector's name and runtime, for people."""
        return f"blazeface, scan at {self._scale:.2f}, {self._runtime}"

    @property
    def reduction(self) -> Reduction:
        """Return the factor by which a JPEG may be decoded smaller and still do for `coarse`."""
        return max(by for by in REDUCTIONS if by * self._scale <= 1 or by == 1)

    def scan(self, picture_rgb: PictureRgb) -> list[Detection]:
        """Return the faces of a picture, clipped to it."""
        return self.settle(picture_rgb, self.coarse(picture_rgb, reduced=1))

    def coarse(self, picture_rgb: PictureRgb, *, reduced: Reduction) -> list[Detection]:
        """Return where faces may be, in pixels of the whole picture, from one decoded smaller."""
        height, width = picture_rgb.shape[:2]
        found: list[Detection] = []
        for part in _parts(width, height, scale=self._scale * reduced):
            found += self._run(picture_rgb, part, min_score=COARSE_DOUBT, reduced=reduced)
        return self._large_enough(distinct(found))

    def settle(self, picture_rgb: PictureRgb, coarse: Sequence[Detection]) -> list[Detection]:
        """Return which of the places are faces, clipped, after another look at the doubtful ones."""
        sure = [_clipped(found, picture_rgb) for found in coarse if found.score >= SURE_SCORE]
        doubts = [found for found in coarse if found.score < SURE_SCORE]
        again = [close for doubt in doubts[:MAX_DOUBTS] for close in self.search(picture_rgb, doubt.box_px)]
        return distinct(self._large_enough([*sure, *again]))

    def _large_enough(self, found: Sequence[Detection]) -> list[Detection]:
        return [one for one in found if one.box_px.width >= self._min_box_px]

    def search(self, picture_rgb: PictureRgb, around: Box) -> list[Detection]:
        """Return faces at and close to a box, of about its size."""
        part = _close_part(around, within=picture_rgb)
        middle = ((around.left + around.right) / 2, (around.top + around.bottom) / 2)
        places = self._run(picture_rgb, part, min_score=CLOSE_DOUBT, middle=middle)
        sure = [found for found in places if found.score >= SURE_SCORE]
        return sure if sure or not places else self._second_look.search(picture_rgb, around)

    def _run(
        self,
        picture_rgb: PictureRgb,
        part: Region,
        *,
        min_score: float,
        reduced: Reduction = 1,
        middle: tuple[float, float] | None = None,
    ) -> list[Detection]:
        """Return the places of a part, surest first, in pixels of the whole picture.

        Args:
            picture_rgb: the picture.
            part: of that picture.
            min_score: what is worth a look.
            reduced: how many times smaller than the whole picture it was decoded.
            middle: as in `_input`.
        """
        pixels = picture_rgb[part.top : part.bottom, part.left : part.right]
        if min(pixels.shape[:2]) * part.scale < 1:
            return []
        canvas, x, y = _input(pixels, part, middle)
        height, width = canvas.shape[1:3]
        logits, values = self._network(width, height).run(canvas)
        whole = part.enlarged(reduced)
        within = tuple(side * reduced for side in picture_rgb.shape[:2])
        found = []
        for score, left, top, right, bottom in _places(
            logits[0, :, 0], values[0], min_score=min_score, columns=width // CELL_PX
        ):
            box = whole.box(left - x, top - y, right - x, bottom - y, within=within)
            if box is not None:
                found.append(Detection(box_px=box, score=score))
        return distinct(found)


def _input(
    pixels: PictureRgb, part: Region, middle: tuple[float, float] | None
) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Return what the network is shown of a part, and where in that the part begins, across and down.

    Grey surrounds the part, because a face at the edge of the input scores less. With a point of the picture
    as `middle` the input is the smallest, and has that point in its middle.
    """
    width, height = (max(1, round(side * part.scale)) for side in (pixels.shape[1], pixels.shape[0]))
    if middle is None:
        side_x, side_y = (math.ceil(side / STEP_PX) * STEP_PX for side in (width, height))
        x, y = (side_x - width) // 2, (side_y - height) // 2
    else:
        side_x = side_y = CLOSE_SIDE_PX
        x = _offset(width, (middle[0] - part.left) * part.scale)
        y = _offset(height, (middle[1] - part.top) * part.scale)
    canvas = np.full((1, side_y, side_x, 3), MIDDLE_GREY, np.uint8)
    canvas[0, y : y + height, x : x + width] = _resized(pixels, width, height)
    return canvas, x, y


def _resized(pixels: PictureRgb, width: int, height: int) -> PictureRgb:
    """Return pixels at another size. Halving is three times as fast as averaging, and uses all pixels too."""
    while pixels.shape[1] >= 2 * width and pixels.shape[0] >= 2 * height:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        even = pixels[: 2 * half[1], : 2 * half[0]]
        pixels = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    if pixels.shape[:2] != (height, width):
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return pixels


def _offset(length: int, middle: float) -> int:
    """Return where a part begins in the smallest input, so that its middle is the input's if it has room."""
    return min(max(0, round(CLOSE_SIDE_PX / 2 - middle)), CLOSE_SIDE_PX - length)


def _places(
    logits: npt.NDArray[np.float32], values: npt.NDArray[np.float32], *, min_score: float, columns: int
) -> list[tuple[float, float, float, float, float]]:
    """Return score, left, top, right and bottom of all cells that are worth a look, as HOG's boxes lie."""
    cells = np.flatnonzero(logits > math.log(min_score / (1 - min_score)))
    centre_x = (cells % columns + 0.5) * CELL_PX + values[cells, 0]
    centre_y = (cells // columns + 0.5) * CELL_PX + values[cells, 1]
    wide, high = values[cells, 2], values[cells, 3]
    centre_x, centre_y = centre_x + SHIFT_RIGHT * wide, centre_y + SHIFT_DOWN * high
    half_x, half_y = RESIZE / 2 * wide, RESIZE / 2 * high
    scores = 1 / (1 + np.exp(-logits[cells]))
    sides = (scores, centre_x - half_x, centre_y - half_y, centre_x + half_x, centre_y + half_y)
    return [tuple(row) for row in np.stack(sides, axis=1).tolist()]


def _parts(width: int, height: int, *, scale: float) -> Iterator[Region]:
    """Give the parts of a picture to search: all of it, in tiles if it is large, then smaller copies."""
    yield from _tiles(width, height, scale=scale)
    if max(width, height) * scale > NATIVE_PX:
        yield from _parts(width, height, scale=scale / COARSER)


def _tiles(width: int, height: int, *, scale: float) -> Iterator[Region]:
    for top, bottom in _spans(height, scale=scale):
        for left, right in _spans(width, scale=scale):
            yield Region(left=left, top=top, right=right, bottom=bottom, scale=scale)


def _spans(length: int, *, scale: float) -> list[tuple[int, int]]:
    """Return the ends of the equal spans, none longer than a tile, that a side of a picture is cut into."""
    longest, shared = TILE_PX / scale, TILE_OVERLAP_PX / scale
    count = max(1, math.ceil((length - shared) / (longest - shared)))
    step = (length - shared) / count
    ends = [min(length, round(at * step + step + shared)) for at in range(count)]
    return [(round(at * step), end) for at, end in enumerate(ends)] if count > 1 else [(0, length)]


def _close_part(around: Box, *, within: PictureRgb) -> Region:
    """Return the surroundings of a box that fill the smallest input."""
    height, width = within.shape[:2]
    scale = CLOSE_FACE_PX / max(1, around.width)
    reach = math.floor(CLOSE_SIDE_PX / scale / 2)
    middle_x, middle_y = (around.left + around.right) // 2, (around.top + around.bottom) // 2
    return Region(
        left=min(width, max(0, middle_x - reach)),
        top=min(height, max(0, middle_y - reach)),
        right=max(0, min(width, middle_x + reach)),
        bottom=max(0, min(height, middle_y + reach)),
        scale=scale,
    )


def _clipped(found: Detection, picture_rgb: PictureRgb) -> Detection:
    height, width = picture_rgb.shape[:2]
    box = found.box_px
    inside = Box(left=box.left, top=box.top, right=min(box.right, width), bottom=min(box.bottom, height))
    return Detection(box_px=inside, score=found.score)
