"""Where things go on a tile: nothing covers anything else, and no words cover a face."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Rect(NamedTuple):
    """A rectangle of a tile, in pixels; `right` and `bottom` are beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    def meets(self, other: "Rect") -> bool:
        """Tell whether two rectangles have a pixel in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(kw_only=True)
class TileLayout:
    """What stands on a tile already."""

    width: int
    height: int
    faces: Sequence[Rect]
    taken: list[Rect] = field(default_factory=list)
    placed: list[Rect] = field(default_factory=list)
    """Those of them that were put where there was room."""

    def take(self, rect: Rect) -> Rect:
        """Note that something is drawn there."""
        self.taken.append(rect)
        return rect

    def is_free(self, rect: Rect, *, but_face: Rect | None = None) -> bool:
        """Tell whether a rectangle is on the tile and covers nothing; it may cover one face if so asked."""
        inside = rect.left >= 0 and rect.top >= 0 and rect.right <= self.width and rect.bottom <= self.height
        faces = (face for face in self.faces if face is not but_face)
        return inside and not any(rect.meets(other) for other in (*self.taken, *faces))

    def first_free(self, places: Iterable[Rect], *, but_face: Rect | None = None) -> Rect | None:
        """Return the first place that is free, and take it."""
        found = next((place for place in places if self.is_free(place, but_face=but_face)), None)
        if found is not None:
            self.placed.append(self.take(found))
        return found

    def at_face(self, face: Rect, size: tuple[int, int], gap: int) -> Rect | None:
        """Take a place of this width and height for what belongs to a face: beside it, or at its chin."""
        wide, high = size
        x = min(max(0, face.left - gap), max(0, self.width - wide))
        beside = (
            (x, face.top - gap - high),
            (x, face.bottom + gap),
            (face.right + gap, max(0, face.top)),
            (face.left - gap - wide, max(0, face.top)),
        )
        found = self.first_free(Rect(x, y, x + wide, y + high) for x, y in beside)
        low = min(face.bottom, *(one.top for one in self.taken if one.top > face.top), self.height) - high
        chin = Rect(x, low, x + wide, low + high)
        # The upper half has the eyes.
        return found or (
            self.first_free([chin], but_face=face) if low > (face.top + face.bottom) // 2 else None
        )

    def in_a_row(self, size: tuple[int, int]) -> Rect | None:
        """Take the highest free place of this width and height: centred, or else at one side."""
        return self.first_free(self._rows(*size))

    def _rows(self, wide: int, high: int) -> Iterator[Rect]:
        for x in ((self.width - wide) // 2, 0, self.width - wide):
            for y in range(0, self.height - high + 1, 2):
                yield Rect(x, y, x + wide, y + high)
