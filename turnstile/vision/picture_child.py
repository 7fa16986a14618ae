"""Decodes one enrolment picture in a process of its own, so that a hostile picture harms nobody.

Run as ``python -I picture_child.py LONG_SIDE [jpeg]``: the picture's bytes on standard input; on standard
output one line, ``ok <width> <height>`` followed by the RGB bytes or those of a JPEG, or ``no <sentence for
the person who took it>``.
It imports nothing of Turnstile, so that it starts fast and can do little.

Of several pictures in one file (animated WebP, burst in HEIC) the first or primary one is used. Colour
profiles are not applied: they shift colours by less than a lamp does, and reading them is one more parser.
"""

import io
import sys

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

MAX_PX = 64_000_000
"""Most pixels of a picture that is decoded: those of phones of 2026."""

MAX_MEMORY_BYTES = 1024 * 2**20
MAX_CPU_S = 10

FORMATS = ("JPEG", "PNG", "WEBP")
_OTHERS = {
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF or raw",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
    b"<svg": "an SVG",
}
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_WEBP_SIDE_PX = 14
"""Bits of a side in a WebP header: at most 16,384 px."""


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
        answer = b"ok %d %d\n" % picture.size + _encoded(picture, *sys.argv[2:])
    sys.stdout.buffer.write(answer)
    return 0


def _encoded(picture: Image.Image, kind: str = "") -> bytes:
    """Return a picture's pixels, or a JPEG of it."""
    if not kind:
        return picture.tobytes()
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


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
        Refused: not a JPEG, PNG, WebP or HEIC, too many pixels, cut off, or damaged.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.MAX_IMAGE_PIXELS = None  # checked here, before a pixel is decoded, with our own sentence
    _check_size(*_webp_size(data))
    try:
        picture = _open(data)
    except UnidentifiedImageError as error:
        raise Refused(_what_it_is(data)) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if data[:4] == b"RIFF" and len(data) < 8 + int.from_bytes(data[4:8], "little"):
            raise Refused(f"the file is cut off after {len(data)} bytes") from error
        raise Refused(f"the picture's header is damaged ({_one_line(error)})") from error
    _check_size(*picture.size)
    picture.draft("RGB", (long_side_px, long_side_px))  # a JPEG decodes straight to about the wanted size
    try:
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if any(word in str(error).lower() for word in ("truncated", "end of file", "incomplete")):
            raise Refused(f"the file is cut off after {len(data)} bytes") from error
        raise Refused(f"the picture is damaged ({_one_line(error)})") from error
    upright.thumbnail((long_side_px, long_side_px))
    return _as_rgb(upright)


def _open(data: bytes) -> Image.Image:
    """Return a picture whose header was read; the content says what kind it is, not the file's name."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return _open_heic(data)
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _open_heic(data: bytes) -> Image.Image:
    """Return the primary picture of a HEIC file. Its decoder is loaded only here, where it is needed."""
    try:
        import pillow_heif  # noqa: PLC0415 - 27 MB, and one more decoder that could be attacked
    except ImportError as error:
        raise Refused("HEIC cannot be read here: pillow-heif is not installed; run `make setup`") from error
    pillow_heif.register_heif_opener(thumbnails=False)
    pillow_heif.options.DECODE_THREADS = 1  # each thread takes 64 MB and more of the memory allowed
    return Image.open(io.BytesIO(data), formats=["HEIF"])


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return the size that a WebP's header states, as Pillow takes memory for it when it opens one.

    0x0 for other files and unknown headers. Source: RFC 9649, 2.4 to 2.7.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return 0, 0
    if data[12:16] == b"VP8X":
        return (
            1 + int.from_bytes(data[24:27], "little"),
            1 + int.from_bytes(data[27:30], "little"),
        )
    side = (1 << _WEBP_SIDE_PX) - 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & side), 1 + (bits >> _WEBP_SIDE_PX & side)
    return int.from_bytes(data[26:28], "little") & side, int.from_bytes(data[28:30], "little") & side


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PX:
        raise Refused(f"the picture is {width}x{height} pixels; at most {MAX_PX // 10**6} million are read")


def _what_it_is(data: bytes) -> str:
    """Return why a file cannot be opened, or what it is instead of a picture that is read."""
    brand = data[8:12]
    if data[4:8] == b"ftyp" and brand in _HEIC_BRANDS:
        return f"the HEIC picture is damaged, or cut off after {len(data)} bytes"
    wanted = "not a JPEG, PNG, WebP or HEIC picture"
    if data[4:8] == b"ftyp":
        return f"it is a film or picture of the kind {brand.decode('ascii', 'replace')!r}, {wanted}"
    found = next((f"it is {name} file, " for start, name in _OTHERS.items() if data.startswith(start)), "")
    return found + wanted


def _as_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture of any mode in RGB: 16 bits scaled to 8, what is transparent in white."""
    if picture.mode.startswith("I"):  # Pillow would clip 16 bits at 255, which leaves a white page
        picture = picture.point(lambda value: value * (1 / 256)).convert("L")
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        page = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(page, picture)
    return picture.convert("RGB")


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:120]


if __name__ == "__main__":
    sys.exit(main())
