"""What the network for liveness gets to see of a face, and what it says."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.pth import write_network
from turnstile.protocol.fields import Box
from turnstile.vision.encode.liveness import AliveNetwork, crop
from turnstile.vision.models.minifasnet import SIDE_PX


def a_picture(width: int = 500, height: int = 400) -> npt.NDArray[np.uint8]:
    """Return a picture whose red says how far right a pixel is, halved, and whose blue how far down."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.arange(width) // 2
    picture[..., 2] = np.arange(height)[:, None] // 2
    return picture


def a_box(left: int, top: int, side: int) -> Box:
    """Return a square box."""
    return Box(left=left, top=top, right=left + side, bottom=top + side)


@pytest.mark.parametrize(
    ("box", "right", "down"),
    [
        # 1.3 times as high upwards, and 2.7 times as large: 135 wide, 175 high around 225, 192.
        (a_box(200, 175, 50), (157, 293), (105, 280)),
        # The same is moved into the picture at each of its edges.
        (a_box(5, 5, 50), (0, 135), (0, 175)),
        (a_box(445, 345, 50), (364, 499), (224, 399)),
        # A face that fills the picture keeps the shape of its box.
        (a_box(100, 0, 400), (146, 453), (0, 399)),
    ],
)
def test_a_face_is_cut_out_with_what_surrounds_it(
    box: Box, right: tuple[int, int], down: tuple[int, int]
) -> None:
    """Blue comes first, and the side is 80 pixels whatever the face's is."""
    seen = crop(a_picture(), box).astype(int)
    assert seen.shape == (SIDE_PX, SIDE_PX, 3)
    assert [seen[0, 0, 2] * 2, seen[0, -1, 2] * 2] == pytest.approx(right, abs=6)
    assert [seen[0, 0, 0] * 2, seen[-1, 0, 0] * 2] == pytest.approx(down, abs=6)
    assert not seen[..., 1].any()


@pytest.mark.parametrize(
    "box", [a_box(0, 0, 0), a_box(-30, -30, 20), a_box(600, 600, 50), a_box(-900, 0, 2000)]
)
def test_a_box_outside_the_picture_gives_some_crop(box: Box) -> None:
    """Detectors place boxes beyond the edge; even a senseless one ends nothing."""
    assert crop(a_picture(), box).shape == (SIDE_PX, SIDE_PX, 3)
    assert crop(a_picture(1, 1), box).shape == (SIDE_PX, SIDE_PX, 3)


def test_the_network_says_how_likely_a_face_is_alive(tmp_path: Path) -> None:
    """One number from 0 to 1."""
    sha256 = write_network(tmp_path / "some.pth", alive=0.9)
    network = AliveNetwork(tmp_path / "some.pth", sha256=sha256)
    assert network.alive(a_picture(), a_box(200, 175, 50)) == pytest.approx(0.9, abs=1e-5)
