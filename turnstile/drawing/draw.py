"""From a picture and a `View` to a tile: boxes, names, banners and notices, at any size.

Pictures are uint8 `(height, width, 3)`, blue first. A tile is the rectangle of the canvas that shows one
camera. All sizes follow from the tile's, so a wall of sixteen tiles is as legible as one window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import cv2
import numpy as np

from turnstile.drawing.lettering import Colour, Mask, blend, line_height, shortened, width_of, write
from turnstile.protocol.fields import Box
from turnstile.screen.scene import Banner, Light, Mark, MarkKind, Notice, View
from turnstile.vision.arrays import PictureBgr

INK: Colour = (26, 21, 18)
WHITE: Colour = (255, 255, 255)
MUTED: Colour = (208, 204, 200)
GREEN: Colour = (74, 163, 22)
RED: Colour = (38, 38, 220)
AMBER: Colour = (11, 158, 245)
MINT: Colour = (140, 222, 74)
CORAL: Colour = (108, 108, 250)
GREY: Colour = (160, 150, 145)

MARK_COLOURS: dict[MarkKind, Colour] = {"person": MINT, "unknown": CORAL, "local": AMBER}
LIGHT_COLOURS: dict[Light, Colour] = {"live": MINT, "waiting": GREY, "stale": AMBER, "lost": CORAL}
VERDICT_COLOURS = {"granted": GREEN, "denied": RED}

ASPECT = 1.5
"""Between the shapes of 4:3 and of 16:9."""

MIN_TEXT_PX = 11
GAP_PX = 6
_FINER = 4


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A picture scaled into a tile, with the tile's bars around it."""

    pixels: PictureBgr
    left: int
    top: int
    width: int
    height: int
    """Where in the tile the picture lies."""


def keep_to_calling_thread() -> None:
    """Have OpenCV start no threads of its own, in this whole process.

    A display shares its machine, and pictures of this size gain nothing from a second core. On a busy machine
    p95 to scale fell from 5.9 to 1.8 ms, and p95 to decode from 9.1 to 4.8 ms.
    """
    cv2.setNumThreads(1)


def tiles(count: int, size_px: tuple[int, int]) -> tuple[Box, ...]:
    """Return each camera's tile on a canvas of this width and height: as large as can be."""
    width, height = size_px
    columns = max(range(1, count + 1), key=lambda n: min(width / n / ASPECT, height / ceil(count / n)))
    rows = ceil(count / columns)
    gap = GAP_PX if count > 1 else 0
    across, down = (width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows
    return tuple(
        Box(
            left=round(column * (across + gap)),
            top=round(row * (down + gap)),
            right=round(column * (across + gap) + across),
            bottom=round(row * (down + gap) + down),
        )
        for row, column in (divmod(index, columns) for index in range(count))
    )


def fitted(picture: PictureBgr | None, size_px: tuple[int, int]) -> Fitted:
    """Return a picture scaled to lie centred in a tile of this width and height, or an empty tile."""
    width, height = size_px
    if picture is None:
        return Fitted(pixels=_solid((height, width), INK), left=0, top=0, width=width, height=height)
    scale = min(width / picture.shape[1], height / picture.shape[0])
    inner = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    # Linear is five times as fast as area, and as good down to a half.
    how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    scaled = picture if inner == picture.shape[1::-1] else cv2.resize(picture, inner, interpolation=how)
    bars = (top, height - inner[1] - top, left, width - inner[0] - left)
    pixels = cv2.copyMakeBorder(scaled, *bars, cv2.BORDER_CONSTANT, value=INK) if any(bars) else scaled
    return Fitted(pixels=np.asarray(pixels, np.uint8), left=left, top=top, width=inner[0], height=inner[1])


def draw_tile(tile: PictureBgr, base: Fitted, view: View) -> None:
    """Draw one camera into its tile, which is as large as `base`. `base` stays as it is."""
    np.copyto(tile, _dimmed(base.pixels) if view.dimmed else base.pixels)
    for mark in view.marks:
        _draw_mark(tile, base, mark, view.frame_px)
    _draw_title(tile, view)
    if view.advice:
        _draw_advice(tile, view.advice)
    if view.light == "stale" and view.notice is not None:
        _draw_strip(tile, view.notice)
    elif view.notice is not None:
        _draw_card(tile, view.notice)
    _draw_banners(tile, view.banners)


def _unit(tile: PictureBgr) -> float:
    """Return the size that all others of a tile follow from: its height, or 9/16 of its width."""
    return float(min(tile.shape[0], tile.shape[1] * 9 / 16 * 1.25))


def _text_px(tile: PictureBgr, share: float) -> int:
    return max(MIN_TEXT_PX, round(_unit(tile) * share))


def _dimmed(pixels: PictureBgr) -> PictureBgr:
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.convertScaleAbs(grey, alpha=0.3, beta=8), np.uint8)


