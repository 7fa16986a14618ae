"""Decoding: whatever arrives becomes pixels or a sentence."""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from turnstile.errors import PictureError
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.pictures import biggest_first, checked, decode_enrolment, decode_frame, sharpness


def a_box(left: int, top: int, width: int, height: int) -> Box:
    """Return a box from its corner and size."""
    return Box(left=left, top=top, right=left + width, bottom=top + height)


def saved(picture: Image.Image, file_format: str, **options: object) -> bytes:
    """Return a picture's file."""
    into = io.BytesIO()
    if file_format == "HEIF":
        pytest.importorskip("pillow_heif", reason="run `make setup`").register_heif_opener()
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
    frame = decode_frame(checked(as_jpeg(red)))
    assert frame.shape == (48, 64, 3)
    assert frame.dtype == np.uint8
    assert frame[..., 0].mean() == pytest.approx(200, abs=4)
    assert frame[..., 2].mean() == pytest.approx(0, abs=4)


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff\xd9", bytes(1000)])
def test_what_is_no_jpeg_is_refused_as_a_frame(data: bytes) -> None:
    """Nothing but a baseline JPEG reaches the decoder."""
    with pytest.raises(PictureError):
        decode_frame(checked(data))


def test_a_truncated_frame_is_refused(as_jpeg: Callable[[PictureRgb], bytes], obama: PictureRgb) -> None:
    """OpenCV would pad it with grey and say nothing."""
    with pytest.raises(PictureError, match="truncated"):
        decode_frame(checked(as_jpeg(obama)[:-2000]))


def test_a_frame_is_not_turned_by_its_exif_note(obama: PictureRgb) -> None:
    """Boxes are in pixels of the frame as captured, so nothing may rotate it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.fromarray(obama).resize((64, 48))
    assert decode_frame(checked(saved(wide, "JPEG", exif=exif))).shape == (48, 64, 3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_an_enrolment_picture_is_scaled_down_to_a_sane_size(obama: PictureRgb, file_format: str) -> None:
    """A big picture comes back with a long side of 1600 and its proportions."""
    big = Image.fromarray(obama).resize((3000, 4500))
    decoded = decode_enrolment(saved(big, file_format))
    assert decoded.shape == (1600, 1067, 3)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1"])
def test_every_colour_mode_becomes_rgb(obama: PictureRgb, mode: str) -> None:
    """People save pictures in all of them, and see the same face in each."""
    small = Image.fromarray(obama).resize((60, 90))
    decoded = decode_enrolment(saved(small.convert(mode), "JPEG" if mode == "CMYK" else "PNG"))
    assert decoded.shape == (90, 60, 3)
    assert decoded.mean() == pytest.approx(np.asarray(small).mean(), abs=12)


def test_a_picture_of_16_bits_keeps_its_greys() -> None:
    """Scanners write them; cut to 8 bits they would be a white page."""
    greys = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (48, 1))
    decoded = decode_enrolment(saved(Image.fromarray(greys), "PNG"))
    assert decoded[0, :, 0] == pytest.approx(greys[0] / 256, abs=1)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_what_is_transparent_is_white(file_format: str, mode: str) -> None:
    """As on a page: what lies hidden under it may be anything."""
    clear = Image.new("RGBA", (40, 30), (10, 10, 10, 0))
    clear.paste((200, 0, 0, 255), (0, 0, 20, 30))
    decoded = decode_enrolment(saved(clear.convert(mode), file_format))
    assert decoded[10, 30].min() > 250
    assert abs(decoded[10, 5].astype(int) - (200, 0, 0)).max() < 10


@pytest.mark.parametrize("file_format", ["WEBP", "HEIF", "PNG"])
def test_of_several_pictures_in_a_file_the_first_is_used(file_format: str) -> None:
    """Animations, and what telephones take in a burst."""
    red, blue = Image.new("RGB", (64, 48), (220, 0, 0)), Image.new("RGB", (64, 48), (0, 0, 220))
    data = saved(red, file_format, save_all=True, append_images=[blue])
    assert decode_enrolment(data)[20, 20, 0] > 200


@pytest.mark.parametrize("profile", [b"", b"junk" * 50])
def test_a_colour_profile_is_not_read(profile: bytes) -> None:
    """A damaged one harms nobody, and a valid one changes nothing that matters."""
    valid = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(Image.new("RGB", (64, 48), (220, 0, 0)), "JPEG", icc_profile=profile or valid)
    assert decode_enrolment(data)[20, 20, 0] > 200


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_a_phone_picture_lying_on_its_side_is_turned_upright(obama: PictureRgb, file_format: str) -> None:
    """Phones store the sensor's rows and note the rotation in EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.fromarray(obama).resize((200, 300))
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    decoded = decode_enrolment(saved(lying, file_format, exif=exif.tobytes(), quality=95))
    difference = np.abs(decoded.astype(int) - np.asarray(upright).astype(int))
    assert decoded.shape == (300, 200, 3)
    assert difference.mean() < 6


