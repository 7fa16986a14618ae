"""Attacks made of pictures: frames that show a plane with a face, held before a camera by a hand.

The plane moves as a hand does, and its pixels get the camera's noise.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from turnstile.protocol.fields import Box

KINDS = ("still", "tilt", "glare", "bend", "walk", "shake")
SIDE_PX = 400
FOCAL_PX = 700.0
FACE_PX = (62, 120)
AROUND = 1.5
"""So much of what surrounds a face is shown with it, in widths of the face on each side."""

MOST_TILT_DEG = 35.0
STRIPS = 24
RATE = 10.0

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


class Hand:
    """How one hand moves: sums of slow waves, drawn once."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.dice = kind, np.random.default_rng(seed)
        self._phase, self._hertz = self.dice.uniform(0, 2 * np.pi, 8), self.dice.uniform(0.15, 0.9, 8)
        self._amplitude = self.dice.uniform(0.3, 1, 8)
        self._tilt = 0.0 if kind == "still" else np.deg2rad(self.dice.uniform(3, MOST_TILT_DEG))

    def wave(self, which: int, at_s: float) -> float:
        """Return a number from -1 to 1."""
        turn = 2 * np.pi * self._hertz[which] * at_s + self._phase[which]
        return float(self._amplitude[which] * np.sin(turn))

    def place(self, points: Floats, at_s: float) -> Floats:
        """Return where points of the plane, `(n, 3)` around the face, are in the camera's picture."""
        yaw, pitch = self._tilt * self.wave(0, at_s), 0.7 * self._tilt * self.wave(1, at_s)
        roll = np.deg2rad(5) * self.wave(2, at_s)
        right, down, far = 12 * self.wave(3, at_s), 8 * self.wave(4, at_s), 1 + 0.06 * self.wave(5, at_s)
        if self.kind == "walk":
            far *= 2.2 - 1.2 * min(1.0, at_s / 1.8)
        if self.kind == "shake":
            right, down = 25 * np.sin(2 * np.pi * 2.3 * at_s), 18 * np.sin(2 * np.pi * 1.7 * at_s)
        turned = points @ cv2.Rodrigues(np.array([pitch, yaw, roll]))[0].T
        scale = FOCAL_PX / (FOCAL_PX * far + turned[:, 2])
        return np.stack(
            [SIDE_PX / 2 + right + turned[:, 0] * scale, SIDE_PX / 2 + down + turned[:, 1] * scale], 1
        )


def frames_of(pictures: Sequence[Picture], face: Box, kind: str, *, seed: int) -> Iterator[Picture]:
    """Give one frame for each picture whose face is shown on the plane, ten a second; all blue first."""
    hand = Hand(kind, seed)
    face_px = hand.dice.uniform(*FACE_PX)
    wall = cv2.resize(hand.dice.integers(60, 160, (5, 5, 3)).astype(np.uint8), (SIDE_PX, SIDE_PX))
    noise = hand.dice.normal(0, 3, (4, SIDE_PX, SIDE_PX, 3))
    for number, picture in enumerate(pictures):
        at_s = number / RATE
        scale = face_px / face.width
        shown = np.asarray(
            cv2.resize(_around(face, picture), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA),
            np.uint8,
        )
        frame, mask = _held(shown, hand, at_s)
        lit = np.where(mask[..., None] > 0, frame, wall).astype(np.float64)
        if kind == "glare":
            lit += _glare(hand, at_s)[..., None] * (mask[..., None] > 0)
        lit = lit * (1 + 0.04 * hand.wave(7, at_s)) + noise[number % len(noise)]
        yield np.clip(lit, 0, 255).astype(np.uint8)


def _around(face: Box, picture: Picture) -> Picture:
    reach = round(AROUND * face.width)
    return picture[
        max(0, face.top - reach) : face.bottom + reach, max(0, face.left - reach) : face.right + reach
    ]


def _held(shown: Picture, hand: Hand, at_s: float) -> tuple[Picture, Picture]:
    """Return the picture as the camera sees it, strip by strip, and where it is."""
    height, width = shown.shape[:2]
    edges = np.linspace(0, width, STRIPS + 1)
    top, bottom = (hand.place(_bent(edges, y, width, height, hand, at_s), at_s) for y in (0.0, float(height)))
    frame = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    for at in range(STRIPS):
        source = np.array([[edges[at], 0], [edges[at + 1], 0], [edges[at + 1], height], [edges[at], height]])
        target = np.array([top[at], top[at + 1], bottom[at + 1], bottom[at]])
        warp = cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))
        strip = np.zeros_like(mask)
        cv2.fillConvexPoly(strip, np.round(target * 16).astype(np.int32), 1, shift=4)
        seen = cv2.warpPerspective(shown, warp, (SIDE_PX, SIDE_PX))
        frame[strip > 0], mask[strip > 0] = seen[strip > 0], 1
    return frame, mask


def _bent(edges: Floats, y: float, width: int, height: int, hand: Hand, at_s: float) -> Floats:
    """Return points of a row of the picture in space: on a plane, or on a cylinder that bends."""
    right = edges - width / 2
    down = np.full_like(right, y - height / 2)
    if hand.kind != "bend":
        return np.stack([right, down, np.zeros_like(right)], 1)
    angle = np.deg2rad(40) * (1 + 0.3 * hand.wave(6, at_s))
    radius = width / angle
    return np.stack([radius * np.sin(right / radius), down, radius * (1 - np.cos(right / radius))], 1)


def _glare(hand: Hand, at_s: float) -> Floats:
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    middle_x, middle_y = SIDE_PX / 2 + 120 * hand.wave(6, at_s), SIDE_PX / 2 + 90 * hand.wave(7, at_s)
    return np.asarray(90 * np.exp(-((x - middle_x) ** 2 + (y - middle_y) ** 2) / (2 * 45**2)))
