"""The demo's camera: a clip of people who walk up to a door, stay and leave, rendered from stills.

At its end somebody takes the place of the one before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from turnstile.errors import PictureError

Picture = npt.NDArray[np.uint8]
"""uint8 `(height, width, 3)`, blue first."""

WIDTH_PX, HEIGHT_PX, FPS = 640, 480, 15.0
FAR_FACE_PX, NEAR_FACE_PX = 34, 124
WALK_S, LEAVE_S, EMPTY_S = 3.0, 1.6, 4.0


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """One visit: who, from which still, and for how long."""

    still: str
    face_px: tuple[int, int, int, int]
    """Left, top, right, bottom of the face in the still."""
    person: str | None
    """Whom the access log should name; nobody means not enrolled."""
    stay_s: float
    follows: bool = False
    """They take the place of the one before, without an empty frame between them."""


APPEARANCES = (
    Appearance(still="obama2.jpg", face_px=(171, 290, 438, 558), person="Barack Obama", stay_s=9.0),
    Appearance(still="biden.jpg", face_px=(419, 241, 740, 562), person=None, stay_s=9.0),
    Appearance(still="obama3.jpg", face_px=(633, 277, 954, 598), person="Barack Obama", stay_s=15.0),
    Appearance(still="biden.jpg", face_px=(419, 241, 740, 562), person=None, stay_s=3.5, follows=True),
)


@dataclass(frozen=True, kw_only=True)
class Span:
    """When a appearance's person is in view, in seconds from the clip's start."""

    appearance: Appearance
    appears_s: float
    arrives_s: float
    leaves_s: float
    gone_s: float


def timetable(appearances: tuple[Appearance, ...] = APPEARANCES) -> tuple[Span, ...]:
    """Return when each appearance happens; the clip ends `EMPTY_S` after the last."""
    spans: list[Span] = []
    now_s = EMPTY_S / 2
    for appearance in appearances:
        if appearance.follows:
            spans[-1] = replace(spans[-1], gone_s=spans[-1].leaves_s)
            now_s = spans[-1].leaves_s
        arrives_s = now_s + (0.0 if appearance.follows else WALK_S)
        leaves_s = arrives_s + appearance.stay_s
        gone_s = leaves_s + LEAVE_S
        spans.append(
            Span(
                appearance=appearance, appears_s=now_s, arrives_s=arrives_s, leaves_s=leaves_s, gone_s=gone_s
            )
        )
        now_s = gone_s + EMPTY_S
    return tuple(spans)


def render(
    path: Path, *, stills: Path, appearances: tuple[Appearance, ...] = APPEARANCES
) -> tuple[Span, ...]:
    """Write the clip, 640x480 at 15 frames a second, and return its timetable.

    Raises:
        PictureError: a still is missing, or the clip cannot be written.
    """
    spans = timetable(appearances)
    write(path, _frames(spans, stills))
    return spans


def write(path: Path, frames: Iterable[Picture]) -> None:
    """Write a clip, 640x480 at 15 frames a second.

    Raises:
        PictureError: it cannot be written.
    """
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (WIDTH_PX, HEIGHT_PX))
    if not writer.isOpened():
        raise PictureError(f"{path}: the clip cannot be written")
    try:
        for frame in frames:
            writer.write(frame)
    finally:
        writer.release()


def view(appearance: Appearance | None, *, stills: Path) -> Picture:
    """Return one picture of the clip: a appearance's person near the camera, or the empty hall.

    Raises:
        PictureError: the still is missing.
    """
    frame = hall()
    if appearance is not None:
        span = timetable((replace(appearance, follows=False),))[0]
        _place(frame, _card(appearance, stills), span, span.arrives_s)
    return frame


def _frames(spans: tuple[Span, ...], stills: Path) -> Iterator[Picture]:
    cards = {span.appearance.still: _card(span.appearance, stills) for span in spans}
    for number in range(round((spans[-1].gone_s + EMPTY_S) * FPS)):
        now_s = number / FPS
        frame = hall()
        for span in spans:
            if span.appears_s <= now_s < span.gone_s:
                _place(frame, cards[span.appearance.still], span, now_s)
        yield noisy(frame, number)


def noisy(frame: Picture, number: int) -> Picture:
    """Return a frame with a camera's noise."""
    noise = _noise()
    return np.asarray(cv2.add(frame, noise[number % len(noise)], dtype=cv2.CV_8U), dtype=np.uint8)


