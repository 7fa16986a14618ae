"""Whose name a face bears on screen while it is only found: the one it had a moment ago in its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from turnstile.protocol.fields import overlap_of
from turnstile.protocol.messages import Face

SAME_PLACE = 0.4
"""Intersection over union of a face's boxes in two results in a row. Unmeasured."""


@dataclass(kw_only=True)
class FollowedNames:
    """The faces of the latest result, and when each of them was last encoded."""

    keep_s: float
    """How long a face may bear a name without being encoded again."""
    _faces: list[tuple[Face, float]] = field(default_factory=list)

    def of(self, faces: Sequence[Face], *, now_s: float) -> tuple[Face, ...]:
        """Return the faces of a result, those that were only found as they were read before."""
        before = [one for one in self._faces if now_s - one[1] <= self.keep_s]
        self._faces = [
            self._as_known(face, before, now_s) if face.unread else (face, now_s) for face in faces
        ]
        return tuple(face for face, _ in self._faces)

    def _as_known(self, face: Face, before: Sequence[tuple[Face, float]], now_s: float) -> tuple[Face, float]:
        overlaps = [overlap_of(known.box_px, face.box_px) for known, _ in before]
        at = max(range(len(before)), key=overlaps.__getitem__, default=None)
        if at is None or overlaps[at] < SAME_PLACE:
            return face, now_s
        known, read_s = before[at]
        return msgspec.structs.replace(known, box_px=face.box_px), read_s
