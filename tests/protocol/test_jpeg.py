"""Which JPEGs are let through to a decoder, judged by their header alone."""

import io
from typing import TypedDict

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.builders import a_jpeg
from turnstile.commands.demo import samples
from turnstile.errors import PictureError
from turnstile.protocol.jpeg import MAX_SEEN_BYTES, JpegSize, SeenHeader, check_jpeg


class Limits(TypedDict):
    """What is accepted."""

    max_bytes: int
    max_px: int


LIMITS = Limits(max_bytes=2_000_000, max_px=3_000_000)
SOF0, DHT, SOS, COMMENT = 0xC0, 0xC4, 0xDA, 0xFE

PICTURES = [
    a_jpeg(64, 48),
    a_jpeg(17, 33, grey=True),
    (samples.folder() / "obama.jpg").read_bytes(),
    (samples.folder() / "biden.jpg").read_bytes(),
]
"""Made by Pillow, and by real cameras and editors, with their EXIF, colour profiles and comments."""


def refusal(data: bytes) -> str:
    """Return why a picture is refused."""
    with pytest.raises(PictureError) as caught:
        check_jpeg(data, **LIMITS)
    return str(caught.value)


def place_of(data: bytes, marker: int) -> int:
    """Return the offset of the first segment of a kind."""
    at = 2
    while data[at + 1] != marker:
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return at


def with_bytes(data: bytes, at: int, new: bytes) -> bytes:
    """Return the data with some bytes replaced."""
    return data[:at] + new + data[at + len(new) :]


def with_segment(data: bytes, marker: int, content: bytes = b"") -> bytes:
    """Return a picture with a further segment at its begin."""
    return data[:2] + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content + data[2:]


@pytest.mark.parametrize("data", PICTURES, ids=len)
def test_a_plain_picture_passes_with_its_size(data: bytes) -> None:
    """The size is what a decoder says."""
    with Image.open(io.BytesIO(data)) as picture:
        assert check_jpeg(data, **LIMITS) == picture.size


@pytest.mark.parametrize("quality", [1, 50, 100])
@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 500, 3), (720, 1280)])
def test_what_cameras_send_passes(quality: int, shape: tuple[int, ...]) -> None:
    """Everything that OpenCV encodes, which is how capture nodes make frames."""
    made, data = cv2.imencode(".jpg", np.full(shape, 128, np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert made
    assert check_jpeg(data.tobytes(), **LIMITS) == JpegSize(width_px=shape[1], height_px=shape[0])


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("restart", [0, 2])
def test_every_chroma_subsampling_and_restart_markers_pass(subsampling: str, restart: int) -> None:
    """Hardware encoders use them."""
    file = io.BytesIO()
    options = {"restart_marker_blocks": restart} if restart else {}
    Image.new("RGB", (200, 100)).save(file, "JPEG", subsampling=subsampling, optimize=True, **options)
    assert check_jpeg(file.getvalue(), **LIMITS) == (200, 100)


def test_a_progressive_picture_is_refused() -> None:
    """81 kB of it can take 9 s to decode."""
    assert "progressive" in refusal(a_jpeg(progressive=True))


@pytest.mark.parametrize("marker", [0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_every_other_coding_is_refused(marker: int) -> None:
    """Extended, progressive, lossless, differential, arithmetic."""
    data = a_jpeg()
    assert "baseline is accepted" in refusal(with_bytes(data, place_of(data, SOF0) + 1, bytes([marker])))


@pytest.mark.parametrize("bits", [0, 2, 12, 16])
def test_only_8_bit_is_accepted(bits: int) -> None:
    """12 bit is baseline's sibling that no camera sends."""
    data = a_jpeg()
    assert f"{bits} bits" in refusal(with_bytes(data, place_of(data, SOF0) + 4, bytes([bits])))


def test_four_components_are_refused() -> None:
    """CMYK comes from printing, not from cameras."""
    file = io.BytesIO()
    Image.new("CMYK", (32, 32)).save(file, "JPEG")
    assert "4 components" in refusal(file.getvalue())


@pytest.mark.parametrize("factors", [0x00, 0x01, 0x10, 0x15, 0x51, 0xFF])
def test_sampling_factors_out_of_range_are_refused(factors: int) -> None:
    """They are divisors and buffer sizes of decoders."""
    data = a_jpeg()
    assert "sampling factors" in refusal(with_bytes(data, place_of(data, SOF0) + 11, bytes([factors])))


def test_a_bomb_is_refused_by_its_header() -> None:
    """A file of some hundred bytes that says 65535x65535 made a decoder take 5.2 GB."""
    data = a_jpeg(8, 8)
    bomb = with_bytes(data, place_of(data, SOF0) + 5, b"\xff\xff\xff\xff")
    assert refusal(bomb) == "65535x65535 pixels; at most 3000000 in all are accepted"


def test_the_limit_of_pixels_is_inclusive() -> None:
    """As the site file says it: at most."""
    data = a_jpeg(64, 48)
    assert check_jpeg(data, max_bytes=len(data), max_px=64 * 48) == (64, 48)
    with pytest.raises(PictureError, match="at most 3071 in all"):
        check_jpeg(data, max_bytes=len(data), max_px=64 * 48 - 1)
    with pytest.raises(PictureError, match=f"at most {len(data) - 1} are accepted"):
        check_jpeg(data, max_bytes=len(data) - 1, max_px=64 * 48)


@pytest.mark.parametrize("size", [b"\0\0\0\x08", b"\0\x08\0\0", b"\0\0\0\0"])
def test_a_picture_without_a_size_is_refused(size: bytes) -> None:
    """Height 0 means that it follows behind the scan."""
    data = a_jpeg()
    assert "without a size" in refusal(with_bytes(data, place_of(data, SOF0) + 5, size))


def test_a_second_scan_is_refused() -> None:
    """Each scan is a pass over the whole picture."""
    data = a_jpeg()
    scan = data[place_of(data, SOS) : -2]
    assert "several scans" in refusal(data[:-2] + scan + data[-2:])
    assert "several scans" in refusal(data + data)


def test_a_second_frame_header_is_refused() -> None:
    """One of them would be the size that was not checked."""
    data = a_jpeg()
    at = place_of(data, SOF0)
    header = data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4])]
    assert "two frame headers" in refusal(data[:at] + header + data[at:])


def test_a_scan_without_a_frame_header_is_refused() -> None:
    """There is nothing to check."""
    data = a_jpeg()
    at = place_of(data, SOF0)
    length = 2 + int.from_bytes(data[at + 2 : at + 4])
    assert "before the frame header" in refusal(data[:at] + data[at + length :])


@pytest.mark.parametrize("components", [0, 2, 4, 255])
def test_a_frame_header_of_a_wrong_length_is_refused(components: int) -> None:
    """It promises other components than it holds."""
    data = a_jpeg()
    assert "length is wrong" in refusal(with_bytes(data, place_of(data, SOF0) + 9, bytes([components])))


def test_a_picture_in_its_exif_counts_for_nothing() -> None:
    """Cameras put a small second JPEG into it."""
    thumbnail = b"Exif\0\0" + a_jpeg(16, 12, progressive=True)
    assert check_jpeg(with_segment(a_jpeg(), 0xE1, thumbnail), **LIMITS) == (64, 48)


def test_a_comment_may_say_anything() -> None:
    """Also what looks like a marker."""
    assert check_jpeg(with_segment(a_jpeg(), COMMENT, b"\xff\xda\xff\xc2\xff\xd9"), **LIMITS) == (64, 48)


@pytest.mark.parametrize("marker", [0x00, 0x01, 0xC8, 0xCC, 0xD0, 0xD8, 0xD9, 0xDC, 0xDE, 0xF0, 0xFF])
def test_an_unexpected_marker_is_refused(marker: int) -> None:
    """Arithmetic tables, a late height, a hierarchy, a picture in the picture."""
    assert "marker" in refusal(with_segment(a_jpeg(), marker, b"12"))


def test_endless_segments_are_refused() -> None:
    """Walking a header takes a bounded time."""
    data = a_jpeg()
    for _ in range(64):
        data = with_segment(data, COMMENT)
    assert "more than 64 header segments" in refusal(data)


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"GIF89a", bytes(4)])
def test_what_is_no_jpeg_is_refused(data: bytes) -> None:
    """Each with a sentence."""
    assert "JPEG" in refusal(data)