def _draw_mark(tile: PictureBgr, base: Fitted, mark: Mark, frame_px: tuple[int, int]) -> None:
    colour = MARK_COLOURS[mark.kind]
    across, down = base.width / frame_px[0], base.height / frame_px[1]
    left, right = (base.left + round(x * across) for x in (mark.box_px.left, mark.box_px.right))
    top, bottom = (base.top + round(y * down) for y in (mark.box_px.top, mark.box_px.bottom))
    thick = max(2, round(_unit(tile) * 0.005))
    _draw_corners(tile, (left, top, right, bottom), colour, thick)
    size = _text_px(tile, 0.03)
    pad = round(size * 0.45)
    label = shortened(mark.label, size, max(tile.shape[1] // 2, right - left), bold=True)
    width = width_of(label, size, bold=True) + 2 * pad + thick
    if mark.detail:
        width += width_of(mark.detail, size) + pad
    height = line_height(size) + pad
    x = min(max(0, left - thick // 2), max(0, tile.shape[1] - width))
    y = top - thick - height if top - thick - height >= 0 else min(bottom + thick, tile.shape[0] - height)
    _shade(tile, (x, y, x + width, y + height), INK, 0.78)
    _shade(tile, (x, y, x + thick, y + height), colour, 1.0)
    at = x + thick + pad, y + pad // 2
    write(tile, label, at=at, size_px=size, colour=WHITE, bold=True)
    if mark.detail:
        at = at[0] + width_of(label, size, bold=True) + pad, at[1]
        write(tile, mark.detail, at=at, size_px=size, colour=MUTED)


def _draw_corners(tile: PictureBgr, edges: tuple[int, int, int, int], colour: Colour, thick: int) -> None:
    """Draw a thin frame with strong corners, which leaves the face free."""
    left, top, right, bottom = edges
    cv2.rectangle(tile, (left, top), (right, bottom), colour, 1, cv2.LINE_AA)
    reach = max(thick * 2, round(min(right - left, bottom - top) * 0.2))
    for x, inward in ((left, reach), (right, -reach)):
        for y, downward in ((top, reach), (bottom, -reach)):
            cv2.line(tile, (x, y), (x + inward, y), colour, thick, cv2.LINE_AA)
            cv2.line(tile, (x, y), (x, y + downward), colour, thick, cv2.LINE_AA)


def _draw_title(tile: PictureBgr, view: View) -> None:
    size = _text_px(tile, 0.03)
    pad = round(size * 0.6)
    high = min(tile.shape[0], line_height(size) + 2 * pad)
    under = tile[:high]
    cv2.multiply(under, _fade(high, tile.shape[1]), dst=under, scale=1 / 255)
    dot = round(size * 0.3)
    blend(tile, _disc(dot), at=(pad, high // 2 - dot - pad // 4), colour=LIGHT_COLOURS[view.light])
    x, y = pad + 2 * dot + pad * 3 // 4, (high - line_height(size)) // 2 - pad // 4
    name = shortened(view.camera, size, tile.shape[1] - x - pad, bold=True)
    write(tile, name, at=(x, y), size_px=size, colour=WHITE, bold=True)
    room = tile.shape[1] - x - width_of(name, size, bold=True) - 3 * pad
    if view.status and (wide := width_of(view.status, size)) <= room:
        write(tile, view.status, at=(tile.shape[1] - pad - wide, y), size_px=size, colour=MUTED)


def _draw_advice(tile: PictureBgr, advice: str) -> None:
    """Draw advice below the title, centred and large enough to read from the door."""
    size = _text_px(tile, 0.05)
    pad = round(size * 0.5)
    text = shortened(advice, size, tile.shape[1] - 4 * pad, bold=True)
    left = (tile.shape[1] - width_of(text, size, bold=True)) // 2
    top = line_height(_text_px(tile, 0.03)) + 3 * pad
    right, bottom = tile.shape[1] - left + pad, min(tile.shape[0], top + line_height(size) + pad)
    _shade(tile, (left - pad, top, right, bottom), AMBER, 0.9)
    write(tile, text, at=(left, top + pad // 2), size_px=size, colour=INK, bold=True)


def _draw_strip(tile: PictureBgr, notice: Notice) -> None:
    """Draw a warning along the bottom, over the picture."""
    size = _text_px(tile, 0.036)
    pad = round(size * 0.6)
    high, width = line_height(size) + 2 * pad, tile.shape[1]
    top = tile.shape[0] - high
    _shade(tile, (0, top, width, tile.shape[0]), AMBER, 0.9)
    detail = shortened(notice.detail, size, width - 2 * pad)
    title_wide = width_of(notice.title, size, bold=True)
    if title_wide + width_of(detail, size) + 4 * pad <= width:
        write(tile, notice.title, at=(pad, top + pad), size_px=size, colour=INK, bold=True)
        at = width - pad - width_of(detail, size), top + pad
        write(tile, detail, at=at, size_px=size, colour=INK)
    else:
        write(tile, detail, at=(pad, top + pad), size_px=size, colour=INK)


def _draw_card(tile: PictureBgr, notice: Notice) -> None:
    """Draw a notice in the middle, for want of a fresh picture."""
    room = round(tile.shape[1] * 0.9)
    large, small = _text_px(tile, 0.062), _text_px(tile, 0.034)
    title = shortened(notice.title, large, room, bold=True)
    detail = shortened(notice.detail, small, room)
    y = (tile.shape[0] - line_height(large) - (line_height(small) if detail else 0)) // 2
    x = (tile.shape[1] - width_of(title, large, bold=True)) // 2
    write(tile, title, at=(x, y), size_px=large, colour=WHITE, bold=True)
    if detail:
        x = (tile.shape[1] - width_of(detail, small)) // 2
        write(tile, detail, at=(x, y + line_height(large)), size_px=small, colour=MUTED)


def _draw_banners(tile: PictureBgr, banners: Sequence[Banner]) -> None:
    """Draw the decisions from the bottom up, the newest lowest."""
    bottom = tile.shape[0]
    for banner in reversed(banners):
        if bottom < tile.shape[0] * 0.5:
            break
        bottom = _draw_banner(tile, banner, bottom)
    if banners:
        edge = max(2, round(_unit(tile) * 0.006))
        corner = (tile.shape[1] - 1 - edge // 2, tile.shape[0] - 1 - edge // 2)
        cv2.rectangle(tile, (edge // 2, edge // 2), corner, VERDICT_COLOURS[banners[-1].verdict], edge)


def _draw_banner(tile: PictureBgr, banner: Banner, bottom: int) -> int:
    """Draw one decision with its lower edge at `bottom`; return its upper edge."""
    width = tile.shape[1]
    large, small = _text_px(tile, 0.062), _text_px(tile, 0.042)
    pad = round(large * 0.5)
    high = line_height(large) + line_height(small) + pad
    top = bottom - high
    _shade(tile, (0, top, width, bottom), VERDICT_COLOURS[banner.verdict], 0.88)
    _shade(tile, (0, top, width, top + 1), WHITE, 0.35)
    radius = round(high * 0.3)
    _draw_sign(tile, (pad + radius, top + high // 2), radius, banner)
    x = pad + 2 * radius + pad
    title = shortened(banner.title, large, width - x - pad, bold=True)
    write(tile, title, at=(x, top + pad // 2), size_px=large, colour=WHITE, bold=True)
    who = shortened(banner.who, small, width - x - pad)
    below = top + pad // 2 + line_height(large)
    write(tile, who, at=(x, below), size_px=small, colour=WHITE)
    tiny = _text_px(tile, 0.03)
    wide = width_of(banner.detail, tiny)
    if x + width_of(who, small) + wide + 3 * pad <= width:
        at = width - pad - wide, below + (line_height(small) - line_height(tiny)) // 2
        write(tile, banner.detail, at=at, size_px=tiny, colour=WHITE)
    return top


def _draw_sign(tile: PictureBgr, centre: tuple[int, int], radius: int, banner: Banner) -> None:
    """Draw a tick or a cross, for people who cannot tell green from red."""
    x, y = centre
    blend(tile, _disc(radius), at=(x - radius, y - radius), colour=WHITE)
    colour, thick, r = VERDICT_COLOURS[banner.verdict], max(2, round(radius * 0.22)), radius * 0.42
    if banner.verdict == "granted":
        bends = [(x - r, y + r * 0.1), (x - r * 0.25, y + r * 0.8), (x + r, y - r * 0.7)]
        cv2.polylines(tile, [np.array(bends).round().astype(np.int32)], False, colour, thick, cv2.LINE_AA)
    else:
        d = round(r * 0.85)
        cv2.line(tile, (x - d, y - d), (x + d, y + d), colour, thick, cv2.LINE_AA)
        cv2.line(tile, (x - d, y + d), (x + d, y - d), colour, thick, cv2.LINE_AA)


def _shade(tile: PictureBgr, edges: tuple[int, int, int, int], colour: Colour, cover: float) -> None:
    """Cover a rectangle with a colour: 0 leaves the picture, 1 hides it."""
    left, top, right, bottom = edges
    under = tile[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if under.size:
        cv2.addWeighted(_solid(under.shape[:2], colour), cover, under, 1 - cover, 0, dst=under)


def _solid(shape: tuple[int, ...], colour: Colour) -> PictureBgr:
    """Return a picture of one colour; OpenCV fills it ten times faster than NumPy."""
    solid = np.empty((*shape, 3), np.uint8)
    cv2.rectangle(solid, (0, 0), (shape[1], shape[0]), colour, cv2.FILLED)
    return solid


@lru_cache(maxsize=32)
def _fade(height: int, width: int) -> PictureBgr:
    """Return the factors that darken the top of a tile behind its title, and leave the rest."""
    rows = np.linspace(70, 255, height).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(rows[:, None, None], (height, width, 3)))


@lru_cache(maxsize=64)
def _disc(radius: int) -> Mask:
    """Return a filled circle with smooth edges."""
    side = 2 * radius * _FINER
    disc = np.zeros((side, side), np.uint8)
    cv2.circle(disc, (side // 2, side // 2), side // 2 - 1, 255, cv2.FILLED)
    return np.asarray(cv2.resize(disc, (2 * radius, 2 * radius), interpolation=cv2.INTER_AREA), np.uint8)
