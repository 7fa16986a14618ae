"""What people see: boxes, names and banners on real faces, at any size."""

from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnstile.drawing import draw
from turnstile.drawing.draw import AMBER, CORAL, GREEN, MINT, MUTED, RED, Fitted, draw_tile, fitted, tiles
from turnstile.drawing.lettering import Colour
from turnstile.drawing.tile_layout import Rect
from turnstile.protocol.fields import Box
from turnstile.protocol.messages import Verdict
from turnstile.protocol.reasons import Reason
from turnstile.screen.scene import Banner, Mark, MarkKind, Notice, View
from turnstile.vision.arrays import PictureBgr, PictureRgb

FRAME_PX = (1280, 720)
SIZES_PX = [(160, 120), (320, 180), (640, 480), (1280, 720), (1920, 1080), (400, 900)]

BANNERS: dict[Verdict, Banner] = {
    "granted": Banner(
        verdict="granted",
        reason=Reason.RECOGNISED,
        title="ACCESS GRANTED",
        who="Barack Obama",
        detail="distance 0.31  ·  3 of 5 votes",
    ),
    "denied": Banner(
        verdict="denied",
        reason=Reason.UNKNOWN,
        title="ACCESS DENIED",
        who="not recognised",
        detail="distance 0.78  ·  8 of 8 votes",
    ),
}


def a_mark(kind: MarkKind = "person", *, left: int = 560, top: int = 150, size: int = 180) -> Mark:
    """Return a box around a face, with a label."""
    box = Box(left=left, top=top, right=left + size, bottom=top + size)
    return Mark(box_px=box, kind=kind, label="Jürgen Wałęsa", detail="0.31")


def a_view(*marks: Mark, banners: tuple[Banner, ...] = (), notice: Notice | None = None) -> View:
    """Return what to draw of a camera that is live."""
    return View(
        camera="front_door",
        light="live",
        status="15 fps  ·  result 0.1 s",
        frame_px=FRAME_PX,
        marks=marks,
        banners=banners,
        notice=notice,
    )


def drawn(view: View, base: Fitted) -> PictureBgr:
    """Return a tile with this drawn in it."""
    tile = np.zeros_like(base.pixels)
    draw_tile(tile, base, view)
    return tile


def near(picture: PictureBgr, colour: Colour, *, by: int = 45) -> npt.NDArray[np.bool_]:
    """Return which pixels have about this colour."""
    return np.asarray((np.abs(picture.astype(int) - colour) <= by).all(axis=2))


@pytest.fixture(scope="module")
def face(obama: PictureRgb) -> PictureBgr:
    """Return a camera's picture of a person."""
    height = round(1280 * obama.shape[0] / obama.shape[1])
    scaled = cv2.resize(obama, (1280, height), interpolation=cv2.INTER_AREA)[:720]
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2BGR), np.uint8)


