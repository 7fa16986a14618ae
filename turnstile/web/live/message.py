"""What a page is told while it is open: a header in JSON, and after it a JPEG as the camera made it.

A message begins with the header's length in four bytes, most significant first. Scripts of the page read it
(``static/live.js``).
"""

import struct
from typing import Annotated

import msgspec
from msgspec import Meta

from turnstile.errors import WireError
from turnstile.protocol.envelope import UNREADABLE
from turnstile.protocol.fields import Name
from turnstile.protocol.messages import Frame
from turnstile.screen.scene import Banner, Mark, Notice, View
from turnstile.web.live.credits import Pace
from turnstile.web.live.decisions import DecisionLine

_LENGTH = struct.Struct(">I")


class LiveHeader(msgspec.Struct, frozen=True, kw_only=True, tag_field="t"):
    """What all headers share: immutable, tagged."""


class DoorHeader(LiveHeader, frozen=True, kw_only=True, tag="door"):
    """A door as the window shows it; `turnstile.screen.scene` explains the fields."""

    camera: str
    seq: int = 0
    """Of the picture that follows."""
    captured_ms: float = 0.0
    """When it was taken, by its machine's clock."""
    age_ms: float = 0.0
    """How long ago the web node got it."""
    size_px: tuple[int, int]
    light: str
    words: str
    """How the door is, in words."""
    status: str
    marks: tuple[Mark, ...]
    banners: tuple[Banner, ...]
    advice: str
    notice: Notice | None


class SiteHeader(LiveHeader, frozen=True, kw_only=True, tag="site"):
    """How the site is; it comes every two seconds at least, so a page knows that it is heard."""

    troubles: tuple[str, ...]
    version: str
    """Of the scripts and styles: a page that has others loads itself anew."""


class DecisionHeader(LiveHeader, frozen=True, kw_only=True, tag="decision"):
    """A decision at a door."""

    line: DecisionLine


class PageWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a page says."""

    watch: Annotated[dict[Name, Pace], Meta(max_length=256)] | None = None
    """The doors whose pictures are in view; `None`: as before."""
    ready: Annotated[tuple[Name, ...], Meta(max_length=256)] = ()
    """Cameras whose last picture is drawn."""


_wishes = msgspec.json.Decoder(PageWish)


def of_door(view: View, words: str, frame: Frame | None = None, *, age_s: float = 0.0) -> DoorHeader:
    """Return the header of a door, and of a frame if one is to follow."""
    return DoorHeader(
        camera=view.camera,
        seq=0 if frame is None else frame.seq,
        captured_ms=0.0 if frame is None else frame.captured_ns / 1e6,
        age_ms=round(age_s * 1e3, 1),
        size_px=view.frame_px,
        light=view.light,
        words=words,
        status=view.status,
        marks=view.marks,
        banners=view.banners,
        advice=view.advice,
        notice=view.notice,
    )


def pack(header: LiveHeader, jpeg: bytes = b"") -> bytes:
    """Return a message."""
    head = msgspec.json.encode(header)
    return b"".join((_LENGTH.pack(len(head)), head, jpeg))


def read_wish(text: str | bytes) -> PageWish:
    """Return what a page says.

    Raises:
        WireError: it is not understood.
    """
    try:
        return _wishes.decode(text)
    except UNREADABLE as error:
        raise WireError(f"not understood: {error}") from error
