"""Where in a frame to look for faces: everywhere, or near the faces of the frame before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from turnstile.errors import PictureError
from turnstile.protocol.fields import Box, Hint, overlap_of
from turnstile.vision.arrays import ENROLMENT_LONG_SIDE_PX, PictureRgb

MAX_HINT_AGE_S = 1.0
"""Boxes older than this are not searched: at 1 m/s, a face of 16 cm has moved six of its widths."""

MAX_HINTED = 6
"""With more faces to follow, one search of the whole picture costs no more than theirs."""

MARGIN = 0.3
"""Margin around a box to search, on each side, in widths of the box. A search of the whole picture
finds people who moved farther. On the clips of `benchmarks.engine`, 0.3 finds as much as 0.4; 0.25 less."""

AREA_BELOW = 0.7
"""Below this scale pictures are reduced by averaging. Above it interpolation is ten times as fast and
still uses every pixel."""

SMALLEST_FACE_PX = 20
"""Faces of an enrolment picture down to this are found to be told that they are too small."""

SAME_FACE_OVERLAP = 0.3
"""Boxes whose intersection over union is greater are the same face."""

FindBoxes = Callable[[PictureRgb], Sequence[Box]]
"""Returns the boxes of the faces in a picture."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A face and its score."""

    box_px: Box
    score: float
    """Score in the detector's own scale; 0 is dlib's own threshold."""


class Detector(Protocol):
    """Finds faces in whole pictures and in parts of them."""

    @property
    def description(self) -> str:
        """Return the detector's name and runtime, for people."""
        ...

    def scan(self, picture_rgb: PictureRgb) -> list[Detection]:
        """Return the faces of a picture, clipped to it."""
        ...

    def search(self, picture_rgb: PictureRgb, around: Box) -> list[Detection]:
        """Return faces at and close to a box, of about its size."""
        ...


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """The faces of a frame, and whether all of it was searched."""

    boxes_px: tuple[Box, ...]
    full_scan: bool


def find(detector: Detector, picture_rgb: PictureRgb, hint: Hint | None, *, full_scan_every: int) -> Sighting:
    """Return the faces of a frame, looking near hinted boxes first if that is allowed.

    The whole picture is searched if the hint is missing, old, empty or a crowd. So it is if a full scan is
    due, or a hinted face is not found. A newcomer beside people who stay is seen after at most
    `full_scan_every` recognized frames of that camera.
    """
    if hint is not None and is_worth_following(hint, full_scan_every=full_scan_every):
        near = [_best(detector.search(picture_rgb, box), box) for box in hint.boxes_px]
        seen = [found for found in near if found is not None]
        if len(seen) == len(near):
            return Sighting(boxes_px=_boxes(seen), full_scan=False)
    return in_full(detector.scan(picture_rgb))


def in_full(found: Sequence[Detection]) -> Sighting:
    """Return the faces of the whole picture."""
    return Sighting(boxes_px=_boxes(found), full_scan=True)


def is_worth_following(hint: Hint, *, full_scan_every: int) -> bool:
    """Tell whether to look only near the hinted boxes first."""
    return (
        0 < len(hint.boxes_px) <= MAX_HINTED
        and hint.age_s <= MAX_HINT_AGE_S
        and hint.frames_since_full_scan + 1 < full_scan_every
    )


def _best(candidates: Sequence[Detection], around: Box) -> Detection | None:
    """Return the surest face that touches a box, or `None`."""
    touching = [found for found in candidates if overlap_of(found.box_px, around) > 0]
    return max(touching, key=lambda found: found.score, default=None)


def _boxes(found: Sequence[Detection]) -> tuple[Box, ...]:
    """Return one box a face, biggest first."""
    boxes = [face.box_px for face in distinct(found)]
    return tuple(sorted(boxes, key=lambda box: -box.width * box.height))


def distinct(found: Sequence[Detection]) -> list[Detection]:
    """Return the surest of each group of overlapping faces, surest first."""
    kept: list[Detection] = []
    for face in sorted(found, key=lambda face: -face.score):
        if all(overlap_of(face.box_px, other.box_px) <= SAME_FACE_OVERLAP for other in kept):
            kept.append(face)
    return kept


def the_one_face(boxes: Sequence[Box], picture_rgb: PictureRgb, *, min_face_px: int) -> Box:
    """Return the only face of an enrolment picture, of those found there.

    Raises:
        PictureError: there is none, there are several, or it is narrower than `min_face_px`.
    """
    if not boxes:
        raise PictureError("no face found; the face must be upright, unobstructed and turned to the camera")
    if len(boxes) > 1:
        raise PictureError(f"{len(boxes)} faces found; there must be exactly one")
    if boxes[0].width < min_face_px:
        scaled = max(picture_rgb.shape[:2]) >= ENROLMENT_LONG_SIDE_PX
        advice = (
            f"; the picture was scaled to {ENROLMENT_LONG_SIDE_PX} px: crop it to the face" if scaled else ""
        )
        raise PictureError(
            f"the face is too small: {boxes[0].width} px wide, at least {min_face_px} are needed{advice}"
        )
    return boxes[0]


def missed_faces(picture_rgb: PictureRgb, *, find: FindBoxes, find_small: FindBoxes) -> Sequence[Box]:
    """Return faces that are too small for `find`, for a reason that helps; empty if there is no face at all.

    Raises:
        PictureError: there is a face, and it is not upright.
    """
    for quarters in (1, 3, 2):
        if find(np.ascontiguousarray(np.rot90(picture_rgb, quarters))):
            raise PictureError("the face is not upright; turn the picture and save it")
    return find_small(picture_rgb)


@dataclass(frozen=True, kw_only=True)
class Region:
    """A part of a picture, and its scale and place in the picture."""

    left: int
    top: int
    right: int
    bottom: int
    scale: float

    def enlarged(self, by: int) -> "Region":
        """Return this part of a picture in pixels of the same picture `by` times as large."""
        sides = (side * by for side in (self.left, self.top, self.right, self.bottom))
        left, top, right, bottom = sides
        return Region(left=left, top=top, right=right, bottom=bottom, scale=self.scale / by)

    def box(
        self, left: float, top: float, right: float, bottom: float, *, within: tuple[int, ...]
    ) -> Box | None:
        """Return a box of the scaled part in pixels of the picture, clipped; `None` if nothing is left.

        `within` is the picture's shape: height, width.
        """
        height, width = within[:2]
        clipped = Box(
            left=max(0, round(left / self.scale) + self.left),
            top=max(0, round(top / self.scale) + self.top),
            right=min(width, round(right / self.scale) + self.left),
            bottom=min(height, round(bottom / self.scale) + self.top),
        )
        return clipped if clipped.width > 0 and clipped.height > 0 else None


def part_around(box: Box, *, within: PictureRgb, face_px: float) -> Region:
    """Return the surroundings of a box, scaled so that the box becomes `face_px` wide."""
    height, width = within.shape[:2]
    reach_x, reach_y = round(MARGIN * box.width), round(MARGIN * box.height)
    return Region(
        left=min(width, max(0, box.left - reach_x)),
        top=min(height, max(0, box.top - reach_y)),
        right=max(0, min(width, box.right + reach_x)),
        bottom=max(0, min(height, box.bottom + reach_y)),
        scale=face_px / max(1, box.width),
    )