@cache
def _noise() -> npt.NDArray[np.int8]:
    return np.random.default_rng(seed=7).normal(0.0, 3.0, (8, HEIGHT_PX, WIDTH_PX, 3)).astype(np.int8)


def hall() -> Picture:
    """Return a picture of the corridor that the cameras look down."""
    return _hall().copy()


@cache
def _hall() -> Picture:
    rows = np.linspace(70, 130, HEIGHT_PX)[:, None, None]
    picture = np.broadcast_to(rows * np.array([0.98, 0.96, 0.90]), (HEIGHT_PX, WIDTH_PX, 3)).astype(np.uint8)
    picture = np.ascontiguousarray(picture)
    floor = np.array([[0, 480], [250, 300], [390, 300], [640, 480]], dtype=np.int32)
    cv2.fillPoly(picture, [floor], (88, 96, 104))
    cv2.rectangle(picture, (250, 110), (390, 300), (84, 82, 78), -1)
    cv2.rectangle(picture, (278, 140), (362, 300), (62, 66, 74), -1)
    for corner, end in (((0, 0), (250, 110)), ((640, 0), (390, 110))):
        cv2.line(picture, corner, end, (66, 64, 60), 2, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (5, 5), 0), dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class _Card:
    """A person cut out of a still: colours, soft-edged mask `(h, w)` from 0 to 1, and the face's width."""

    picture: Picture
    mask: npt.NDArray[np.float32]
    face_width_px: int


def _card(appearance: Appearance, stills: Path) -> _Card:
    picture = person_in(stills, appearance)
    mask = np.zeros((picture.shape[0], picture.shape[1]), dtype=np.float32)
    soft = max(3, NEAR_FACE_PX // 6)
    cv2.rectangle(mask, (soft, soft), (mask.shape[1] - soft, mask.shape[0]), 1.0, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft / 2.5), dtype=np.float32)
    return _Card(picture=picture, mask=mask, face_width_px=NEAR_FACE_PX)


def person_in(stills: Path, appearance: Appearance) -> Picture:
    """Return a still's person from the hair to the chest, the face `NEAR_FACE_PX` wide.

    Raises:
        PictureError: the still is missing.
    """
    still = cv2.imread(str(stills / appearance.still))
    if still is None:
        raise PictureError(f"{stills / appearance.still}: the still is missing or not a picture")
    near = NEAR_FACE_PX / (appearance.face_px[2] - appearance.face_px[0])
    still = cv2.resize(still, None, fx=near, fy=near, interpolation=cv2.INTER_AREA)
    left, top, right, bottom = (round(edge * near) for edge in appearance.face_px)
    width, height = right - left, bottom - top
    x0, x1 = max(0, left - width), min(still.shape[1], right + width)
    y0, y1 = max(0, top - height * 3 // 4), min(still.shape[0], bottom + height * 2)
    return np.ascontiguousarray(still[y0:y1, x0:x1], dtype=np.uint8)


def _place(frame: Picture, card: _Card, span: Span, now_s: float) -> None:
    """Paste the person where and as big as they are at that time."""
    walk_s = span.arrives_s - span.appears_s
    near = min(1.0, (now_s - span.appears_s) / walk_s) if walk_s else 1.0
    gone = max(0.0, (now_s - span.leaves_s) / LEAVE_S)
    scale = (FAR_FACE_PX + (NEAR_FACE_PX - FAR_FACE_PX) * near**1.5) / card.face_width_px
    height_px, width_px, _ = card.picture.shape
    size = (max(2, round(width_px * scale)), max(2, round(height_px * scale)))
    picture = cv2.resize(card.picture, size, interpolation=cv2.INTER_AREA)
    mask = np.asarray(cv2.resize(card.mask, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    sway = 5.0 * np.sin(2.1 * now_s) * near
    left = round(WIDTH_PX / 2 - size[0] / 2 + sway + gone * (WIDTH_PX / 2 + size[0] / 2))
    top = round(120 - 70 * near + 2.0 * np.sin(3.7 * now_s))
    x0, x1 = max(0, left), min(WIDTH_PX, left + size[0])
    y0, y1 = max(0, top), min(HEIGHT_PX, top + size[1])
    if x0 < x1 and y0 < y1:
        part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        under = frame[y0:y1, x0:x1]
        share = mask[part][:, :, np.newaxis]
        frame[y0:y1, x0:x1] = (share * picture[part] + (1 - share) * under).astype(np.uint8)
