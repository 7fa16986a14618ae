"""What a camera's node and its reader process say to each other, and how it goes through a pipe.

The node says one `Order` on the reader's standard input and then keeps that open: its end tells the reader
to stop, also when the node was killed. The reader answers with records on its standard output. A record is
its length in four bytes, most significant first, and one MessagePack map.
"""

from typing import IO, Literal

import msgspec

from turnstile.errors import WireError

MAX_RECORD_BYTES = 64 * 2**20

SourceKind = Literal["webcam", "stream", "clip", "pictures"]


class _PipeRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all records share."""


class Order(_PipeRecord, frozen=True, tag="order"):
    """What to read, and what to make of it."""

    kind: SourceKind
    places: tuple[int | str, ...]
    """The webcam's number or device, the stream's address, the clip's path, or the pictures' paths."""
    max_fps: float
    jpeg_quality: int
    size_px: tuple[int, int] | None
    """What to ask of a webcam, and what to scale larger frames down to, keeping their proportions."""
    max_px: int
    """The most pixels a frame may have; larger ones are scaled down."""
    loop: bool
    read_timeout_s: float
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees to turn each picture clockwise, after it was scaled."""
    first: int = 0
    """Index of the picture to begin with."""

    @property
    def is_live(self) -> bool:
        """Tell whether this is a camera, of which the newest frame counts, and not a recording."""
        return self.kind in ("webcam", "stream")


class Opened(_PipeRecord, frozen=True, tag="opened"):
    """The source is open."""


class Shot(_PipeRecord, frozen=True, tag="shot"):
    """One frame."""

    captured_ns: int
    """Wall clock when the frame came out of the camera."""
    width_px: int
    height_px: int
    jpeg: bytes
    scaled_from_px: tuple[int, int] | None = None
    """Width and height that the camera gives; `None` if it was not scaled."""
    index: int = 0
    """Which of the pictures it is."""
    picture_age_s: float = 0.0
    """How long a live source has been giving this very picture, bit for bit."""
    position_age_s: float = 0.0
    """How long ago a live source's time stamps, which had advanced before, last did."""
    change: float | None = None
    """Share of the picture that differs from its slow background; `None` where that is not known."""

    def after(self, missed: "Shot") -> "Shot":
        """Return this frame with the change of one before it that nobody will see."""
        if self.change is None or missed.change is None:
            return msgspec.structs.replace(self, change=None)
        return msgspec.structs.replace(self, change=max(self.change, missed.change))


class Tick(_PipeRecord, frozen=True, tag="tick"):
    """The source is being read, although no frame is due."""


class Skipped(_PipeRecord, frozen=True, tag="skipped"):
    """A picture that could not be used."""

    index: int
    place: str
    reason: str


class Ended(_PipeRecord, frozen=True, tag="ended"):
    """The clip or the pictures are at their end."""


class Failed(_PipeRecord, frozen=True, tag="failed"):
    """The source could not be opened or stopped delivering."""

    reason: str
    lasting: bool
    """Whether it would be the same the next time: a file without pictures, a library that is missing."""


AnyRecord = Order | Opened | Shot | Tick | Skipped | Ended | Failed

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyRecord] = msgspec.msgpack.Decoder(AnyRecord)


def write(stream: IO[bytes], record: AnyRecord) -> None:
    """Write a record and flush it.

    Raises:
        OSError: nobody reads any more.
    """
    body = _encoder.encode(record)
    stream.write(len(body).to_bytes(4) + body)
    stream.flush()


def read(stream: IO[bytes]) -> AnyRecord | None:
    """Return the next record; none at the end of the stream, also when it ends within a record.

    Raises:
        WireError: what stands there is not a record.
    """
    head = stream.read(4)
    if len(head) < 4:
        return None
    length = int.from_bytes(head)
    if length > MAX_RECORD_BYTES:
        raise WireError(f"a record of {length} bytes; at most {MAX_RECORD_BYTES} are accepted")
    body = stream.read(length)
    if len(body) < length:
        return None
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise WireError(f"not a camera reader's record: {error}") from error
