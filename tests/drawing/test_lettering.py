"""Text on pictures, in the letters that people's names have."""

import numpy as np
import pytest

from turnstile.drawing.lettering import blend, line_height, shortened, width_of, write
from turnstile.vision.arrays import PictureBgr

WHITE = (255, 255, 255)


def a_picture(width: int = 400, height: int = 60) -> PictureBgr:
    """Return a black picture."""
    return np.zeros((height, width, 3), np.uint8)


def written(text: str, *, size_px: int = 24, at: tuple[int, int] = (4, 4)) -> PictureBgr:
    """Return a black picture with white text."""
    picture = a_picture()
    write(picture, text, at=at, size_px=size_px, colour=WHITE)
    return picture


@pytest.mark.parametrize("letter", "aäéłßçñøÅşğžřőūțЖяβΩ-·…")
def test_letters_of_european_names_are_drawn(letter: str) -> None:
    """Not as the box that stands for a missing letter."""
    assert written(letter).any()
    assert not np.array_equal(written(letter), written("\U000f0000"))


def test_an_accent_kept_apart_from_its_letter_joins_it() -> None:
    """File names of macOS hold names in that form."""
    assert np.array_equal(written("Ju\u0308rgen"), written("J\u00fcrgen"))


@pytest.mark.parametrize("text", ["王小明", "\U0001f600", "\x00\x1b[31m", "a\nb\tc", ""])
def test_whatever_a_name_holds_it_is_drawn_on_one_line(text: str) -> None:
    """With boxes for letters that no font here has."""
    assert written(text).shape == (60, 400, 3)
    assert width_of(text, 24) >= 1


def test_lines_of_a_size_are_equally_high() -> None:
    """Labels do not jump with the letters in them."""
    tops = [int(written(text).any(axis=(1, 2)).argmax()) for text in ("Hx", "Hxp", "H")]
    assert len(set(tops)) == 1
    assert not written("Ągj")[4 + line_height(24) :].any()


def test_edges_are_smooth() -> None:
    """Half-covered pixels, which OpenCV's own letters have too few of to look good."""
    assert len(np.unique(written("Access"))) > 20


@pytest.mark.parametrize("at", [(-20, 4), (390, 4), (4, -10), (4, 55), (500, 500), (-500, -500)])
def test_text_beyond_the_edge_is_cut_off(at: tuple[int, int]) -> None:
    """A label of a face at the border neither fails nor wraps around."""
    whole, cut = a_picture(1400, 1200), written("Barack", at=at)
    write(whole, "Barack", at=(at[0] + 500, at[1] + 500), size_px=24, colour=WHITE)
    assert np.array_equal(cut, whole[500:560, 500:900])


def test_text_too_wide_ends_in_an_ellipsis() -> None:
    """And is as long as it can be."""
    name = "Maximilian Featherstonehaugh"
    cut = shortened(name, 24, 150)
    assert cut.endswith("…")
    assert name.startswith(cut.removesuffix("…").rstrip())
    assert 100 < width_of(cut, 24) <= 150
    assert shortened(name, 24, 2000) == name
    assert shortened(name, 24, 3) == ""


def test_a_mask_covers_as_far_as_it_says() -> None:
    """None, half and all."""
    picture = a_picture(3, 1)
    blend(picture, np.array([[0, 128, 255]], np.uint8), at=(0, 0), colour=(10, 100, 200))
    assert picture[0].tolist() == [[0, 0, 0], [5, 50, 100], [10, 100, 200]]
