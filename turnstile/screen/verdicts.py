"""Whose verdict a face on screen bears: decisions are followed from the box that decided to later results.

A face is shown as granted only while it bears the name that was granted. A denial stays with its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from turnstile.protocol.fields import Box, overlap_of
from turnstile.protocol.messages import Access, Face, Verdict

GONE_S = 2.0
"""A decision whose face was not seen for so long is forgotten."""

MIN_OVERLAP = 0.2
"""Intersection over union of a face's boxes in two results in a row; less is somebody else. Unmeasured."""


@dataclass(kw_only=True)
class _Followed:
    """A decision, and where its face was last."""

    access: Access
    box_px: Box
    seen_s: float


@dataclass(kw_only=True)
class FollowedVerdicts:
    """The decisions about people in view."""

    _followed: list[_Followed] = field(default_factory=list)
    """Newest first."""

    def add(self, access: Access, *, now_s: float) -> None:
        """Take a decision."""
        if access.box_px is not None:
            self._followed.insert(0, _Followed(access=access, box_px=access.box_px, seen_s=now_s))

    def of(
        self, faces: Sequence[Face], names: Sequence[str | None], *, now_s: float
    ) -> tuple[Verdict | None, ...]:
        """Return the verdict of each face of a result, and follow the faces from there."""
        found: dict[int, Verdict] = {}
        for one in self._followed:
            likeness = {
                at: _likeness(one, face.box_px, name)
                for at, (face, name) in enumerate(zip(faces, names, strict=True))
                if at not in found
            }
            best = max(likeness, key=likeness.__getitem__, default=None)
            if best is not None and likeness[best] > 0:
                found[best] = one.access.verdict
                one.box_px, one.seen_s = faces[best].box_px, now_s
        self._followed = [one for one in self._followed if now_s - one.seen_s <= GONE_S]
        return tuple(found.get(at) for at in range(len(faces)))


def _likeness(one: _Followed, box_px: Box, name: str | None) -> float:
    """Return how surely a face is the one that was decided about; 0 if it is not."""
    overlap = overlap_of(one.box_px, box_px)
    same_place = overlap if overlap >= MIN_OVERLAP else 0.0
    if name is not None and name == one.access.person:
        return 1.0 + overlap
    return 0.0 if one.access.verdict == "granted" else same_place