@pytest.mark.parametrize("size_px", SIZES_PX)
@pytest.mark.parametrize(("verdict", "colour"), [("granted", GREEN), ("denied", RED)])
def test_a_banner_has_its_colour_along_the_bottom(
    face: PictureBgr, size_px: tuple[int, int], verdict: Verdict, colour: Colour
) -> None:
    """Seen from across the room, at every size of a tile."""
    tile = drawn(a_view(banners=(BANNERS[verdict],)), fitted(face, size_px))
    bottom = tile[-max(8, size_px[1] // 12) :]
    assert near(bottom, colour).mean() > 0.5
    assert near(tile[: size_px[1] // 2], colour, by=10).mean() < 0.1


def test_granted_and_denied_differ_in_shape_too(face: PictureBgr) -> None:
    """A tick and a cross: not everybody can tell green from red."""
    grey = [
        cv2.cvtColor(
            drawn(a_view(banners=(replace(banner, title="", who="", detail=""),)), fitted(face, FRAME_PX)),
            cv2.COLOR_BGR2GRAY,
        )
        for banner in BANNERS.values()
    ]
    signs = [one[-120:, :130] > 180 for one in grey]
    assert (signs[0] != signs[1]).sum() > 100


@pytest.mark.parametrize(
    ("kind", "colour"),
    [("granted", MINT), ("denied", CORAL), ("person", MUTED), ("unknown", MUTED), ("local", AMBER)],
)
def test_a_box_is_drawn_where_the_face_is_in_the_colour_of_its_kind(
    face: PictureBgr, kind: MarkKind, colour: Colour
) -> None:
    """Boxes come in pixels of the frame, whatever the tile's size."""
    base = fitted(face, (640, 360))
    tile = drawn(a_view(a_mark(kind)), base)
    for at in ((75, 285), (165, 285), (80, 280), (80, 370)):
        patch = tile[at[0] - 3 : at[0] + 4, at[1] - 3 : at[1] + 4]
        assert near(patch, colour, by=20).any(), at
    inside = slice(85, 155), slice(290, 360)
    assert np.array_equal(tile[inside], base.pixels[inside])


def test_boxes_follow_a_picture_that_has_bars_beside_it(face: PictureBgr) -> None:
    """A 16:9 picture in a square tile."""
    tile = drawn(a_view(a_mark()), fitted(face, (640, 640)))
    patch = tile[140 + 75 - 3 : 140 + 75 + 4, 285 - 3 : 285 + 4]
    assert near(patch, MUTED, by=20).any()


@pytest.mark.parametrize("size_px", SIZES_PX)
@pytest.mark.parametrize(
    ("left", "top", "size"),
    [(-50, -50, 100), (1250, 700, 90), (0, 0, 720), (5, 5, 1), (-9000, 4, 9), (600, 300, 65000)],
)
def test_boxes_beyond_the_picture_do_no_harm(
    face: PictureBgr, size_px: tuple[int, int], left: int, top: int, size: int
) -> None:
    """A result may say anything that the protocol allows."""
    base = fitted(face, size_px)
    drawn(a_view(a_mark(left=left, top=top, size=size)), base)
    upside_down = Mark(box_px=Box(left=900, top=600, right=20, bottom=30), kind="unknown", label="unknown")
    drawn(a_view(upside_down), base)


def test_a_dimmed_picture_is_grey_and_dark(face: PictureBgr) -> None:
    """It is old, and nobody takes it for live."""
    view = View(camera="door", light="lost", frame_px=FRAME_PX, notice=Notice(title="", detail=""))
    tile = drawn(view, fitted(face, FRAME_PX))[100:]
    assert np.ptp(tile, axis=2).max() == 0
    assert tile.max() < 100


@pytest.mark.parametrize("size_px", SIZES_PX)
def test_words_in_the_middle_say_what_is_the_matter(size_px: tuple[int, int]) -> None:
    """At every size, and never wider than the tile."""
    notice = Notice(title="waiting for the first picture", detail="of a camera with a long story " * 9)
    view = View(camera="front_door" * 9, light="waiting", status="fps" * 99, notice=notice)
    tile = drawn(view, fitted(None, size_px))
    middle = tile[size_px[1] // 3 : size_px[1] * 2 // 3]
    assert (middle > 150).any()
    assert not (middle[:, :2] > 150).any()
    assert not (middle[:, -2:] > 150).any()


def test_the_warning_of_local_detection_is_a_strip_in_its_colour(face: PictureBgr) -> None:
    """Along the bottom, where verdicts stand, and in the colour of neither."""
    notice = Notice(title="no recent result", detail="local detection, not verified")
    view = View(camera="front_door", light="stale", frame_px=FRAME_PX, notice=notice)
    assert near(drawn(view, fitted(face, FRAME_PX))[-40:], AMBER).mean() > 0.5


def test_many_banners_leave_half_the_picture(face: PictureBgr) -> None:
    """The camera's picture is what a display is for."""
    tile = drawn(a_view(banners=(BANNERS["granted"],) * 9), fitted(face, FRAME_PX))
    assert near(tile[: FRAME_PX[1] // 4, 20:-20], GREEN, by=10).mean() < 0.05


def test_the_picture_that_is_drawn_on_stays_as_it_is(face: PictureBgr) -> None:
    """The next view is drawn on the same one, and local detection looks at it meanwhile."""
    base = fitted(face, FRAME_PX)
    before = base.pixels.copy()
    drawn(a_view(a_mark(), banners=(BANNERS["denied"],)), base)
    assert np.array_equal(base.pixels, before)


@pytest.mark.parametrize(
    ("width", "height"), [(640, 480), (480, 640), (1280, 720), (64, 48), (1, 500), (4000, 3)]
)
@pytest.mark.parametrize("size_px", SIZES_PX)
def test_a_picture_keeps_its_proportions(width: int, height: int, size_px: tuple[int, int]) -> None:
    """And fills the tile in one direction."""
    base = fitted(np.full((height, width, 3), 255, np.uint8), size_px)
    assert base.pixels.shape == (size_px[1], size_px[0], 3)
    assert (base.width, base.height) == (size_px[0], max(1, round(height * size_px[0] / width))) or (
        (base.width, base.height) == (max(1, round(width * size_px[1] / height)), size_px[1])
    )
    inside = base.pixels[base.top : base.top + base.height, base.left : base.left + base.width]
    assert (inside == 255).all()
    assert int((base.pixels == 255).all(axis=2).sum()) == base.width * base.height


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9, 16, 64])
@pytest.mark.parametrize("size_px", [(1280, 720), (720, 1280), (160, 120)])
def test_tiles_fill_the_canvas_and_never_overlap(count: int, size_px: tuple[int, int]) -> None:
    """Each camera has its own place, all of about one size."""
    canvas = np.zeros((size_px[1], size_px[0]), int)
    boxes = tiles(count, size_px)
    for box in boxes:
        canvas[box.top : box.bottom, box.left : box.right] += 1
    assert canvas.max() == 1
    assert len(boxes) == count
    assert max(box.width for box in boxes) - min(box.width for box in boxes) <= 1
    assert max(box.bottom for box in boxes) == size_px[1]


def test_text_is_readable_on_the_smallest_tile() -> None:
    """Eleven pixels are the least that can be read."""
    assert draw.MIN_TEXT_PX >= 11


SMALL_TILES_PX = [(157, 117), (320, 240), (640, 480)]
FACES = st.lists(
    st.tuples(st.integers(-50, 1250), st.integers(-50, 700), st.integers(20, 500)), min_size=1, max_size=5
)


@given(
    st.sampled_from(SMALL_TILES_PX),
    FACES,
    st.sampled_from(["", "come closer", "left: come closer  ·  right: hold still"]),
    st.sampled_from(["", "no space left on device"]),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_nothing_covers_anything_else_and_no_words_cover_the_eyes(
    size_px: tuple[int, int], faces: list[tuple[int, int, int]], advice: str, trouble: str, banners: int
) -> None:
    """Title, banners, strips, advice and labels; a label may stand at the chin of its own face only."""
    base = fitted(np.full((720, 1280, 3), 99, np.uint8), size_px)
    view = replace(
        a_view(*(a_mark(left=x, top=y, size=size) for x, y, size in faces)),
        banners=(BANNERS["denied"],) * banners,
        advice=advice,
        notice=Notice(title="nobody can enter", detail=trouble) if trouble else None,
    )
    tile = np.zeros_like(base.pixels)
    layout = draw_tile(tile, base, view)
    assert not [pair for pair in combinations(layout.taken, 2) if pair[0].meets(pair[1])]
    for words in layout.placed:
        eyes = [Rect(f.left, f.top, f.right, (f.top + f.bottom) // 2) for f in layout.faces]
        assert not any(words.meets(one) for one in eyes)
        assert sum(words.meets(face) for face in layout.faces) <= 1


def test_advice_is_written_in_the_title_where_faces_fill_the_tile() -> None:
    """It is more useful there than the camera's name, and a face stays free."""
    base = fitted(np.full((720, 1280, 3), 99, np.uint8), (320, 180))
    view = replace(a_view(a_mark(left=0, top=0, size=1280)), advice="come closer")
    tile = np.zeros_like(base.pixels)
    assert len(draw_tile(tile, base, view).placed) == 1  # the label
    assert near(tile[:30], AMBER).any()


@pytest.mark.parametrize(("kind", "colour"), [("granted", MINT), ("denied", CORAL)])
def test_the_name_of_a_person_has_the_colour_of_the_verdict(kind: MarkKind, colour: Colour) -> None:
    """Green for a person who is denied would say the opposite."""
    base = fitted(np.full((720, 1280, 3), 99, np.uint8), (640, 360))
    tile = np.zeros_like(base.pixels)
    label = draw_tile(tile, base, a_view(a_mark(kind))).taken[-1]
    letters = tile[label.top : label.bottom, label.left + 6 : label.right]
    other = CORAL if kind == "granted" else MINT
    assert near(letters, colour, by=20).any()
    assert not near(letters, other, by=60).any()