def test_a_text_file_named_jpg_is_told_from_a_picture() -> None:
    """The sentence says what it is not."""
    with pytest.raises(PictureError, match=r"^not a JPEG, PNG, WebP or HEIC picture$"):
        decode_enrolment(b"This is not a picture.\n" * 50)


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF"])
def test_other_picture_formats_are_refused(file_format: str) -> None:
    """Each decoder that is not there cannot be attacked."""
    said = f"it is an? {file_format}.* file, not a JPEG, PNG, WebP or HEIC picture"
    with pytest.raises(PictureError, match=said):
        decode_enrolment(saved(Image.new("RGB", (50, 50)), file_format))


def test_an_empty_file_is_refused() -> None:
    """A picture still being copied may be empty for a moment."""
    with pytest.raises(PictureError, match="empty"):
        decode_enrolment(b"")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
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


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"VP8L" + struct.pack("<IBI", 30, 0x2F, 15_999 | 15_999 << 14), "16000x16000"),
        (b"VP8X" + struct.pack("<II", 10, 0) + 2 * b"\xff\xff\x00", "65536x65536"),
        (b"VP8 " + struct.pack("<I", 30) + b"\x10\x00\x00\x9d\x01\x2a" + 2 * b"\xff\x3f", "16383x16383"),
    ],
)
def test_a_webp_bomb_is_refused_by_its_header(header: bytes, said: str) -> None:
    """Pillow would take memory for all its pixels as soon as it opens it."""
    body = b"WEBP" + header + bytes(40)
    with pytest.raises(PictureError, match=f"{said} pixels; at most 64 million"):
        decode_enrolment(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_a_webp_bomb_within_the_pixel_limit_meets_the_limits_of_its_process() -> None:
    """62 megapixels unfold to more memory than the child may take."""
    bomb = saved(Image.new("RGB", (7_900, 7_900)), "WEBP", lossless=True, method=0, quality=0)
    with pytest.raises(PictureError, match="memory"):
        decode_enrolment(bomb)


def test_a_heic_bomb_is_refused_by_its_header() -> None:
    """The size is read before a pixel is decoded."""
    small = saved(Image.new("RGB", (64, 64)), "HEIF", quality=1)
    bomb = small.replace(struct.pack(">II", 64, 64), struct.pack(">II", 20_000, 20_000))
    assert bomb != small
    with pytest.raises(PictureError, match="20000x20000 pixels; at most 64 million"):
        decode_enrolment(bomb)


def test_a_heic_picture_that_is_cut_off_is_told_so(obama: PictureRgb) -> None:
    """At its end or in its header; neither ends the child in a new way."""
    data = saved(Image.fromarray(obama).resize((300, 450)), "HEIF")
    for end in (len(data) - 50, len(data) // 2, 200, 40):
        with pytest.raises(PictureError, match=f"cut off after {end} bytes"):
            decode_enrolment(data[:end])


@pytest.mark.parametrize("file_format", ["WEBP", "HEIF"])
def test_damage_to_newer_formats_never_does_more_than_refuse(obama: PictureRgb, file_format: str) -> None:
    """Bytes changed anywhere give pixels or a sentence."""
    random = np.random.default_rng(5)
    data = np.frombuffer(saved(Image.fromarray(obama).resize((300, 450)), file_format), np.uint8)
    for _ in range(6):
        damaged = data.copy()
        damaged[random.integers(0, len(data), 20)] = random.integers(0, 256, 20)
        with contextlib.suppress(PictureError):
            assert decode_enrolment(damaged.tobytes()).ndim == 3


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
