"""What a recognizer calls to find and encode faces."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from turnstile.people.encodings import Encodings
from turnstile.protocol.fields import Box, Hint, Looks
from turnstile.vision.arrays import PictureRgb


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The faces of one frame, biggest first."""

    boxes_px: tuple[Box, ...]
    """In pixels of the frame as captured, whatever scale was searched."""
    encodings: Encodings
    """Encodings; row `i` belongs to `boxes_px[i]`, or to `boxes_px[encoded[i]]` if not all were encoded."""
    turns: tuple[float, ...]
    """How far the head of each row of `encodings` is turned (`Looks.turn`)."""
    sharpness: tuple[float, ...]
    """Variance of the Laplacian of each grey face scaled to 100x100 pixels; 0 of one that is only found."""
    encoded: tuple[int, ...] | None = None
    """Which faces were encoded; `None` means all."""
    left_out: int = 0
    """How many faces were to be encoded and were not, as there were too many or the time was over."""
    decode_ms: float = 0.0
    detect_ms: float = 0.0
    encode_ms: float = 0.0
    full_scan: bool = True
    picture_rgb: PictureRgb | None = None
    """The frame's pixels as captured, for thumbnails; `None` from an engine that does not keep them."""


class EncodedFace(NamedTuple):
    """The face of an enrolment picture."""

    encoding: Encodings
    """`(1, 128)`."""
    looks: Looks


@dataclass(frozen=True, kw_only=True)
class EngineDescription:
    """What an engine runs on, for `doctor`, beats and logs."""

    encoding: str
    """Weights and policy, such as ``dlib-resnet-v1/raw``; only encodings of one name may be compared."""
    detector: str
    runtime: str


class Engine(Protocol):
    """Finds and encodes faces. One engine serves one thread."""

    @property
    def description(self) -> EngineDescription:
        """Return what this engine runs on."""
        ...

    def analyse(self, jpeg: bytes, *, hint: Hint | None = None) -> Analysis:
        """Return the faces of a frame.

        Raises:
            PictureError: the JPEG cannot be decoded.
        """
        ...

    def enrol(self, picture_rgb: PictureRgb) -> EncodedFace:
        """Return the encoding of the one face in an enrolment picture, and what it looks like.

        Raises:
            PictureError: there is no face, more than one, or it is too small; the text says which.
        """
        ...
