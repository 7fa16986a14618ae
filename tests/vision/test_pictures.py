"""Decoding: whatever arrives becomes pixels or a sentence."""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from turnstile.errors import PictureError
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.pictures import biggest_first, decode_enrolment, decode_frame, sharpness


def a_box(left: int, top: int, width: int, height: int) -> Box:
    """Return a box from its corner and size."""
    return Box(left=left, top=top, right=left + width, bottom=top + height)


def saved(picture: Image.Image, file_format: str, **options: object) -> bytes:
    """Return a picture's file."""
    into = io.BytesIO()
    picture.save(into, file_format, **options)
    return into.getvalue()


def a_png_that_claims(width: int, height: int) -> bytes:
    """Return a small PNG whose header claims a size and whose pixels are a few zeros."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_frame_decodes_to_rgb_of_its_own_size(as_jpeg: Callable[[PictureRgb], bytes]) -> None:
    """Red stays red, and height comes before width."""
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    frame = decode_frame(as_jpeg(red))
    assert frame.shape == (48, 64, 3)
    assert frame.dtype == np.uint8
    assert frame[..., 0].mean() == pytest.approx(200, abs=4)
    assert frame[..., 2].mean() == pytest.approx(0, abs=4)


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff\xd9", bytes(1000)])
def test_what_is_no_jpeg_is_refused_as_a_frame(data: bytes) -> None:
    """Nothing but a baseline JPEG reaches the decoder."""
    with pytest.raises(PictureError):
        decode_frame(data)


def test_a_truncated_frame_is_refused(as_jpeg: Callable[[PictureRgb], bytes], obama: PictureRgb) -> None:
    """OpenCV would pad it with grey and say nothing."""
    with pytest.raises(PictureError, match="truncated"):
        decode_frame(as_jpeg(obama)[:-2000])


def test_a_frame_is_not_turned_by_its_exif_note(obama: PictureRgb) -> None:
    """Boxes are in pixels of the frame as captured, so nothing may rotate it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.fromarray(obama).resize((64, 48))
    assert decode_frame(saved(wide, "JPEG", exif=exif)).shape == (48, 64, 3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_an_enrolment_picture_is_scaled_down_to_a_sane_size(obama: PictureRgb, file_format: str) -> None:
    """A big picture comes back with a long side of 1600 and its proportions."""
    big = Image.fromarray(obama).resize((3000, 4500))
    decoded = decode_enrolment(saved(big, file_format))
    assert decoded.shape == (1600, 1067, 3)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_colour_mode_becomes_rgb(obama: PictureRgb, mode: str) -> None:
    """People save pictures in all of them."""
    picture = Image.fromarray(obama).resize((60, 90)).convert("L" if mode == "I;16" else mode)
    data = saved(picture.convert(mode), "JPEG" if mode == "CMYK" else "PNG")
    assert decode_enrolment(data).shape == (90, 60, 3)


def test_a_phone_picture_lying_on_its_side_is_turned_upright(obama: PictureRgb) -> None:
    """Phones store the sensor's rows and note the rotation in EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.fromarray(obama).resize((200, 300))
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    decoded = decode_enrolment(saved(lying, "JPEG", exif=exif, quality=95))
    difference = np.abs(decoded.astype(int) - np.asarray(upright).astype(int))
    assert decoded.shape == (300, 200, 3)
    assert difference.mean() < 3


def test_a_text_file_named_jpg_is_told_from_a_picture() -> None:
    """The sentence says what it is not."""
    with pytest.raises(PictureError, match="not a JPEG or PNG picture"):
        decode_enrolment(b"This is not a picture.\n" * 50)


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF"])
def test_other_picture_formats_are_refused(file_format: str) -> None:
    """Each decoder that is not there cannot be attacked."""
    with pytest.raises(PictureError, match="not a JPEG or PNG picture"):
        decode_enrolment(saved(Image.new("RGB", (50, 50)), file_format))


def test_an_empty_file_is_refused() -> None:
    """A picture still being copied may be empty for a moment."""
    with pytest.raises(PictureError, match="empty"):
        decode_enrolment(b"")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_a_file_that_is_cut_off_says_where(obama: PictureRgb, file_format: str) -> None:
    """Half a picture is no picture, although decoders would pad it."""
    data = saved(Image.fromarray(obama), file_format)
    half = data[: len(data) // 2]
    with pytest.raises(PictureError, match=f"cut off after {len(half)} bytes"):
        decode_enrolment(half)


def test_a_bomb_is_refused_by_its_header() -> None:
    """A PNG of 10 kB that claims 2.5 gigapixels is never decoded."""
    with pytest.raises(PictureError, match="50000x50000 pixels; at most 64 million"):
        decode_enrolment(a_png_that_claims(50_000, 50_000))


def test_a_bomb_within_the_pixel_limit_meets_the_limits_of_its_process() -> None:
    """63 megapixels of nothing are cut off, and the process that asked is unharmed."""
    with pytest.raises(PictureError, match=r"cut off|damaged|memory"):
        decode_enrolment(a_png_that_claims(7_900, 7_900))


def test_a_huge_file_is_not_read() -> None:
    """32 MiB are enough for any camera."""
    with pytest.raises(PictureError, match="at most"):
        decode_enrolment(bytes(33 * 2**20))


def test_damage_never_does_more_than_refuse(faces: Path) -> None:
    """Bytes changed anywhere give pixels or a sentence."""
    random = np.random.default_rng(5)
    data = np.frombuffer((faces / "obama2.jpg").read_bytes(), np.uint8)
    for _ in range(8):
        damaged = data.copy()
        damaged[random.integers(0, len(data), 200)] = random.integers(0, 256, 200)
        with contextlib.suppress(PictureError):
            assert decode_enrolment(damaged.tobytes()).ndim == 3


def test_sharpness_falls_when_a_face_is_blurred(obama: PictureRgb) -> None:
    """It is the same for grey and colour, and about the same for a face scaled down."""
    face = a_box(200, 200, 600, 600)
    blurred = np.asarray(Image.fromarray(obama).resize((60, 90)).resize(obama.shape[1::-1]))
    grey = np.asarray(Image.fromarray(obama).convert("L"))
    assert sharpness(blurred, face) < sharpness(obama, face) / 4
    assert sharpness(grey, face) == pytest.approx(sharpness(obama, face), rel=0.05)


@pytest.mark.parametrize("box", [a_box(0, 0, 0, 0), a_box(-50, -50, 20, 20), a_box(5000, 5000, 9, 9)])
def test_a_box_outside_the_picture_has_no_sharpness(obama: PictureRgb, box: Box) -> None:
    """Nothing to measure is 0, not an error."""
    assert sharpness(obama, box) == 0


def test_boxes_are_put_in_order_of_area() -> None:
    """Biggest first; equal ones keep their order."""
    boxes = [a_box(0, 0, 10, 10), a_box(0, 0, 30, 10), a_box(5, 5, 10, 10)]
    assert biggest_first(boxes) == [1, 0, 2]
    assert biggest_first([]) == []