@given(st.sampled_from(PICTURES), st.data())
def test_a_picture_cut_short_anywhere_is_refused(data: bytes, draw: st.DataObject) -> None:
    """Decoders would fill up with grey and say nothing, so the end must be there."""
    end = draw.draw(st.integers(0, len(data) - 1))
    if data[end - 2 : end] != b"\xff\xd9":
        assert refusal(data[:end])


@given(st.sampled_from(PICTURES), st.data())
def test_a_damaged_picture_is_refused_or_decodes_at_its_size(data: bytes, draw: st.DataObject) -> None:
    """Bytes changed, inserted or taken out: what passes makes no decoder allocate more than was checked."""
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 5))):
        at = draw.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=3))
    try:
        size = check_jpeg(bytes(damaged), **LIMITS)
    except PictureError:
        return
    mode = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(bytes(damaged), np.uint8), mode)
    assert pixels is None or pixels.shape == (size.height_px, size.width_px, 3)


@given(st.binary(max_size=300).map(lambda inner: b"\xff\xd8" + inner + b"\xff\xd9"))
def test_any_bytes_are_refused_or_have_a_size(data: bytes) -> None:
    """There is one way out besides a size: PictureError."""
    try:
        size = check_jpeg(data, max_bytes=1000, max_px=1000)
    except PictureError:
        return
    assert 0 < size.width_px * size.height_px <= 1000


def test_a_header_that_was_seen_is_known_again_and_nothing_else_is_taken_on_trust() -> None:
    """What stands behind the header and the limits are checked each time."""
    seen, data = SeenHeader(), a_jpeg(64, 48)
    assert check_jpeg(data, **LIMITS, seen=seen) == (64, 48)
    assert data.startswith(seen.octets)
    assert check_jpeg(data, **LIMITS, seen=seen) == (64, 48)
    with pytest.raises(PictureError, match="several scans"):
        check_jpeg(data[:-2] + b"\xff\xda\xff\xd9", **LIMITS, seen=seen)
    with pytest.raises(PictureError, match="truncated"):
        check_jpeg(data[:-2], **LIMITS, seen=seen)
    with pytest.raises(PictureError, match="at most 10 in all"):
        check_jpeg(data, max_bytes=len(data), max_px=10, seen=seen)
    assert check_jpeg(a_jpeg(32, 24), **LIMITS, seen=seen) == (32, 24)


def test_a_long_header_is_not_remembered() -> None:
    """A camera's is short, and whoever sends many long ones fills no memory."""
    seen = SeenHeader()
    data = with_segment(a_jpeg(64, 48), COMMENT, bytes(MAX_SEEN_BYTES))
    assert check_jpeg(data, **LIMITS, seen=seen) == (64, 48)
    assert len(seen.octets) == 1
