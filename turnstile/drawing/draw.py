"""From a picture and a `View` to a tile: boxes, names, banners and notices, at any size.

Pictures are uint8 `(height, width, 3)`, blue first. A tile is the rectangle of the canvas that shows one
camera. All sizes follow from the tile's, so a wall of sixteen tiles is as legible as one window.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import cv2
import numpy as np

from turnstile.drawing.lettering import Colour, Mask, blend, line_height, shortened, width_of, write
from turnstile.drawing.tile_layout import Rect, TileLayout
from turnstile.protocol.fields import Box
from turnstile.screen.guidance import BETWEEN
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

MARK_COLOURS: dict[MarkKind, Colour] = {
    "granted": MINT,
    "denied": CORAL,
    "person": MUTED,
    "unknown": MUTED,
    "local": AMBER,
}
LABEL_COLOURS: dict[MarkKind, Colour] = {"granted": MINT, "denied": CORAL}
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


def draw_tile(tile: PictureBgr, base: Fitted, view: View) -> TileLayout:
    """Draw one camera into its tile, which is as large as `base`, and return what stands where.

    `base` stays as it is.
    """
    np.copyto(tile, _dimmed(base.pixels) if view.dimmed else base.pixels)
    faces = [_on_tile(base, mark, view.frame_px) for mark in view.marks]
    layout = TileLayout(width=tile.shape[1], height=tile.shape[0], faces=faces)
    thick = max(2, round(_unit(tile) * 0.005))
    for mark, face in zip(view.marks, faces, strict=True):
        _draw_corners(tile, face, MARK_COLOURS[mark.kind], thick)
    layout.take(Rect(0, 0, tile.shape[1], _title_height(tile)))
    bottom = tile.shape[0]
    if view.notice is not None and view.light in ("live", "stale"):
        bottom = layout.take(_draw_strip(tile, view.notice, view.light)).top
    elif view.notice is not None:
        layout.take(_draw_card(tile, view.notice))
    for rect in _draw_banners(tile, view.banners, bottom):
        layout.take(rect)
    unplaced = "" if _draw_advice(tile, view.advice, layout) else view.advice
    _draw_title(tile, view, unplaced)
    for mark, face in sorted(zip(view.marks, faces, strict=True), key=lambda one: one[1].left - one[1].right):
        if mark.label:
            _draw_label(tile, mark, face, layout)
    return layout


def _unit(tile: PictureBgr) -> float:
    """Return the size that all others of a tile follow from: its height, or 9/16 of its width."""
    return float(min(tile.shape[0], tile.shape[1] * 9 / 16 * 1.25))


def _text_px(tile: PictureBgr, share: float) -> int:
    return max(MIN_TEXT_PX, round(_unit(tile) * share))


def _dimmed(pixels: PictureBgr) -> PictureBgr:
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.convertScaleAbs(grey, alpha=0.3, beta=8), np.uint8)


def _on_tile(base: Fitted, mark: Mark, frame_px: tuple[int, int]) -> Rect:
    """Return where a face is on the tile."""
    across, down = base.width / frame_px[0], base.height / frame_px[1]
    left, right = (base.left + round(x * across) for x in (mark.box_px.left, mark.box_px.right))
    top, bottom = (base.top + round(y * down) for y in (mark.box_px.top, mark.box_px.bottom))
    return Rect(left, top, right, bottom)


def _draw_label(tile: PictureBgr, mark: Mark, face: Rect, layout: TileLayout) -> None:
    """Draw who a face is where there is room: with the distance, without it, or not at all."""
    thick = max(2, round(_unit(tile) * 0.005))
    size = _text_px(tile, 0.03)
    pad = round(size * 0.45)
    height = line_height(size) + pad
    label = shortened(mark.label, size, max(tile.shape[1] // 2, face.right - face.left), bold=True)
    for detail in dict.fromkeys((mark.detail, "")):
        wide = width_of(label, size, bold=True) + 2 * pad + thick
        wide += width_of(detail, size) + pad if detail else 0
        at = layout.at_face(face, (wide, height), thick)
        if at is None:
            continue
        _shade(tile, at, INK, 0.78)
        _shade(tile, Rect(at.left, at.top, at.left + thick, at.bottom), MARK_COLOURS[mark.kind], 1.0)
        x, y = at.left + thick + pad, at.top + pad // 2
        colour = LABEL_COLOURS.get(mark.kind, WHITE)
        write(tile, label, at=(x, y), size_px=size, colour=colour, bold=True)
        if detail:
            x += width_of(label, size, bold=True) + pad
            write(tile, detail, at=(x, y), size_px=size, colour=MUTED)
        return


def _draw_corners(tile: PictureBgr, edges: Rect, colour: Colour, thick: int) -> None:
    """Draw a thin frame with strong corners, which leaves the face free."""
    left, top, right, bottom = edges
    cv2.rectangle(tile, (left, top), (right, bottom), colour, 1, cv2.LINE_AA)
    reach = max(thick * 2, round(min(right - left, bottom - top) * 0.2))
    for x, inward in ((left, reach), (right, -reach)):
        for y, downward in ((top, reach), (bottom, -reach)):
            cv2.line(tile, (x, y), (x + inward, y), colour, thick, cv2.LINE_AA)
            cv2.line(tile, (x, y), (x, y + downward), colour, thick, cv2.LINE_AA)


def _title_height(tile: PictureBgr) -> int:
    size = _text_px(tile, 0.03)
    return min(int(tile.shape[0]), line_height(size) + 2 * round(size * 0.6))


def _draw_title(tile: PictureBgr, view: View, advice: str) -> None:
    """Draw the camera's name and how it is, or advice that has no room below without covering a face."""
    size = _text_px(tile, 0.03)
    pad, high = round(size * 0.6), _title_height(tile)
    under = tile[:high]
    cv2.multiply(under, _fade(high, tile.shape[1]), dst=under, scale=1 / 255)
    dot = round(size * 0.3)
    blend(tile, _disc(dot), at=(pad, high // 2 - dot - pad // 4), colour=LIGHT_COLOURS[view.light])
    x, y = pad + 2 * dot + pad * 3 // 4, (high - line_height(size)) // 2 - pad // 4
    name = shortened(advice or view.camera, size, tile.shape[1] - x - pad, bold=True)
    write(tile, name, at=(x, y), size_px=size, colour=AMBER if advice else WHITE, bold=True)
    room = tile.shape[1] - x - width_of(name, size, bold=True) - 3 * pad
    if view.status and (wide := width_of(view.status, size)) <= room:
        write(tile, view.status, at=(tile.shape[1] - pad - wide, y), size_px=size, colour=MUTED)


def _draw_advice(tile: PictureBgr, advice: str, layout: TileLayout) -> bool:
    """Draw advice large enough to read from the door, where no face is; return whether there was room."""
    for share in (0.05, 0.04):
        if not advice or _draw_row(tile, advice, _text_px(tile, share), layout):
            return True
    rows = [_draw_row(tile, one, MIN_TEXT_PX, layout) for one in advice.split(BETWEEN)]
    return any(rows)


def _draw_row(tile: PictureBgr, text: str, size: int, layout: TileLayout) -> bool:
    pad = round(size * 0.5)
    wide, high = width_of(text, size, bold=True) + 2 * pad, line_height(size) + pad
    at = layout.in_a_row((wide, high))
    if at is None:
        return False
    _shade(tile, at, AMBER, 0.9)
    write(tile, text, at=(at.left + pad, at.top + pad // 2), size_px=size, colour=INK, bold=True)
    return True


def _draw_strip(tile: PictureBgr, notice: Notice, light: Light) -> Rect:
    """Draw a warning along the bottom, over the picture, in one line or two; return where."""
    back, ink = (RED, WHITE) if light == "live" else (AMBER, INK)
    size = _text_px(tile, 0.036)
    pad, width = round(size * 0.6), tile.shape[1]
    title = shortened(notice.title, size, width - 2 * pad, bold=True)
    detail = shortened(notice.detail, size, width - 2 * pad)
    wide = width_of(detail, size)
    in_one = width_of(title, size, bold=True) + wide + 4 * pad <= width
    high = line_height(size) * (1 if in_one or not detail else 2) + 2 * pad
    top = tile.shape[0] - high
    strip = Rect(0, top, width, tile.shape[0])
    _shade(tile, strip, back, 0.9)
    write(tile, title, at=(pad, top + pad), size_px=size, colour=ink, bold=True)
    at = (width - pad - wide, top + pad) if in_one else (pad, top + pad + line_height(size))
    write(tile, detail, at=at, size_px=size, colour=ink)
    return strip


def _draw_card(tile: PictureBgr, notice: Notice) -> Rect:
    """Draw a notice in the middle, for want of a fresh picture; return where."""
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
    bottom = y + line_height(large) + (line_height(small) if detail else 0)
    return Rect((tile.shape[1] - room) // 2, y, (tile.shape[1] + room) // 2, bottom)


def _draw_banners(tile: PictureBgr, banners: Sequence[Banner], bottom: int) -> Iterator[Rect]:
    """Draw the decisions upwards from `bottom`, the newest lowest, in the tile's lower half; give where."""
    for older, banner in enumerate(reversed(banners)):
        top = bottom - _banner_height(tile)
        if older and top < tile.shape[0] * 0.5:
            break
        yield _draw_banner(tile, banner, Rect(0, top, tile.shape[1], bottom))
        bottom = top
    if banners:
        edge = max(2, round(_unit(tile) * 0.006))
        corner = (tile.shape[1] - 1 - edge // 2, tile.shape[0] - 1 - edge // 2)
        cv2.rectangle(tile, (edge // 2, edge // 2), corner, VERDICT_COLOURS[banners[-1].verdict], edge)


def _banner_sizes(tile: PictureBgr) -> tuple[int, int, int]:
    """Return the sizes of a banner's title and of its words, and its padding."""
    large = _text_px(tile, 0.062)
    return large, _text_px(tile, 0.042), round(large * 0.5)


def _banner_height(tile: PictureBgr) -> int:
    large, small, pad = _banner_sizes(tile)
    return line_height(large) + line_height(small) + pad


def _draw_banner(tile: PictureBgr, banner: Banner, rect: Rect) -> Rect:
    """Draw one decision, and return where."""
    _, top, width, bottom = rect
    (large, small, pad), high = _banner_sizes(tile), bottom - top
    _shade(tile, rect, VERDICT_COLOURS[banner.verdict], 0.88)
    _shade(tile, Rect(0, top, width, top + 1), WHITE, 0.35)
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
    return rect


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


def _shade(tile: PictureBgr, edges: Rect, colour: Colour, cover: float) -> None:
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
