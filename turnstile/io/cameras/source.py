"""What a camera's `source` in the site file names: a webcam, a stream, a video file, or pictures."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from turnstile.errors import ConfigError
from turnstile.io.cameras.pipe import Order, SourceKind
from turnstile.site.secrecy import hide, hint, masked
from turnstile.site.settings import CameraSettings

STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "rtp", "srt")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_PICTURES = 100_000
FACES_ACROSS = 48

Place = int | str


def order_for(camera: CameraSettings, *, name: str, max_px: int, min_face_px: int = 0) -> Order:
    """Return what the reader process of a camera is to do.

    A camera without `size_px` sends frames that are as wide as `FACES_ACROSS` smallest faces: 1920x1080 for
    40 px. What a search costs grows with the pixels, and one camera of 4K would starve the others.

    A device that is not there is no error, since cameras are unplugged and plugged in.

    Raises:
        ConfigError: a file or folder that does not exist or holds no pictures, or an address of a kind
            that is not supported.
    """
    try:
        kind, places = _resolve(camera.source)
    except ConfigError as error:
        advice = hint(camera.source) if isinstance(camera.source, str) else ""
        raise ConfigError(f"cameras.{name}.source: {error}{advice and '; '}{advice}") from None
    except OSError as error:
        where = f"{masked(str(error.filename))} cannot be looked at: {error.strerror}"
        raise ConfigError(f"cameras.{name}.source: {where}") from error
    return Order(
        kind=kind,
        places=places,
        max_fps=camera.max_fps,
        jpeg_quality=camera.jpeg_quality,
        size_px=camera.size_px,
        max_px=max_px if camera.size_px or not min_face_px else min(max_px, _enough_px(min_face_px)),
        loop=camera.loop,
        rotate=camera.rotate,
        read_timeout_s=camera.read_timeout_s,
    )


def _enough_px(min_face_px: int) -> int:
    """Return how many pixels of a 16:9 picture are enough to find faces of a size."""
    return (FACES_ACROSS * min_face_px) ** 2 * 9 // 16


def describe(order: Order) -> str:
    """Return the source for logs and displays, without the password that an address may hold."""
    place = order.places[0]
    match order.kind:
        case "webcam":
            return f"webcam {place}"
        case "stream":
            return masked(str(place))
        case "clip":
            return masked(str(place))
        case "pictures":
            first = masked(str(place))
            return first if len(order.places) == 1 else f"{len(order.places)} pictures from {first}"


def without_secrets(text: str, order: Order) -> str:
    """Return a text with nothing of the stream's address but its kind and host."""
    return hide(text, str(order.places[0])) if order.kind == "stream" else text


def webcam_trouble(device: Place) -> str:
    """Return what is to be seen from outside of why a webcam cannot be opened, and what to do."""
    if not sys.platform.startswith("linux"):
        return "no such camera, another program uses it, or this program may not use cameras"
    path = Path(f"/dev/video{device}") if isinstance(device, int) else Path(device)
    others = ", ".join(sorted(str(other) for other in Path("/dev").glob("video*"))) or "none"
    if not path.exists():
        return f"there is no {path} (video devices here: {others}); plug it in or mend the source"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"{path} may not be opened by this user; add the user to the group 'video'"
    return f"{path} gives no pictures: another program uses it, or it is not the camera's picture device"


def _resolve(source: Place | tuple[str, ...]) -> tuple[SourceKind, tuple[Place, ...]]:
    if isinstance(source, int):
        if source < 0:
            raise ConfigError(f"{source}; webcams are numbered from 0")
        return "webcam", (source,)
    if isinstance(source, tuple):
        return "pictures", _listed(source)
    if "://" in source:
        return "stream", (_address(source),)
    return _path(source)


def _address(address: str) -> str:
    scheme = address.partition("://")[0].lower()
    if scheme not in STREAM_SCHEMES:
        begin = f"{scheme}://" if scheme.isalnum() else masked(address)
        raise ConfigError(f"an address starting with {begin}; valid are: {', '.join(STREAM_SCHEMES)}")
    try:
        urlsplit(address)
    except ValueError:
        raise ConfigError(f"{masked(address)} is not an address") from None
    return address


def _path(source: str) -> tuple[SourceKind, tuple[Place, ...]]:
    path = Path(source)
    if source.startswith("/dev/") or path.is_char_device():
        return "webcam", (source,)
    if path.is_fifo():
        return "stream", (source,)
    if path.is_dir():
        return "pictures", _in_folder(path)
    if not path.is_file():
        number = (
            f"; a webcam's number is written without quotes: {path.name}" if path.name.isdecimal() else ""
        )
        raise ConfigError(f"{masked(source)} does not exist{number}")
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return "pictures", (source,)
    return "clip", (source,)


def _in_folder(folder: Path) -> tuple[str, ...]:
    pictures = sorted(str(path) for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise ConfigError(f"{folder} holds no pictures; they end in {', '.join(PICTURE_SUFFIXES)}")
    return tuple(pictures[:MAX_PICTURES])


def _listed(paths: tuple[str, ...]) -> tuple[str, ...]:
    if not paths:
        raise ConfigError("an empty list; name at least one picture")
    missing = next((path for path in paths if not Path(path).is_file()), None)
    if missing is not None:
        raise ConfigError(f"{masked(missing)} does not exist")
    return paths
