"""Decodes one enrolment picture in a process of its own, so that a hostile picture harms nobody.

Run as ``python -I picture_child.py LONG_SIDE``: the picture's bytes on standard input; on standard output
one line, ``ok <width> <height>`` followed by the RGB bytes, or ``no <sentence for the person who took it>``.
It imports nothing of Turnstile, so that it starts fast and can do little.
"""

import io
import sys

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

MAX_PX = 64_000_000
"""Most pixels of a picture that is decoded: those of phones of 2026."""

MAX_MEMORY_BYTES = 1024 * 2**20
MAX_CPU_S = 10


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """The picture is not used; the text says why."""


def main() -> int:
    """Answer on standard output. Return 0; anything else means that decoding went wrong in a new way."""
    data = sys.stdin.buffer.read()
    _limit_resources()
    try:
        picture = decode(data, int(sys.argv[1]))
    except Refused as refusal:
        answer = f"no {refusal}\n".encode()
    except MemoryError:
        answer = b"no the picture needs too much memory to decode\n"
    else:
        answer = b"ok %d %d\n" % picture.size + picture.tobytes()
    sys.stdout.buffer.write(answer)
    return 0


def _limit_resources() -> None:
    """Bound memory, processor time and files of this process, where the system can (not on Windows)."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    for what, limit in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        try:
            resource.setrlimit(what, (bound, bound))
        except (ValueError, OSError):  # macOS does not bound RLIMIT_AS
            continue


def decode(data: bytes, long_side_px: int) -> Image.Image:
    """Return the picture upright in RGB, its longer side at most `long_side_px`.

    Raises:
        Refused: not a JPEG or PNG, too many pixels, cut off, or damaged.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.MAX_IMAGE_PIXELS = None  # checked here, before a pixel is decoded, with our own sentence
    try:
        picture: Image.Image = Image.open(io.BytesIO(data), formats=["JPEG", "PNG"])
    except UnidentifiedImageError as error:
        raise Refused("not a JPEG or PNG picture") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused(f"the picture's header is damaged ({_one_line(error)})") from error
    width, height = picture.size
    if width * height > MAX_PX:
        raise Refused(f"the picture is {width}x{height} pixels; at most {MAX_PX // 10**6} million are read")
    picture.draft("RGB", (long_side_px, long_side_px))  # a JPEG decodes straight to about the wanted size
    try:
        picture.load()
    except (OSError, SyntaxError, ValueError) as error:
        if "truncated" in str(error):
            raise Refused(f"the file is cut off after {len(data)} bytes") from error
        raise Refused(f"the picture is damaged ({_one_line(error)})") from error
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((long_side_px, long_side_px))
    return upright


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


if __name__ == "__main__":
    sys.exit(main())
