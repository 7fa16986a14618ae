"""Pictures for load: baseline JPEGs of an exact size that tell when they were taken, and real faces."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE_PX = (640, 480)
STAMP_BYTES = 16
"""How much longer `stamped` makes a picture."""

_STAMP = struct.Struct(">2sHHHQ")
_COMMENT = 0xFFFE


def a_jpeg(size_bytes: int, *, size_px: tuple[int, int] = SIZE_PX, seed: int = 1) -> bytes:
    """Return a baseline JPEG of exactly `size_bytes`, nearly all of it picture.

    A smooth scene with as much noise as fills the size; the rest is made up by a comment segment.
    """
    width, height = size_px
    noise = np.random.default_rng(seed).normal(0.0, 1.0, (height, width, 3))
    slope = np.linspace(40.0, 200.0, width)[None, :, None]
    low, high = 0.0, 120.0
    best = _encode(np.broadcast_to(slope, noise.shape))
    for _ in range(12):
        strength = (low + high) / 2
        jpeg = _encode(slope + strength * noise)
        if len(jpeg) <= size_bytes - 4:
            best, low = jpeg, strength
        else:
            high = strength
    return _padded(best, size_bytes)


def stamped(jpeg: bytes, *, camera: int, captured_ns: int) -> bytes:
    """Return the JPEG with a comment that says which camera took it, and when."""
    return jpeg[:2] + _STAMP.pack(b"\xff\xfe", 14, 0, camera, captured_ns) + jpeg[2:]


def stamp_of(jpeg: bytes) -> tuple[int, int]:
    """Return the number of the camera and `captured_ns` that `stamped` wrote."""
    _, _, _, camera, captured_ns = _STAMP.unpack_from(jpeg, 2)
    return int(camera), int(captured_ns)


def at_the_door(people: Sequence[Path], folder: Path) -> list[Path]:
    """Write each person's picture into `folder` as a camera would see them, 640x480, and return the paths."""
    written = []
    for path in people:
        scene = Image.new("RGB", SIZE_PX, (96, 104, 112))
        with Image.open(path, formats=["JPEG"]) as picture:
            person = picture.convert("RGB")
        person.thumbnail(SIZE_PX)
        scene.paste(person, ((SIZE_PX[0] - person.width) // 2, SIZE_PX[1] - person.height))
        written.append(folder / f"{path.stem}.png")
        scene.save(written[-1])
    return written


def _encode(picture: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=80)
    return file.getvalue()


def _padded(jpeg: bytes, size_bytes: int) -> bytes:
    missing = size_bytes - len(jpeg)
    if not 4 <= missing <= 65537:
        raise ValueError(f"a picture of {len(jpeg)} bytes cannot be padded to {size_bytes}")
    return jpeg[:2] + struct.pack(">HH", _COMMENT, missing - 2) + bytes(missing - 4) + jpeg[2:]
