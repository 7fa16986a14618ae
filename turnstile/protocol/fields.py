"""Types of message fields, with the ranges that decoding holds them to."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from turnstile.protocol.reasons import Advice

MAX_NAME_CHARS = 63
NAME_PATTERN = r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z"
Name = Annotated[
    str,
    Meta(
        pattern=NAME_PATTERN,
        description=f"a name of letters, digits, '-' and '_', at most {MAX_NAME_CHARS}",
    ),
]
"""A node's, camera's or instance's name: letters, digits, ``_`` and ``-``; at most 63."""

Token = Annotated[str, Meta(pattern=r"\A[0-9a-f]{0,32}\Z")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Nanoseconds = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Milliseconds = Annotated[float, Meta(ge=0, le=1e9)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Pixel = Annotated[int, Meta(ge=-65536, le=65536)]
Size = Annotated[int, Meta(ge=1, le=65536)]
Share = Annotated[float, Meta(ge=0, le=1)]
Distance = Annotated[float, Meta(ge=0, le=4)]
Level = Annotated[float, Meta(ge=0, le=255)]
Text = Annotated[str, Meta(max_length=500)]
STEERING = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Characters that steer a terminal or the direction of writing, for use inside ``[]`` of a pattern."""

PERSON_PATTERN = rf"\A[^{STEERING}]{{1,200}}\Z"
PersonName = Annotated[
    str, Meta(pattern=PERSON_PATTERN, description="a name of 1 to 200 characters that print")
]
"""A person's name; it is written into logs and onto screens, so it holds nothing that steers them."""

Label = Annotated[str, Meta(max_length=64)]
"""The name of a counter."""

Gauge = Annotated[float, Meta(ge=-1e15, le=1e15)]

MAX_FACES = 256
MAX_LABELS = 128
MAX_THUMBNAIL_BYTES = 16 * 1024
THUMBNAIL_MARGIN = 0.25
"""Kept on each side of the face in a thumbnail, as a part of the face's width and height."""
ENCODING_BYTES = 128 * 4

Thumbnail = Annotated[bytes, Meta(max_length=MAX_THUMBNAIL_BYTES)]
"""A small JPEG of a face, at most 16 kB; empty when there is none."""


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A face's rectangle in pixels of the frame as captured; right and bottom are exclusive."""

    left: Pixel
    top: Pixel
    right: Pixel
    bottom: Pixel

    @property
    def width(self) -> int:
        """Return the width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Return the height in pixels."""
        return self.bottom - self.top


class Timings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a recognizer's time went, on its monotonic clock."""

    decode_ms: Milliseconds = 0.0
    detect_ms: Milliseconds = 0.0
    encode_ms: Milliseconds = 0.0
    match_ms: Milliseconds = 0.0
    total_ms: Milliseconds = 0.0


class Hint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the camera's faces were in its latest result, and for how many results since a full scan."""

    boxes_px: Annotated[tuple[Box, ...], Meta(max_length=MAX_FACES)]
    age_s: Seconds
    """How much earlier the frame of those boxes came to the broker."""
    frames_since_full_scan: Count
    find_only: Annotated[
        tuple[Annotated[int, Meta(ge=0, lt=MAX_FACES)], ...], Meta(max_length=MAX_FACES)
    ] = ()
    """Indices in `boxes_px` of the faces that need not be encoded, as long as they are where they were."""


class Advised(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One piece of advice, for one face or for everybody in view."""

    advice: Advice
    box_px: Box | None = None
    """The face it is for; `None` if it is for everybody."""


class Looks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured of the face in an enrolment picture."""

    width_px: Size
    sharpness: Annotated[float, Meta(ge=0, le=1e12)]
    """As `Face.sharpness`."""
    brightness: Level
    """Mean of the grey face."""
    contrast: Level
    """Standard deviation of the grey face."""
    side_light: Annotated[float, Meta(ge=0, le=512)]
    """Difference between its left and right half, as a part of its brightness."""
    turn: Distance
    """How far the base of the nose lies beside the middle of the eyes, in distances of the eyes."""
    nod: Distance
    """How far it lies below them."""
    spread: Distance
    """Mean distance of the encodings of several cut-outs to their mean; 0 if there is one."""


ALONE_WIDTHS = 1.5
"""Another face nearer than this, in widths of the wider one, may take the place of this one."""


def apart_widths(a: Box, b: Box) -> float:
    """Return how far the centres of two faces are apart, in widths of the wider one."""
    across = (a.left + a.right - b.left - b.right) / 2
    down = (a.top + a.bottom - b.top - b.bottom) / 2
    return float((across**2 + down**2) ** 0.5 / max(1, a.width, b.width))


def overlap_of(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union, 0 to 1."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.width * one.height + other.width * other.height - shared)


def stands_alone(at: int, boxes_px: Sequence[Box]) -> bool:
    """Tell whether no other face is near one of these."""
    others = (box for other, box in enumerate(boxes_px) if other != at)
    return all(apart_widths(boxes_px[at], box) >= ALONE_WIDTHS for box in others)
