"""What tests of cameras share: feeds that are closed again, and clips and pictures to read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.io.cameras import Feed, Shot, order_for
from turnstile.site.settings import CameraSettings


@contextmanager
def a_feed(
    camera: CameraSettings,
    *,
    max_px: int = 9_000_000,
    min_face_px: int = 0,
    open_timeout_s: float = PATIENCE_S,
) -> Iterator[Feed]:
    """Give a feed of a camera named `front`, and close it."""
    order = order_for(camera, name="front", max_px=max_px, min_face_px=min_face_px)
    with closing(Feed(order, name="front", open_timeout_s=open_timeout_s)) as feed:
        yield feed


def take_until(feed: Feed, condition: Callable[[], bool]) -> list[Shot]:
    """Take frames until a condition holds, and return them."""
    shots: list[Shot] = []

    def take() -> None:
        if (shot := feed.next_shot(0.05)) is not None:
            shots.append(shot)

    wait_until(condition, lambda: f"still {feed.state} {feed.detail}, {dict(feed.counts)}", between=take)
    return shots


def play(feed: Feed) -> list[Shot]:
    """Take all frames of a recording."""
    return take_until(feed, lambda: feed.ended)


def a_clip(path: Path, *, fps: float, grey_levels: range, size_px: tuple[int, int] = (160, 120)) -> str:
    """Write a clip, each frame of one grey level, and return its path."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size_px)
    assert writer.isOpened()
    for level in grey_levels:
        writer.write(np.full((size_px[1], size_px[0], 3), level, np.uint8))
    writer.release()
    return str(path)


def a_picture(path: Path, *, grey_level: int = 128, size_px: tuple[int, int] = (160, 120)) -> str:
    """Write a picture of one grey level, and return its path."""
    assert cv2.imwrite(str(path), np.full((size_px[1], size_px[0], 3), grey_level, np.uint8))
    return str(path)


def assert_shown(shots: Sequence[Shot], grey_levels: Iterable[int]) -> None:
    """Check that frames are of these grey levels, in order and with the last one.

    A busy machine may take some too late, which a newer one has replaced by then.
    """
    expected = list(grey_levels)
    shown = [grey_level(shot) for shot in shots]
    nearest = [min(expected, key=lambda level: abs(level - one)) for one in shown]
    assert shown == pytest.approx(nearest, abs=2)
    assert nearest == sorted(set(nearest))
    assert nearest[-1] == expected[-1]


def grey_level(shot: Shot) -> int:
    """Return the grey level in the middle of a frame, as it was written to within 2 levels."""
    frame = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert frame is not None
    return int(frame[frame.shape[0] // 2, frame.shape[1] // 2])
