"""Local detection beside the drawing: newest picture wins, and drawing never waits."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.builders import a_box
from tests.support.waiting import PATIENCE_S
from turnstile.io.screen.local_detection import Fallback, LocalFaces
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureBgr


def a_picture(number: int) -> PictureBgr:
    """Return a picture that bears a number."""
    return np.full((2, 2, 3), number, np.uint8)


class SlowDetector:
    """Finds a box as far left as the picture's number, each time that it is let to."""

    def __init__(self) -> None:
        self.looking = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)

    def find(self, picture_bgr: PictureBgr) -> Sequence[Box]:
        """Wait to be let go on."""
        self.looking.release()
        assert self.may_go_on.acquire(timeout=PATIENCE_S)
        return [a_box(left=int(picture_bgr[0, 0, 0]))]


def collect(fallback: Fallback, count: int) -> list[LocalFaces]:
    """Return the next so many things found."""
    found: list[LocalFaces] = []
    while len(found) < count:
        found += fallback.found()
    return found


def test_while_one_picture_is_looked_at_only_the_newest_is_kept() -> None:
    """Pictures come faster than a cascade runs."""
    detector = SlowDetector()
    fallback = Fallback(detector)
    for number in range(1, 6):
        fallback.offer("door", a_picture(number), captured_ns=number)
        if number == 1:
            detector.looking.acquire(timeout=PATIENCE_S)
    assert fallback.found() == []
    detector.may_go_on.release(2)
    found = collect(fallback, 2)
    fallback.close()
    assert [(one.captured_ns, one.boxes_px[0].left) for one in found] == [(1, 1), (5, 5)]
    assert detector.looking.acquire(blocking=False)
    assert not detector.looking.acquire(blocking=False)


def test_cameras_take_turns() -> None:
    """One at 60 frames a second does not keep the other from being looked at."""
    detector = SlowDetector()
    fallback = Fallback(detector)
    fallback.offer("front", a_picture(1), captured_ns=1)
    detector.looking.acquire(timeout=PATIENCE_S)
    fallback.offer("back", a_picture(2), captured_ns=2)
    for number in (3, 4, 5):
        fallback.offer("front", a_picture(number), captured_ns=number)
    detector.may_go_on.release(3)
    assert [one.camera for one in collect(fallback, 3)] == ["front", "back", "front"]
    fallback.close()


def test_it_ends_although_a_detection_is_in_hand() -> None:
    """Ctrl-C waits for no cascade."""
    detector = SlowDetector()
    fallback = Fallback(detector)
    fallback.offer("door", a_picture(1), captured_ns=1)
    detector.looking.acquire(timeout=PATIENCE_S)
    fallback.close(within_s=0.01)
    detector.may_go_on.release()


def test_a_detector_that_fails_is_not_passed_over() -> None:
    """A display without its fallback would look as if nobody were there."""

    class Broken:
        def find(self, picture_bgr: PictureBgr) -> Sequence[Box]:
            raise MemoryError(picture_bgr.shape)

    fallback = Fallback(Broken())
    fallback.offer("door", a_picture(1), captured_ns=1)
    with pytest.raises(MemoryError):
        collect(fallback, 1)
