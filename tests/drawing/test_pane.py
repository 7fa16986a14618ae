"""One camera's tile: the picture in it is decoded no larger than it is shown."""

import numpy as np
import pytest

from tests.support.builders import START_NS, a_box, a_frame, a_jpeg
from turnstile.drawing.pane import Pane, make_canvas, make_panes
from turnstile.errors import PictureError
from turnstile.protocol.messages import Frame
from turnstile.screen.scene import Scene


def a_scene(camera: str = "front_door") -> Scene:
    """Return a scene with a display's default settings."""
    return Scene(camera=camera, stale_after_s=1.5, banner_s=4.0, max_fps=15.0)


def a_pane(width_px: int = 160, height_px: int = 120) -> Pane:
    """Return the only pane of a canvas."""
    return make_panes(make_canvas((width_px, height_px)), [a_scene()])["front_door"]


def a_frame_of(width_px: int, height_px: int, *, captured_ns: int = START_NS) -> Frame:
    """Return a frame of this size."""
    return a_frame(width_px=width_px, height_px=height_px, captured_ns=captured_ns)


@pytest.mark.parametrize(
    ("width", "height", "reduced"),
    [
        (64, 48, 1),
        (160, 120, 1),
        (319, 239, 1),
        (320, 240, 2),
        (640, 480, 4),
        (1280, 960, 8),
        (1280, 96, 8),
        (96, 1280, 8),
    ],
)
def test_a_frame_is_decoded_at_the_least_size_that_fills_the_tile(
    width: int, height: int, reduced: int
) -> None:
    """A wall of tiles does not decode what it then throws away."""
    pane = a_pane()
    picture = pane.show(a_frame_of(width, height), now_s=0.0)
    assert pane.reduced == reduced
    assert picture.shape == (-(-height // reduced), -(-width // reduced), 3)
    assert pane.base.width == 160 or pane.base.height == 120
    assert picture.shape[1] >= pane.base.width or reduced == 1


def test_local_boxes_are_put_into_pixels_of_the_frame() -> None:
    """Local detection looked at the reduced picture."""
    pane = a_pane()
    pane.show(a_frame_of(640, 480), now_s=0.0)
    pane.show(a_frame_of(640, 480, captured_ns=START_NS + 2_000_000_000), now_s=2.0)
    pane.local([a_box(left=10, top=20, size=5)], captured_ns=START_NS + 2_000_000_000)
    (mark,) = pane.scene.view(now_s=2.0, broker="heard").marks
    assert mark.box_px == a_box(left=40, top=80, size=20)


def test_a_tile_is_drawn_only_when_something_changed() -> None:
    """A window that shows nothing new costs next to nothing."""
    pane = a_pane()
    view = pane.scene.view(now_s=0.0, broker="heard")
    assert pane.draw(view)
    assert not pane.draw(pane.scene.view(now_s=0.0, broker="heard"))
    pane.show(a_frame_of(64, 48), now_s=0.0)
    assert pane.draw(view)
    assert pane.draw(pane.scene.view(now_s=0.0, broker="lost"))


def test_a_frame_that_cannot_be_decoded_leaves_the_one_before() -> None:
    """And does not count as one shown."""
    pane = a_pane()
    pane.show(a_frame_of(64, 48), now_s=0.0)
    before = pane.base
    with pytest.raises(PictureError):
        pane.show(a_frame(jpeg=a_jpeg(progressive=True), captured_ns=START_NS + 9), now_s=0.1)
    assert pane.base is before
    assert pane.scene.freshness.frame_ns == START_NS


def test_panes_share_one_canvas() -> None:
    """What is drawn into a tile is on the canvas, in its place."""
    canvas = make_canvas((640, 240))
    panes = make_panes(canvas, [a_scene("left"), a_scene("right")])
    panes["right"].draw(panes["right"].scene.view(now_s=0.0, broker="heard"))
    assert not canvas[:, :317].any()
    assert np.count_nonzero(canvas[:, 323:]) > 1000
