"""Telling from its header whether a JPEG is safe to decode.

Decoders trust headers: a 378-byte file can make OpenCV allocate 5.2 GB, and a progressive picture of 81 kB
can burn 9 s. What cameras send is plain: baseline, 8 bit, one scan. Nothing else passes.
Source: ITU-T T.81, annex B.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from turnstile.errors import PictureError

_SOI, _EOI, _SOS, _SOF0 = 0xD8, 0xD9, 0xDA, 0xC0
_OTHER_SOF = frozenset({0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_ALLOWED = frozenset({0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
_MAX_SEGMENTS = 64

MAX_SEEN_BYTES = 4096
"""A longer header is read anew each time. Without a thumbnail it has some 700 bytes."""


class JpegSize(NamedTuple):
    """Width and height in pixels, as the header says."""

    width_px: int
    height_px: int


_NO_SIZE = JpegSize(0, 0)


@dataclass
class SeenHeader:
    """The header of a sender's newest picture that was right: the next one mostly has the same."""

    octets: bytes = b"\0"
    """All before the coded data; at first what no JPEG begins with."""
    size: JpegSize = _NO_SIZE


def check_jpeg(data: bytes, *, max_bytes: int, max_px: int, seen: SeenHeader | None = None) -> JpegSize:
    """Return the size of a baseline JPEG, without decoding it.

    Args:
        data: the whole file.
        max_bytes: the largest file to accept.
        max_px: the largest width times height to accept.
        seen: of the same sender; a header that equals it is not read again, which costs half of the check.

    Raises:
        PictureError: it is not a complete, plain baseline JPEG within the limits; the text says why.
    """
    if len(data) > max_bytes:
        raise PictureError(f"{len(data)} bytes; at most {max_bytes} are accepted")
    if data[:2] != b"\xff\xd8":
        raise PictureError("not a JPEG: it does not start with an SOI marker")
    if data[-2:] != b"\xff\xd9":
        raise PictureError("a truncated JPEG: it does not end with an EOI marker")
    if seen is not None and data.startswith(seen.octets):
        size, scan_at = seen.size, len(seen.octets)
    else:
        size, scan_at = _walk_header(data)
    if size.width_px * size.height_px > max_px:
        raise PictureError(f"{size.width_px}x{size.height_px} pixels; at most {max_px} in all are accepted")
    if _holds_a_scan(data, scan_at):
        raise PictureError("a JPEG of several scans; baseline with one scan is accepted")
    if seen is not None and scan_at <= MAX_SEEN_BYTES:
        seen.octets, seen.size = data[:scan_at], size
    return size


def _walk_header(data: bytes) -> tuple[JpegSize, int]:
    """Return the size and the offset of the scan's coded data."""
    size: JpegSize | None = None
    at = 2
    for _ in range(_MAX_SEGMENTS):
        if data[at : at + 1] != b"\xff" or at + 4 > len(data):
            raise PictureError(f"a broken JPEG: no marker at byte {at}")
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        segment = data[at + 4 : at + 2 + length]
        if length < 2 or len(segment) != length - 2:
            raise PictureError(f"a broken JPEG: segment at byte {at} is cut off")
        at += 2 + length
        if marker == _SOF0:
            if size is not None:
                raise PictureError("a JPEG with two frame headers")
            size = _frame_header(segment)
        elif marker in _OTHER_SOF:
            raise PictureError("a progressive, lossless or arithmetic JPEG; baseline is accepted")
        elif marker == _SOS:
            if size is None:
                raise PictureError("a broken JPEG: a scan before the frame header")
            return size, at
        elif marker not in _ALLOWED:
            raise PictureError(f"a JPEG with an unexpected marker ff{marker:02x}")
    raise PictureError(f"a JPEG of more than {_MAX_SEGMENTS} header segments")


def _holds_a_scan(data: bytes, at: int) -> bool:
    """Tell whether an SOS marker stands at `at` or later.

    Coded data is full of 0xff, which makes `bytes.find` slow: 50 microseconds over 50 kB, and this takes 13.
    """
    codes = np.frombuffer(data, np.uint8)[at:]
    return bool(((codes[:-1] == 0xFF) & (codes[1:] == _SOS)).any())


def _frame_header(segment: bytes) -> JpegSize:
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        raise PictureError("a broken JPEG: the frame header's length is wrong")
    if segment[0] != 8 or segment[5] not in (1, 3):
        raise PictureError(
            f"a JPEG of {segment[0]} bits and {segment[5]} components; 8 bits and 1 or 3 are accepted"
        )
    if any(not 1 <= factors >> 4 <= 4 or not 1 <= factors & 15 <= 4 for factors in segment[7::3]):
        raise PictureError("a broken JPEG: sampling factors out of range")
    height_px, width_px = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    if not (width_px and height_px):
        raise PictureError("a JPEG without a size")
    return JpegSize(width_px, height_px)
